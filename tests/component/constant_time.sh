#!/usr/bin/env bash
# No decision on a secret: `constant_time.sh BUILD/bin/constant_time` under valgrind, and that a decision would be found.
set -euo pipefail
program=$1
check=(valgrind --quiet --error-exitcode=9 --track-origins=yes)

if ! command -v valgrind >/dev/null; then
    echo 'ok 1 - constant_time # SKIP valgrind is not installed'
    exit 0
fi
if "${check[@]}" "$program" leak 2>/dev/null; then
    echo 'not ok 1 - constant_time::a_decision_on_a_secret_is_found'
    exit 1
fi
echo 'ok 1 - constant_time::a_decision_on_a_secret_is_found'
"${check[@]}" "$program" || {
    echo 'not ok 2 - constant_time::no_decision_on_a_secret'
    exit 1
}
echo 'ok 2 - constant_time::no_decision_on_a_secret'
