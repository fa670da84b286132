#!/usr/bin/env bash
# A generic client against a whole Keyward: `buf curl` learns the API by reflection and calls it.
# buf_curl_test.sh BUILD/bin/keyward. buf is the one on PATH or that of `./run`; without one: skipped (77).
set -euo pipefail

keyward=$1
buf=$(PATH="$PATH:$(dirname "${BASH_SOURCE[0]}")/../../build/tools/node_modules/.bin" command -v buf || true)
if [ -z "$buf" ]; then
    echo "skipped: no buf (npm install @bufbuild/buf)"
    exit 77
fi

dir=$(mktemp -d)
mkfifo "$dir/output"
mesh=

# The mesh ends whatever the test does; its exit code counts when nothing else failed.
finish() {
    local status=$?
    trap - EXIT
    if [ -n "$mesh" ]; then
        kill -TERM "$mesh" 2>/dev/null || true
        wait "$mesh" || [ "$status" -ne 0 ] || status=1
    fi
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT

# Prints the port of the READY line.
await_ready() {
    local line
    while read -r -t 90 line; do
        if [[ $line =~ ^READY\ port=([0-9]+) ]]; then
            echo "${BASH_REMATCH[1]}"
            return
        fi
    done
    echo "keyward up did not become ready" >&2
    return 1
}

# curl ARGUMENT…: buf curl as the officer.
curl() {
    "$buf" curl --protocol grpc --cacert "$dir/mesh/r1/pki/root.pem" \
        --cert "$dir/mesh/officer/cert.pem" --key "$dir/mesh/officer/key.pem" "$@"
}

# expect WHAT PATTERN: what is read must match.
expect() {
    local text
    text=$(cat)
    if ! grep -q -- "$2" <<<"$text"; then
        printf 'not ok: %s\n%s\n' "$1" "$text"
        return 1
    fi
    echo "ok: $1"
}

"$keyward" up --regions=1 --dir="$dir/mesh" >"$dir/output" &
mesh=$!
exec 3<"$dir/output"
url=https://127.0.0.1:$(await_ready <&3)

curl --list-services "$url" | expect "reflection lists services" '^keyward.v1.DeviceAccessService$'
curl --list-methods "$url" | expect "reflection lists methods" '^keyward.v1.GrantService/CreateGrant$'
curl "$url/keyward.v1.StatusService/GetStatus" | expect "GetStatus" '"SERVING_STATE_SERVING"'
curl -d '{"pageSize": 5}' "$url/keyward.v1.PartnerService/ListPartners" | expect "ListPartners" '{'
(curl -d '{"name": "partners/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa"}' "$url/keyward.v1.PartnerService/GetPartner" 2>&1 || true) |
    expect "GetPartner of nobody is NOT_FOUND" 'not_found'
