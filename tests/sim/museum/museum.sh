#!/usr/bin/env bash
# The simulator catches a bug of the museum: museum.sh NAME BINARY. Seeds are run in order until one ends in a
# violation; the end of the process must be that, nothing else.
set -euo pipefail

seeds_max=${KEYWARD_MUSEUM_SEEDS:-200}

name=$1 binary=$2
for ((seed = 1; seed <= seeds_max; seed++)); do
    status=0
    said=$("$binary" --seed="$seed" 2>&1 >/dev/null) || status=$?
    if [ "$status" -eq 1 ] && [[ $said == *VIOLATION:* ]]; then
        echo "# $name: caught by seed $seed of $seeds_max: ${said##*VIOLATION: }"
        exit 0
    elif [ "$status" -ne 0 ]; then
        echo "not ok - $name: the simulator itself failed: $said"
        exit 1
    fi
done
echo "not ok - $name: not caught by $seeds_max seeds"
exit 1
