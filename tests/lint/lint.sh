#!/usr/bin/env bash
# The house rules, each with its reason. Run by `./run lint`; with names of rules as arguments only those run.
#
# A rule is a function rule_NAME that prints its findings, one a line, "file:line: what". Rules that allow
# counted exceptions take them from tests/lint/allowed; an exception that is no longer needed is a finding too,
# so the list can only shrink.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=build/lint
jobs=$(nproc)

# Files of the tree, new ones too. CI may run as another user than the one who cloned.
tree_files() {
    git -c safe.directory="$PWD" ls-files -co --exclude-standard -- "$@"
}

mapfile -t c_files < <(tree_files '*.c' '*.h')
mapfile -t sources < <(tree_files '*.c' '*.h' '*.def' '*.sh' '*.py' '*.awk' run .ci/run)

# forbid PATTERN WHY FILE…: an extended regular expression that must not match.
forbid() {
    local pattern=$1 why=$2
    shift 2
    [ $# -gt 0 ] || return 0
    grep -nHE -- "$pattern" "$@" | sed "s|\$|    <- $why|" || true
}

# select_files REGEX FILE…: those whose path matches.
select_files() {
    local regex=$1
    shift
    printf '%s\n' "$@" | grep -E -- "$regex" || true
}

# Lets as many findings (read from stdin) of rule $1 pass in each file as tests/lint/allowed says, no more, no fewer.
allow_counted() {
    awk -v rule="$1" '
        FNR == NR { if ($1 == rule) { allowed[$2] = $3 } next }
        { split($0, at, ":"); found[at[1]]++; lines[at[1]] = lines[at[1]] $0 "\n" }
        END {
            for (f in found) { if (found[f] > allowed[f]) { printf "%s", lines[f] } }
            for (f in allowed) {
                if (found[f] + 0 < allowed[f]) {
                    printf "tests/lint/allowed: %s %s: %d allowed, %d found\n", rule, f, allowed[f], found[f]
                }
            }
        }' tests/lint/allowed -
}

# clang-format decides, so that nobody has to. One finding a file: `./run fmt` corrects them all.
rule_format() {
    clang-format --dry-run -Werror "${c_files[@]}" 2>&1 | grep -E ' error: ' | sort -u -t: -k1,1 || true
}

# Unbounded copies, processes through a shell, hidden state: each has a safe way in common/base or libc.
rule_functions() {
    forbid '\b(strcpy|strcat|strncpy|sprintf|vsprintf|gets|rand|srand|random|system|popen|strtok|atoi|atol|alloca)\(' \
        'forbidden function' "${c_files[@]}"
}

# A failure made by hand has no message, file or line, and its reason cannot be found by searching for KW_FAIL.
rule_results() {
    forbid '\(struct kw_result\) *\{ *[^}]' 'failures are made by KW_FAIL, KW_ENSURE or KW_MAKE' "${c_files[@]}" |
        allow_counted results
}

# memcmp stops at the first difference: on a tag or a key it tells how much was guessed. Public values are
# compared by kw_bytes_equal, secret ones by kw_bytes_equal_ct.
rule_memcmp() {
    mapfile -t files < <(select_files '^(common|services|cli|sdk)/' "${c_files[@]}")
    forbid '\bmemcmp\(' 'use kw_bytes_equal or kw_bytes_equal_ct' "${files[@]}" | allow_counted memcmp
}

# SQL is constants with parameters: none is put together from text, and only common/store prepares any. So no
# request can become a statement.
rule_sql() {
    mapfile -t files < <(select_files '^(common|services|cli)/' "${c_files[@]}")
    forbid '(printf|strcat|put_format|buf_append)[a-z_]*\(.*"[^"]*\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|DROP|PRAGMA) ' \
        'SQL is a constant; values are parameters' "${files[@]}" | allow_counted sql
    forbid 'kw_sql\([^,]+, *[a-z_]*(printf|format|concat)[a-z_]*\(' 'SQL is a constant; values are parameters' "${files[@]}"
    mapfile -t files < <(select_files '^(common|services|cli)/' "${c_files[@]}" | grep -v '^common/store/')
    forbid '\bsqlite3_(prepare|exec)' 'statements are made by kw_sql' "${files[@]}"
}

# What is not done is an issue, not a comment.
rule_unfinished() {
    mapfile -t files < <(tree_files | grep -vE '^tests/lint/lint.sh$|\.(bin|der|pem)$')
    forbid '\b(TODO|FIXME|XXX|HACK)\b' 'open an issue instead' "${files[@]}"
}

# A comment cites what its reader can open: docs/, a standard, a file of the tree.
rule_citations() {
    mapfile -t files < <(tree_files | grep -vE '^tests/lint/lint.sh$|\.(bin|der|pem)$')
    forbid '\b((design|standards)\.md|design,? §|craft-study)' 'not in the tree: say it in words, or cite docs/' "${files[@]}"
}

# One kind of comment.
rule_comments() {
    forbid '(^|[;{}),[:space:]])//' 'comments are /* */' "${c_files[@]}"
}

# A struct says that it is one.
rule_typedefs() {
    forbid '^typedef (struct|union|enum)[^(]*$' 'no typedef for structs' "${c_files[@]}"
}

# A test that sleeps is slow when it passes and flaky when it fails: wait for the event, with a deadline.
rule_sleeps() {
    mapfile -t files < <(select_files '^tests/' "${sources[@]}")
    mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -v '^tests/lint/')
    forbid '\b(u|nano|clock_nano|uv_)?sleep\(|^ *sleep [0-9]' 'wait for the event, with a deadline' "${files[@]}"
}

# Criterion's gt() lets equal values pass: what is to be more is said with lt(), the other way round.
rule_asserts() {
    mapfile -t files < <(select_files '^tests/' "${sources[@]}")
    mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -v '^tests/lint/')
    forbid '(^|[^[:alnum:]_.>])gt\((u?(8|16|32|64)|[a-z0-9]+), ' 'gt() lets equal values pass: lt(tag, less, more)' "${files[@]}"
}

# Each foreign library is known in one place, so that it can be replaced or fixed there.
rule_libraries() {
    local header where
    while read -r header where; do
        mapfile -t files < <(printf '%s\n' "${c_files[@]}" | grep -vE "^($where)/" | grep -vE '^(tests|bench)/')
        forbid "^#include <($header)" "only $where may include this" "${files[@]}"
    done <<'TABLE'
grpc/ common/rpc
sqlite3 common/store/sqlite
libpq common/store/postgres
nghttp2/ services/gateway/edge
hiredis/ services/gateway/cache
(libp11|p11-kit|pkcs11) services/cryptocore/hsm
cyaml/ common/base
microhttpd common/observe
seccomp common/harden
TABLE
}

# Dependencies run one way: base <- harden, loop, crypto, lifecycle <- observe, pki <- health, rpc, store <- sync, audit <- feed <-
# services, cli. Services meet only in the protocol; sdk/ depends on nothing here.
rule_layers() {
    awk '
        BEGIN {
            split("base:0 harden:1 loop:1 crypto:1 lifecycle:1 observe:2 pki:2 health:3 rpc:3 store:3 sync:4 audit:4 feed:5 feed_service:6", rows, " ")
            for (i in rows) { split(rows[i], row, ":"); level["common/" row[1]] = row[2] }
        }
        function part(path, at) { split(path, at, "/"); return at[1] == "cli" ? "cli" : at[1] "/" at[2] }
        function rank(p) { return p in level ? level[p] : (p ~ /^(cli$|(services|bench|tests)\/)/ ? 9 : -1) }
        /^#include "/ {
            split($0, quoted, "\""); to = part(quoted[2]); from = part(FILENAME)
            if (from == to || FILENAME ~ /^(tests|bench)\//) { next }
            if (from ~ /^sdk\//) { bad = (to ~ /^(common|services|cli)\//) }
            else if (to ~ /^services\//) { bad = 1 }
            else { bad = rank(to) >= 0 && rank(to) >= rank(from) }
            if (bad) { printf "%s:%d: %s must not include %s\n", FILENAME, FNR, from, to }
        }' "${c_files[@]}"
}

# A function that does not fit a screen is two functions.
rule_function_length() {
    ctags -x --c-kinds=f --_xformat='%F %n %e %N' "${c_files[@]}" |
        awk '$3 - $2 + 1 > 70 { printf "%s:%d: %s has %d lines, at most 70\n", $1, $2, $4, $3 - $2 + 1 }'
}

# One idea a file.
rule_file_length() {
    wc -l "${c_files[@]}" | awk '$2 != "total" && $1 > 800 { printf "%s:1: %d lines, at most 800\n", $2, $1 }'
}

# A file starts by saying what it is responsible for.
rule_introduction() {
    local file
    for file in "${c_files[@]}"; do
        [ "$(head -c 2 "$file")" = '/*' ] || echo "$file:1: starts with a comment that says what it is for"
    done
}

# A folder says what it is, what it may include and where to start.
rule_readme() {
    printf '%s\n' "${sources[@]}" | grep / | xargs -n1 dirname | sort -u | while read -r folder; do
        [ "$folder" = .ci ] || [ -f "$folder/README.md" ] || echo "$folder:1: has no README.md"
    done
}

# Scripts are checked like code.
rule_shell() {
    mapfile -t files < <(select_files '\.sh$|^run$|^\.ci/run$' "${sources[@]}")
    shellcheck -f gcc "${files[@]}" || true
}

# The public contract by buf's STANDARD and COMMENTS rules, and its format.
rule_proto() {
    local buf
    buf=$(PATH="$PATH:$PWD/build/tools/node_modules/.bin" command -v buf) || {
        echo "lint: proto            skipped: no buf, and no npm to install it" >&2
        return 0
    }
    (cd proto && { "$buf" lint || true; } && { "$buf" format --diff --exit-code >/dev/null || echo "buf format --write"; }) |
        sed 's|^|proto/|'
}

# Everything as clang reads it, warnings as errors: gcc does not see every ignored result, clang does. What it would make of it
# nobody runs, so it makes nothing, but for the sources that are generated.
rule_clang() {
    local log=$build/log
    mkdir -p "$build"
    { cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -Wno-dev &&
        cmake --build "$build" --parallel "$jobs" --target kw_proto; } >"$log" 2>&1 || { tail -20 "$log" && return; }
    once_each <"$build/compile_commands.json" | reading_commands |
        xargs -0 -P "$jobs" -n 1 sh -c >"$log" 2>&1 || grep -E ' error: ' "$log" || { echo "$log: clang failed" && tail -5 "$log"; }
}

# Of a list of compile commands each as one that only reads its file, ended by a NUL.
reading_commands() {
    python3 -c 'import json, re, shlex, sys
for entry in json.load(sys.stdin):
    reads = re.sub(r" -o \S+ -c ", " -fsyntax-only ", entry["command"])
    sys.stdout.write("cd " + shlex.quote(entry["directory"]) + " && " + reads + "\0")'
}

# The include folders of the build, for the rules that look at single files.
include_flags() {
    grep -oE '(-I|-isystem )[^ "]+' "$build/compile_commands.json" | sed 's/-isystem /-I/' | sort -u
}

# A header compiles alone: whoever includes it need not know what it needs.
rule_headers() {
    local flags
    mapfile -t flags < <(include_flags)
    select_files '\.h$' "${c_files[@]}" |
        xargs -P "$jobs" -I{} gcc -fsyntax-only -std=gnu17 -D_GNU_SOURCE -x c -I. "${flags[@]}" {} 2>&1 |
        grep -E ' error: ' || true
}

# Each file once, as its own folder builds it; tests and fuzz targets build some again.
once_each() {
    python3 -c 'import json, sys
first = {}
for entry in json.load(sys.stdin):
    first.setdefault(entry["file"], entry)
json.dump(list(first.values()), sys.stdout)'
}

# What the compilers do not see; .clang-tidy says which checks are off and why. One process a file, and one look at it:
# in a second one clang-tidy 14 no longer recognises va_start.
rule_tidy() {
    mkdir -p "$build/tidy"
    once_each <"$build/compile_commands.json" >"$build/tidy/compile_commands.json"
    select_files '^(common|services|cli|sdk)/.*\.c$' "${c_files[@]}" |
        xargs -P "$jobs" -n 1 clang-tidy -p "$build/tidy" --quiet 2>/dev/null | grep -E ': (warning|error): ' | sort -u || true
}

# clang goes before headers and tidy: they read its compile_commands.json.
rules=(format functions results memcmp sql unfinished citations comments typedefs sleeps asserts libraries layers function_length
    file_length introduction readme shell proto clang headers tidy)

main() {
    local rule findings failed=0 start
    for rule in "${@:-${rules[@]}}"; do
        start=$SECONDS
        findings=$("rule_$rule")
        if [ -n "$findings" ]; then
            printf '%s\n' "$findings"
            failed=1
        fi
        printf 'lint: %-16s %s (%d s)\n' "$rule" "$([ -z "$findings" ] && echo ok || echo FAILED)" $((SECONDS - start))
    done
    return "$failed"
}

main "$@"
