#!/usr/bin/env bash
# The simulator catches a bug of the museum: museum.sh NAME BINARY [MENDED]. Seeds are run in order until one ends in a
# violation; the end of the process must be that, nothing else. MENDED has the same stage without the bug, and must run
# through with that seed.
set -euo pipefail

seeds_max=${KEYWARD_MUSEUM_SEEDS:-200}

name=$1 binary=$2 mended=${3:-}
for ((seed = 1; seed <= seeds_max; seed++)); do
    status=0
    said=$("$binary" --seed="$seed" 2>&1 >/dev/null) || status=$?
    if [ "$status" -eq 1 ] && [[ $said == *VIOLATION:* ]]; then
        if [ -n "$mended" ] && ! without=$("$mended" --seed="$seed" 2>&1 >/dev/null); then
            echo "not ok - $name: seed $seed ends without the bug, too: $without"
            exit 1
        fi
        echo "# $name: caught by seed $seed of $seeds_max: ${said##*VIOLATION: }"
        exit 0
    elif [ "$status" -ne 0 ]; then
        echo "not ok - $name: the simulator itself failed: $said"
        exit 1
    fi
done
echo "not ok - $name: not caught by $seeds_max seeds"
exit 1
