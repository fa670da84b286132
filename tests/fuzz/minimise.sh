#!/usr/bin/env bash
# Moves what fuzzing found into the committed corpora: of build/fuzz/work/<target>/corpus as few and as small files as
# cover what all cover, at most 50 with the honest ones, none above 4 KiB.
#
#     minimise.sh TARGET…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

files_max=50
for target in "$@"; do
    binary=build/fuzz/fuzz/${target}_fuzz
    corpus=tests/fuzz/corpus/$target
    merged=$(mktemp -d)
    small=$(mktemp -d)
    find "build/fuzz/work/$target/corpus" "$corpus" -type f -size -9 ! -name 'seed-*' -exec cp -n -t "$small" {} +
    # The honest files first: what they cover needs no other.
    cp "$corpus"/seed-* "$merged"
    "$binary" -set_cover_merge=1 -rss_limit_mb=2048 "$merged" "$small" >/dev/null 2>&1 || echo "$target: merge failed" >&2
    find "$corpus" -type f ! -name 'seed-*' ! -name 'crash-*' -delete
    room=$((files_max - $(find "$corpus" -type f | wc -l)))
    find "$merged" -type f ! -name 'seed-*' -printf '%f %p\n' | sort | awk -v room="$room" "NR <= room" | cut -d' ' -f2- |
        xargs -r cp -n -t "$corpus"
    rm -rf "$merged" "$small"
    printf '%s: %d files, %d bytes\n' "$target" "$(find "$corpus" -type f | wc -l)" \
        "$(find "$corpus" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')"
done
