#!/usr/bin/env bash
# Run a command beside a private PostgreSQL that lives only as long as it does.
#
#   with_postgres.sh COMMAND [ARGUMENT...]
#
# The server keeps its data in a temporary directory, listens on a free loopback
# port and on a socket in that directory, and runs with PostgreSQL's defaults:
# fsync and synchronous_commit are on. The command finds it through
#   PEER_PG_URL   postgresql://... (no database name at the end)
#   PEER_PG_PID   process id of the server, for memory figures
# PostgreSQL refuses to run as root, so root hands it to another user
# (PEER_PG_USER, default "postgres").
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }

if command -v postgres >/dev/null; then
    bin=$(dirname "$(readlink -f "$(command -v postgres)")")
else
    bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)")
fi

as_user=()
if [ "$(id -u)" -eq 0 ]; then
    user=${PEER_PG_USER:-postgres}
    as_user=(--reuid "$user" --regid "$(id -gn "$user")" --init-groups)
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/peer-pg.XXXXXX")
server=
finish() {
    # SIGINT asks for a fast shutdown: sessions are dropped, data is flushed.
    if [ -n "$server" ]; then kill -INT "$server" 2>/dev/null; wait "$server"; fi
    rm -rf "$dir"
}
trap 'finish || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A password, so that other local users cannot use the open loopback port.
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" > "$dir/password"
if [ ${#as_user[@]} -gt 0 ]; then chown -R "$user" "$dir"; fi
cd "$dir"

# setpriv --pdeathsig: if this script is killed outright, its children still go.
setpriv "${as_user[@]}" -- "$bin/initdb" --pgdata "$dir/data" --username bench \
    --auth scram-sha-256 --pwfile "$dir/password" --no-sync --encoding UTF8 \
    --locale C > "$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
setpriv "${as_user[@]}" --pdeathsig INT -- "$bin/postgres" -D "$dir/data" -k "$dir" \
    -p "$port" -c listen_addresses=127.0.0.1 > "$dir/server.log" 2>&1 &
server=$!

deadline=$((SECONDS + 60))
until "$bin/pg_isready" --quiet --host "$dir" --port "$port"; do
    if ! kill -0 "$server" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
        cat "$dir/server.log" >&2
        echo "$0: PostgreSQL did not become ready" >&2
        exit 1
    fi
    sleep 0.05
done

export PEER_PG_URL="postgresql://bench:$password@127.0.0.1:$port"
export PEER_PG_PID=$server
cd "$OLDPWD"
# In the background and waited for, so that a signal reaches us at once and the
# command is told too instead of running on without its database.
setpriv --pdeathsig TERM -- "$@" &
command_pid=$!
trap 'kill "$command_pid" 2>/dev/null; exit 130' INT
trap 'kill "$command_pid" 2>/dev/null; exit 143' TERM HUP
wait "$command_pid"
