#!/bin/sh
# Makes the database and its user once, then serves it.
set -eu
: "${POSTGRES_USER:?}" "${POSTGRES_PASSWORD:?}" "${POSTGRES_DB:?}"
data=/data/postgres

if [ ! -d "$data" ]; then
    # Under another name until it is whole: a start that is broken off is begun anew.
    rm -rf "$data.new"
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb --pgdata="$data.new" --username="$POSTGRES_USER" --pwfile=/tmp/password \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$data.new/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$data.new" postgres >/dev/null
    mv "$data.new" "$data"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
