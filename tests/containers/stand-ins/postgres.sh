#!/bin/bash
# As the official image does, as far as compose.yaml relies on it: an empty PGDATA is made, by a server that only its own socket
# reaches, with the superuser's password from a file and with what lies in /docker-entrypoint-initdb.d; then postgres runs.
set -Eeo pipefail

# NAME from NAME_FILE, or from itself; not both.
from_file() {
    local name=$1 file="$1_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $name and $file are set (but are exclusive)" >&2
        exit 1
    fi
    [ -z "${!file:-}" ] || printf -v "$name" %s "$(<"${!file}")"
    unset "$file"
}

# A user that no passwd file knows gets a name, which initdb wants.
user_name() {
    getent passwd "$(id -u)" >/dev/null && return
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    LD_PRELOAD=$(echo /usr/lib/*/libnss_wrapper.so)
    export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$NSS_WRAPPER_PASSWD"
    echo "postgres:x:$(id -g):" >"$NSS_WRAPPER_GROUP"
}

user_name_done() {
    [ -z "${NSS_WRAPPER_PASSWD:-}" ] && return
    rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
}

run_scripts() {
    local script
    for script; do
        case "$script" in
        *.sh) bash "$script" ;;
        *.sql) psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -f "$script" ;;
        *) echo "ignored: $script" >&2 ;;
        esac
    done
}

make_cluster() {
    user_name
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"${POSTGRES_INITDB_ARGS:-}"
    user_name_done
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
    export PGPASSWORD="$POSTGRES_PASSWORD"
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c "listen_addresses=" -p 5432)" -w start
    [ "$POSTGRES_DB" = postgres ] ||
        psql --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    run_scripts /docker-entrypoint-initdb.d/*
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
}

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac
[ "${1:-}" = postgres ] || exec "$@"

mkdir -p "$PGDATA" /var/run/postgresql
chmod 0700 "$PGDATA" || :
if [ "$(id -u)" = 0 ]; then
    chown -R postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER
    from_file POSTGRES_DB
    : "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=${POSTGRES_USER:-postgres}}"
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "error: no superuser password: set POSTGRES_PASSWORD_FILE" >&2
        exit 1
    fi
    export POSTGRES_USER POSTGRES_DB
    shopt -s nullglob
    make_cluster "$@"
fi
exec "$@"
