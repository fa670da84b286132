#!/usr/bin/env bash
# All benches, or those named: `./run bench [--quick] [--doc] [hop] [hsm] [edge] [mesh] [overload] [--replication]`. Tables go to stdout,
# progress to stderr. Everything is bounded in time (about 6 minutes; --quick: 90 s) and ends what it started. overload and
# --replication, up to 5 minutes more, run only when named. --doc also puts the tables into docs/performance.md, below its line "## The run".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${KW_BENCH_BUILD:-build/release}
quick=()
doc=
parts=()
for word in "$@"; do
    case "$word" in
    --quick) quick=(--quick) ;;
    --doc) doc=docs/performance.md ;;
    hop | hsm | edge | mesh | overload) parts+=("$word") ;;
    replication | --replication) parts+=(replication) ;;
    *)
        sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
done
[ ${#parts[@]} -gt 0 ] || parts=(hop hsm edge mesh)

machine() {
    printf 'Machine: %s × %s, Linux %s, %s; gRPC %s, OpenSSL %s, SoftHSM %s, SQLite %s. %s\n\n' \
        "$(nproc)" "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)" "$(uname -r)" \
        "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" \
        "$(package libgrpc29)" "$(package libssl3)" "$(package softhsm2)" "$(package libsqlite3-0)" \
        "$(date -u +%Y-%m-%d)"
}

package() {
    dpkg-query -W -f='${Version}' "$1" 2>/dev/null || printf '?'
}

hop() {
    printf '### Hop: chains of mutually authenticated processes, CPU of the whole chain with its client\n\n'
    if [ ${#quick[@]} -gt 0 ]; then
        "$build/bin/hop_bench" 1 64
    else
        "$build/bin/hop_bench" 3 1 64 256
    fi
    printf '\n'
}

all() {
    local part
    machine
    for part in "${parts[@]}"; do
        printf 'bench: %s\n' "$part" >&2
        case "$part" in
        hop) hop ;;
        overload) /usr/bin/python3 bench/mesh_bench.py "$build" --overload "${quick[@]}" ;;
        *) /usr/bin/python3 "bench/${part}_bench.py" "$build" "${quick[@]}" ;;
        esac
    done
}

if [ -z "$doc" ]; then
    all
else
    tables=$(mktemp)
    trap 'rm -f "$tables"' EXIT
    all | tee "$tables"
    sed -i '/^## The run$/q' "$doc"
    { printf '\nCommand: %s\n\n' "./run bench $*" && cat "$tables"; } >>"$doc"
fi
