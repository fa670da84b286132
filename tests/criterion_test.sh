#!/usr/bin/env bash
# Shows that criterion.sh fails a binary whose sanitizers reported something, and only such a one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
count=0
failed=0

# expect STATUS NAME REPORT [EXIT]: what comes of a binary that leaves this report, and exits so.
expect() {
    local status=0
    # shellcheck disable=SC2016 # it is for the script that is written
    printf '#!/bin/sh\nprintf %%b "%s" >"${ASAN_OPTIONS##*log_path=}.1"\nexit %s\n' "$3" "${4:-0}" >"$binary"
    chmod 700 "$binary"
    "$here/criterion.sh" "$binary" >/dev/null 2>&1 || status=$?
    count=$((count + 1))
    if [ "$status" = "$1" ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2: status $status"
        failed=1
    fi
}

killed='==12==Unable to get registers from thread 11.\n'
leak='==12==ERROR: LeakSanitizer: detected memory leaks\n'
expect 0 nothing_is_reported ''
expect 3 its_status_is_passed_on '' 3
expect 1 a_leak_fails_it "$leak"
expect 0 a_process_that_was_killed_meanwhile_is_no_finding "$killed"
expect 0 nor_are_two_of_its_threads "$killed$killed\n"
expect 1 a_leak_behind_it_is "$killed$leak"
echo "1..$count"
exit "$failed"
