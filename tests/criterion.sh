#!/usr/bin/env bash
# Runs a Criterion binary for CTest, so that no sanitizer report is lost.
#
# Criterion reports a test before the test's process exits, and hides its standard error: a leak found at exit
# would show nowhere. So the sanitizers write to files, here and in every program the test starts, and any such
# file fails the binary.
#
# With KEYWARD_MEMCHECK it runs under valgrind, which reports in the same way, and on leaks of each test's process.
#
# What tests note down (support/note.h), their own output being silenced, is shown at the end.
set -euo pipefail

reports=$(mktemp -d)
notes=$(mktemp)
trap 'rm -rf "$reports" "$notes"' EXIT

if [ -n "${KEYWARD_MEMCHECK:-}" ]; then
    set -- valgrind --quiet --leak-check=full --show-leak-kinds=definite --num-callers=30 \
        --suppressions="${BASH_SOURCE[0]%/*}/valgrind.supp" --log-file="$reports/valgrind.%p" "$@"
fi

# Whether a report says no more than that its process was killed while LeakSanitizer looked at its threads. Tests kill
# workers at any moment, the one in which they end too, and what a process that is gone would have leaked nobody can say.
killed_meanwhile() {
    ! grep -qvE '^(==[0-9]+==Unable to get registers from thread [0-9]+\.)?$' "$1"
}

status=0
ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$reports/asan" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$reports/ubsan" \
    TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=$reports/tsan" KW_TEST_NOTES="$notes" "$@" --tap=- -j1 || status=$?
cat "$notes"
for report in "$reports"/*; do
    if [ -s "$report" ]; then
        cat "$report"
        killed_meanwhile "$report" || status=1
    fi
done
exit "$status"
