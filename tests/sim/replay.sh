#!/usr/bin/env bash
# A seed is a run: twice the same is the same trace, another seed is another.
set -euo pipefail

trace() {
    "$1" --seed="$2" --ops=100 | sed -n 's/^trace //p'
}

first=$(trace "$1" 7)
if [ -z "$first" ] || [ "$first" != "$(trace "$1" 7)" ]; then
    echo "not ok - seed 7 is not replayed"
    exit 1
fi
if [ "$first" = "$(trace "$1" 8)" ]; then
    echo "not ok - seeds 7 and 8 are the same run"
    exit 1
fi
echo "# seed 7 is $first, twice"
