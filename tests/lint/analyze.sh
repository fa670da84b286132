#!/usr/bin/env bash
# Static analysis beyond the lint: gcc -fanalyzer and cppcheck over common, services, cli and sdk. Slow: run by
# `./run test --full` and by hand, in a tree that has been built.
#
#     analyze.sh [BUILD] [gcc|cppcheck]
#
# BUILD (build/dev) says how each file is compiled. What either finds and is not so stands in tests/lint/analysis with the
# reason: by check, file, and what it is about (gcc: function and variable; cppcheck: variable). Neither line numbers nor
# counts, which every commit moves: the same variable once more in the same function is the same finding, any other is a
# new one. An entry that nothing meets any more is a finding too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LC_ALL=C # quotes as in ASCII

build=${1:-build/dev}
tools=${2:-gcc cppcheck}
jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -f "$build/compile_commands.json" ] || { echo "analyze: $build is not configured" >&2 && exit 1; }

# The build's commands for every file of ours that ships, without what hides a finding or costs time: sanitizers, ccache,
# output; and without the faults of the tests' builds, whose failures come out of a function that no analyser sees into,
# so that each would be a success that has set nothing. One a line as `commands`, and as a project for cppcheck.
select_commands() {
    /usr/bin/python3 - "$build/compile_commands.json" "$work" <<'PYTHON'
import json
import pathlib
import re
import sys
work = pathlib.Path(sys.argv[2])
chosen = []
for entry in json.load(open(sys.argv[1])):
    path = str(pathlib.Path(entry["file"]).relative_to(pathlib.Path.cwd()))
    if re.match(r"(common|services|cli|sdk)/", path):
        command = re.sub(r"^\S*ccache ", "", entry["command"])
        command = re.sub(r" -(fsanitize|fno-sanitize|O|M[DTF])\S*( \S+\.o(\.d)?)?", " ", command)
        command = re.sub(r" -o \S+", " -o /dev/null", command).replace(" -Werror", "")
        command = re.sub(r" -DKW_FAULTS(?= )| -include \S+/fault_memory\.h", "", command)
        chosen.append({**entry, "command": command, "path": path})
(work / "compile_commands.json").write_text(json.dumps(chosen))
(work / "commands").write_text("".join(
    f"cd {e['directory']} && {e['command']} -O0 -fanalyzer -fdiagnostics-plain-output 2>&1 | "
    f"awk -v path={e['path']} -v top={pathlib.Path.cwd()}/ -f {work}/gcc.awk\n" for e in chosen))
PYTHON
}

# Of what gcc writes about one file: "file:line: function: what [gcc/check]". A finding inside a macro of result.h is one of
# the file that is compiled. A file that does not compile was not looked at, which is a finding too.
write_gcc_awk() {
    cat >"$work/gcc.awk" <<'AWK'
/: In function '/ { sub(/.*: In function '/, ""); sub(/'.*/, ""); in_function = $0; next }
!/-Wanalyzer-| error: / { next }
{
    sub(top, ""); sub(/^(\.\.\/)+/, "")
    sub(/^common\/base\/result\.h:/, path ":")
    where = $1; sub(/:[0-9]+:$/, ":", where)
    sub(/^[^ ]+ (warning: )?/, ""); sub(/ \[CWE-[0-9]+\]/, ""); sub(/-Wanalyzer-/, "gcc/")
    print where " " in_function ": " $0
}
AWK
}

# Both print findings as in the tree, each once.
run_gcc() {
    write_gcc_awk
    tr '\n' '\0' <"$work/commands" | xargs -0 -P "$jobs" -n 1 sh -c | sort -u
}

run_cppcheck() {
    mkdir -p "$work/cppcheck"
    cppcheck --project="$work/compile_commands.json" --cppcheck-build-dir="$work/cppcheck" -q -j "$jobs" --inconclusive \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --template='{file}:{line}: {message} [cppcheck/{id}]' 2>&1 | grep -E '\[cppcheck/' | sed -E "s#^$PWD/##" | sort -u || true
}

# Takes off what tests/lint/analysis explains.
explained() {
    awk -v tools="$tools" '
        FNR == NR {
            if ($0 !~ /^#/ && NF && index(tools, substr($1, 1, index($1, "/") - 1))) { unmet[$1 " " $2 " " $3] = 1 }
            next
        }
        {
            check = $NF; gsub(/[][]/, "", check)
            file = $1; sub(/:.*/, "", file)
            about = "-"
            if (match($0, check ~ /^gcc/ ? "\047[^\047]*\047" : "\047[a-z_][^\047]*\047")) {
                about = substr($0, RSTART + 1, RLENGTH - 2)
            } else if (match($0, /variable:? .* \[/)) {
                about = substr($0, RSTART, RLENGTH - 2); sub(/variable:? /, "", about)
            }
            gsub(/ /, "", about); gsub(/_[0-9]+/, "_", about) # gcc numbers what has no name
            key = check " " file " " (check ~ /^gcc/ ? $2 : "") about
            if (key in unmet) { unmet[key] = 0 } else { print $0 "\n    as an entry: " key }
        }
        END {
            for (key in unmet) { if (unmet[key]) { print "tests/lint/analysis: nothing meets this any more: " key } }
        }' tests/lint/analysis -
}

select_commands
findings=$(for tool in $tools; do "run_$tool"; done | explained)
[ -z "$findings" ] || printf '%s\n' "$findings"
printf 'analyze: %s\n' "$([ -z "$findings" ] && echo clean || echo FAILED)"
[ -z "$findings" ]
