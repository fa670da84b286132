#!/usr/bin/env bash
# Runs a Criterion binary as a walk through error paths: fault_walk.sh SCOPE PLACES BINARY [OPTIONS]
#
# Every place below SCOPE (a path in the tree) that the tests' requests pass fails once (tests/support/faults.h), and
# every test must pass all the same. Fewer than PLACES that have failed is a failure too: then nothing was walked.
set -euo pipefail

# Criterion says of each case that --filter leaves out that it is skipped; here it is no case at all.
chosen() {
    if [[ " $* " == *" --filter="* ]]; then
        sed '/# SKIP test was skipped$/d'
    else
        cat
    fi
}

plan_size=$((1024 * 128)) # no less than struct kw_fault_plan; `fired` comes first in it

scope=$1 places=$2
shift 2
plan=$(mktemp)
trap 'rm -f "$plan" "$plan.log"' EXIT
truncate -s "$plan_size" "$plan"
status=0
KEYWARD_FAULTS="$plan" KEYWARD_FAULT_SCOPE="$scope" KEYWARD_FAULT_LOG="$plan.log" "$(dirname "$0")/criterion.sh" "$@" | chosen "$@" || status=$?
[ "$status" -eq 0 ] || [ ! -f "$plan.log" ] || cat "$plan.log"
fired=$(od -An -tu4 -N4 "$plan" | tr -d ' ')
echo "# $fired places of $scope have failed"
if [ "$fired" -lt "$places" ]; then
    echo "not ok - fault_walk::fewer_than_${places}_places_have_failed"
    status=1
fi
exit "$status"
