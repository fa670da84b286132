#!/bin/bash
# Makes ready what a service must own alone: Kubernetes opens the files of a Secret to the pod's group, and services refuse
# keys that others may read.
#
#   settle.sh SERVICE
#
#   /seed/private/*        copied to /run/keyward/private, mode 0600
#   /seed/token/token.tar  unpacked to /run/keyward/tokens
#   /seed/credentials      the service's first certificate: becomes /var/lib/keyward/credentials/SERVICE, a link to a
#                          directory, once. From then on the service renews it, and what is there stays; another first
#                          certificate in the Secret replaces it, other CAs are taken over. Of each, the last one taken is
#                          remembered beside it.
#
# With ROOT all of this is below that directory.
set -euo pipefail
shopt -s nullglob
umask 077
root=${ROOT:-}
service=$1
seed=$root/seed
run=$root/run/keyward
state=$root/var/lib/keyward

private_copy() {
    [ -d "$seed/private" ] || return 0
    mkdir -p "$run/private"
    local file
    for file in "$seed/private"/*; do
        install -m 0600 "$file" "$run/private/${file##*/}"
    done
}

token_unpack() {
    [ -f "$seed/token/token.tar" ] || return 0
    rm -rf "$run/tokens"
    mkdir -p "$run/tokens"
    tar -x --no-same-owner -f "$seed/token/token.tar" -C "$run/tokens"
}

# A new generation, complete before the link names it. Neither ends like those of the service, ".a" and ".b", so that
# another instance that renews at this moment is not written into.
generation_put() { # KEY CERT CA
    local next=$link.1
    [ "$(readlink "$link" || true)" != "$service.1" ] || next=$link.2
    rm -rf "$next"
    mkdir "$next"
    install -m 0600 "$1" "$next/key.pem"
    install -m 0644 "$2" "$next/cert.pem"
    install -m 0644 "$3" "$next/ca.pem"
    sync "$next"/*.pem "$next"
    ln -sfn "${next##*/}" "$link.settling"
    mv -T "$link.settling" "$link"
}

remembers() { # NAME: is the seed's the one taken last?
    cmp -s "$seed/credentials/$1" "$link.seed/$1"
}

remember() {
    mkdir -p "$link.seed"
    install -m 0600 "$seed"/credentials/{cert,ca}.pem "$link.seed"
}

# One at a time: several instances may share the volume.
credentials_settle() {
    mkdir -p "$state/credentials"
    exec 9>"$link.settling.lock"
    flock 9
    if [ ! -L "$link" ] || ! remembers cert.pem; then
        generation_put "$seed"/credentials/{key,cert,ca}.pem
    elif ! remembers ca.pem; then
        generation_put "$link"/{key,cert}.pem "$seed/credentials/ca.pem"
    fi
    remember
}

# A volume that was opened to a group meanwhile, by a restore or a driver, is closed again.
keys_close() {
    find "$state" -name '*.pem' -type f -exec chmod go-rwx {} +
}

link=$state/credentials/$service
private_copy
token_unpack
credentials_settle
keys_close
