#!/usr/bin/env bash
# Runs one fuzz target with libFuzzer, over its corpus, and says how it went in one line.
#
#     run.sh TARGET [SECONDS]
#
# KW_FUZZ_BINARY: another binary than build/fuzz/fuzz/<target>_fuzz; KW_FUZZ_RUNS: stops after so many. KW_FUZZ_SEED: of its randomness.
#
# Fails, beside for what was found, when the target was slow (executions per second of its own CPU time, so that a busy
# machine is not to blame) or saw little of the code (libFuzzer's features): then the time was not worth much. What it
# found new stays in build/fuzz/work/<target>/corpus; what it failed on is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${1:?usage: run.sh TARGET [SECONDS]}
seconds=${2:-60}
rate_min=${KW_FUZZ_RATE_MIN:-1000}
features_min=${KW_FUZZ_FEATURES_MIN:-100}
binary=${KW_FUZZ_BINARY:-build/fuzz/fuzz/${target}_fuzz}
corpus=tests/fuzz/corpus/$target
work=build/fuzz/work/$target
log=$work/log

die() {
    printf 'fuzz %s: %s\n' "$target" "$*" >&2
    exit 1
}

[ -x "$binary" ] || die "$binary is not built: ./run fuzz builds it"
mkdir -p "$work/corpus" "$work/found"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:malloc_context_size=8 UBSAN_OPTIONS=print_stacktrace=1

# What libFuzzer wrote, and the input it stopped at.
failed() {
    grep -vE '^(INFO|#[0-9]+\s)' "$log" | head -40 >&2 || true
    die "$1: $(find "$work/found" -type f -newer "$work/began" | head -1)"
}

touch "$work/began"
"$binary" -runs=0 -artifact_prefix="$work/found/" "$corpus" >"$log" 2>&1 || failed "the corpus is not clean"

# Leaks are looked for once, at the end: what OpenSSL keeps for later looks like one to libFuzzer, which then searched the
# heap after every other run, half of the time there was. Which input it was, a replay of the work corpus says.
options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -detect_leaks=0 -artifact_prefix="$work/found/")
[ -z "${KW_FUZZ_RUNS:-}" ] || options+=(-runs="$KW_FUZZ_RUNS")
[ -z "${KW_FUZZ_SEED:-}" ] || options+=(-seed="$KW_FUZZ_SEED")
[ ! -f "tests/fuzz/dict/$target.dict" ] || options+=(-dict="tests/fuzz/dict/$target.dict")
TIMEFORMAT='%U %S'
{ time "$binary" "${options[@]}" "$work/corpus" "$corpus" >"$log" 2>&1; } 2>"$work/time" || failed "found"

runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
features=$(grep -oE ' ft: [0-9]+' "$log" | tail -1 | grep -oE '[0-9]+')
rate=$(awk -v runs="$runs" '{ cpu = $1 + $2; printf "%d", runs / (cpu > 0.01 ? cpu : 0.01) }' <(tail -1 "$work/time"))
printf 'fuzz %-20s %4d s, %10d runs, %7d/s of CPU, %5d features\n' "$target" "$seconds" "$runs" "$rate" "$features"
[ "$features" -ge "$features_min" ] || die "$features features, at least $features_min are wanted"
[ "$rate" -ge "$rate_min" ] || die "$rate runs a second of CPU, at least $rate_min are wanted"
