#!/usr/bin/env bash
# Shows that run.sh finds what is there and nothing else: seeded_fuzz.c with its planted bug is found, and what was found
# reproduces it; without the bug nothing is; and each of the runner's gates closes when it is asked for too much.
#
#     seeded.sh [SECONDS]   how long it may look for the bug; it is there after less than a second of a free CPU
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-60}
folder=$(mktemp -d)
trap 'rm -rf "$folder" build/fuzz/work/seeded' EXIT

die() {
    printf 'seeded: %s\n' "$*" >&2
    exit 1
}

command -v clang >/dev/null || die "no clang"
compile() {
    clang -std=gnu17 -D_GNU_SOURCE "-DKW_SOURCE_DIR=\"$PWD\"" -I. -O1 -g -fsanitize=fuzzer,address,undefined "$@" \
        tests/fuzz/seeded_fuzz.c tests/fuzz/fuzz.c common/base/{bytes,codec,file,result}.c
}
compile -DKW_FUZZ_SEEDED -o "$folder/seeded" &
compile -o "$folder/right"
wait $! || die "does not compile"

# run BINARY RUNS [FEATURES [RATE]]: by one seed. With one seed in ten libFuzzer goes where it does not find the bug for a minute.
run() {
    env KW_FUZZ_BINARY="$folder/$1" KW_FUZZ_RUNS="$2" KW_FUZZ_SEED=1 KW_FUZZ_FEATURES_MIN="${3:-1}" KW_FUZZ_RATE_MIN="${4:-1}" \
        tests/fuzz/run.sh seeded "$seconds" >"$folder/log" 2>&1
}

! run seeded -1 || die "the planted bug was not found in $seconds s"
found=$(sed -n 's/^fuzz seeded: found: //p' "$folder/log")
[ -s "$found" ] || die "the runner named no input: $(tail -1 "$folder/log")"
! "$folder/seeded" "$found" 2>/dev/null || die "what was found does not reproduce the bug"
"$folder/right" "$found" 2>/dev/null || die "what was found is not the planted bug"
run right 20000 || die "found where nothing is: $(tail -3 "$folder/log")"
! run right 1000 1000000 || die "a run that saw little of the code passed"
! run right 1000 1 1000000000 || die "a slow run passed"
printf 'seeded: found, and nothing else\n'
