#!/usr/bin/env bash
# The pages that are tables in the code, printed by the programs that use the tables.
#   docs/generate.sh BIN_DIR OUT_DIR            writes them
#   docs/generate.sh BIN_DIR OUT_DIR --check    fails when one in docs/ is another
set -euo pipefail
bin=$1
out=$2
docs=$(dirname "${BASH_SOURCE[0]}")
services=(gateway authz orchestrator cryptocore replicator)

mkdir -p "$out"
"$bin/keyward-tables" errors >"$out/errors.md"
"$bin/keyward-tables" metrics >"$out/metrics.md"
"$bin/keyward-tables" failpoints >"$out/failpoints.md"
"$bin/keyward-key-states" >"$out/key-states.md"
for service in "${services[@]}"; do
    "$bin/keyward-$service" --print-settings-doc >"$out/settings-$service.md"
done
for step in init request carry answer complete regions; do
    "$bin/keyward-cryptocore" "$step" --print-settings-doc >"$out/settings-cryptocore-$step.md"
done

if [ "${3:-}" = --check ]; then
    status=0
    for page in "$out"/*.md; do
        diff -u "$docs/$(basename "$page")" "$page" || status=1
    done
    [ "$status" -eq 0 ] || echo "docs are not what the tables say: ./run docs"
    exit "$status"
fi
