#!/usr/bin/env bash
# What the tests executed: coverage.sh BUILD [--branches]
#
# Reads gcov's counters of a build with KW_COVERAGE and prints the lines executed of common and of every service, by
# folder, then the error branches of the services that must have all of theirs executed. Fails below the bars that
# coverage.py names. With --branches every error branch that never ran is listed, with file and line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
shift

# A file that no test has loaded has no counters: gcov then reports nothing executed, which is right. Each gcov writes
# a file of its own: in one pipe their lines would mix.
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
export texts
# shellcheck disable=SC2016 # the inner shell expands it
find "$build/common" "$build/services" -name '*.gcno' -print0 |
    xargs -0 -n 16 -P "$(nproc)" sh -c \
        'exec gcov --stdout --branch-probabilities --branch-counts "$@" >"$texts/$$" 2>/dev/null' gcov
cat "$texts"/* | tests/coverage.py tests/coverage-allowed "$@"
