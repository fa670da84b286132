#!/usr/bin/env bash
# Static analysis beyond the lint: gcc -fanalyzer and cppcheck over common, services, cli and sdk. Slow: run by
# `./run test --full` and by hand, in a tree that has been built.
#
#     analyze.sh [BUILD] [gcc|cppcheck]
#
# BUILD (build/dev) says how each file is compiled. What either finds and is not so stands in tests/lint/analysis, line by
# line, with the reason; an entry that nothing meets any more is a finding too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

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
# A finding inside a macro of result.h is one of the file that is compiled.
(work / "commands").write_text("".join(
    f"cd {e['directory']} && {e['command']} -O0 -fanalyzer -fdiagnostics-plain-output 2>&1 | "
    f"sed -E 's#^[^ ]*common/base/result.h:([0-9]+:[0-9]+: warning)#{e['path']}:\\1#'\n" for e in chosen))
PYTHON
}

# "file:line: what [tool/check]", files as in the tree, each once. A file that does not compile was not looked at, which is
# a finding too.
run_gcc() {
    tr '\n' '\0' <"$work/commands" | xargs -0 -P "$jobs" -n 1 sh -c 2>&1 | grep -E -- '-Wanalyzer-| error: ' |
        sed -E "s#^$PWD/##; s#^(\.\./)+##; s#^([^ ]+:[0-9]+):[0-9]+: warning: (.*) \[(CWE-[0-9]+\] \[)?-Wanalyzer-(.*)\]\$#\1: \2 [gcc/\4]#" | sort -u || true
}

run_cppcheck() {
    mkdir -p "$work/cppcheck"
    cppcheck --project="$work/compile_commands.json" --cppcheck-build-dir="$work/cppcheck" -q -j "$jobs" --inconclusive \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --template='{file}:{line}: {message} [cppcheck/{id}]' 2>&1 | grep -E '\[cppcheck/' | sed -E "s#^$PWD/##" | sort -u || true
}

# Takes off what tests/lint/analysis explains (check, file, how many, why), counted by check and file.
explained() {
    awk -v tools="$tools" '
        FNR == NR { if ($0 !~ /^#/ && NF && index(tools, substr($1, 1, index($1, "/") - 1))) { allowed[$1 " " $2] = $3 } next }
        {
            split($0, at, ":"); check = $NF; gsub(/[][]/, "", check)
            key = check " " at[1]; found[key]++; lines[key] = lines[key] $0 "\n"
        }
        END {
            for (k in found) { if (found[k] > allowed[k]) { printf "%s", lines[k] } }
            for (k in allowed) {
                if (found[k] + 0 < allowed[k]) { printf "tests/lint/analysis: %s: %d explained, %d found\n", k, allowed[k], found[k] }
            }
        }' tests/lint/analysis -
}

select_commands
findings=$(for tool in $tools; do "run_$tool"; done | explained)
[ -z "$findings" ] || printf '%s\n' "$findings"
printf 'analyze: %s\n' "$([ -z "$findings" ] && echo clean || echo FAILED)"
[ -z "$findings" ]
