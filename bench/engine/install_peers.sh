#!/usr/bin/env bash
# Install the two peer engines that the benchmarks compare against.
#
#   install_peers.sh CACHE_DIR
#
# Afterwards CACHE_DIR holds
#   restate/node_modules   Restate server and its JavaScript SDK (npm)
#   dbos/bin/python        a virtual environment with DBOS (PyPI)
# and the machine has a PostgreSQL server binary, from Debian if it had none.
#
# Every version is pinned. A second run with the same pins does nothing and
# needs no network. Change a pin and the affected half is rebuilt.
set -euo pipefail

RESTATE_VERSION=1.7.12
RESTATE_SDK_VERSION=1.17.2
SCARF_VERSION=1.4.0        # pulled in by the server package; its script never runs
POSTGRES_PACKAGE=postgresql-15

DBOS_PINS='click==8.5.1
croniter==7.0.0
dbos==3.4.0
greenlet==3.5.6
psycopg==3.3.9
psycopg-binary==3.3.9
python-dateutil==4.0.0
PyYAML==6.0.3
SQLAlchemy==2.1.9
typing_extensions==4.16.0
tzdata==2026.6'

[ $# -eq 1 ] || { echo "usage: $0 CACHE_DIR" >&2; exit 2; }
mkdir -p "$1"
cache=$(cd "$1" && pwd)

# A half is up to date when its stamp holds exactly the pins we want. The stamp
# is written last, so an interrupted install is started again from nothing.
up_to_date() { [ -f "$1/.pins" ] && [ "$(cat "$1/.pins")" = "$2" ]; }

install_restate() {
    local dir=$cache/restate package_json
    # "overrides" pins the one dependency that the packages leave floating.
    package_json=$(cat <<JSON
{
  "private": true,
  "dependencies": {
    "@restatedev/restate-server": "$RESTATE_VERSION",
    "@restatedev/restate-sdk": "$RESTATE_SDK_VERSION"
  },
  "overrides": { "@scarf/scarf": "$SCARF_VERSION" }
}
JSON
)
    if up_to_date "$dir" "$package_json"; then return; fi
    rm -rf "$dir" && mkdir -p "$dir"
    printf '%s\n' "$package_json" > "$dir/package.json"
    # --ignore-scripts: an install-time script here would only report usage.
    # The server binary itself is shipped inside a package and needs no script.
    SCARF_ANALYTICS=false npm install --prefix "$dir" --silent --ignore-scripts \
        --no-audit --no-fund --no-update-notifier
    printf '%s\n' "$package_json" > "$dir/.pins"
}

install_dbos() {
    local dir=$cache/dbos
    if up_to_date "$dir" "$DBOS_PINS"; then return; fi
    rm -rf "$dir"
    python3 -m venv "$dir"
    # --no-deps: the list above is complete, so nothing unpinned can slip in.
    printf '%s\n' "$DBOS_PINS" | "$dir/bin/pip" install --quiet --no-deps \
        --only-binary :all: --disable-pip-version-check --requirement /dev/stdin
    "$dir/bin/pip" check >&2
    printf '%s\n' "$DBOS_PINS" > "$dir/.pins"
}

have_postgres() {
    command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

install_postgres() {
    if have_postgres; then return; fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -qq -y --no-install-recommends postgresql-common >&2
    # Debian starts a system-wide server on installation. We want the binary only.
    sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
        /etc/postgresql-common/createcluster.conf
    apt-get install -qq -y --no-install-recommends "$POSTGRES_PACKAGE" >&2
    have_postgres
}

for tool in node npm python3; do
    command -v "$tool" >/dev/null || { echo "$0: $tool is missing" >&2; exit 1; }
done
install_restate
install_dbos
install_postgres
echo "peers ready in $cache: Restate $RESTATE_VERSION, DBOS $(sed -n 's/^dbos==//p' <<<"$DBOS_PINS")" >&2
