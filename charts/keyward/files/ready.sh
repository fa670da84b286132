#!/bin/bash
# Asks /readyz of each HOST:PORT, and says which are not ready and why. Exit 1 when one is not.
#
#   ready.sh HOST:PORT…
set -uo pipefail

# The answer of one, headers too; empty when nobody answers.
ask() { # HOST PORT
    # shellcheck disable=SC2016 # the inner shell expands
    timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n" "$1" >&3 && cat <&3' \
        ask "$1" "$2" 2>/dev/null
}

failed=0
for target in "$@"; do
    answer=$(ask "${target%:*}" "${target##*:}")
    status=${answer%%$'\r'*}
    if [[ "$status" == HTTP/1.?" 200"* ]]; then
        echo "ready      $target"
    else
        echo "NOT READY  $target: ${status:-no answer} ${answer##*$'\n'}"
        failed=1
    fi
done
exit "$failed"
