# What the `try` scripts share. Each sets `program`, the example's own one, and comes with
# the folder to work in, or without: then it is a new one, removed in the end.
BACKOUT=$(command -v "${BACKOUT:-backout}") || { echo "backout is not in PATH, and BACKOUT does not name it"; exit 1; }
BACKOUT=$(cd "$(dirname "$BACKOUT")" && pwd)/$(basename "$BACKOUT")
if [ -n "${1:-}" ]; then
    mkdir -p "$1"
    work=$(cd "$1" && pwd)
else
    work=$(mktemp -d)
    temporary=$work
fi
deploying=
temporary=${temporary:-}

clean_up() {
    [ -z "$deploying" ] || kill "$deploying" 2> /dev/null || true
    for folder in "$work"/*; do
        [ ! -x "$folder/$program" ] || "$folder/$program" down || true
    done
    [ -z "$temporary" ] || rm -rf "$temporary"
}
trap 'code=$?; trap - EXIT; clean_up; exit $code' EXIT
trap 'exit 1' INT TERM HUP

wrong() { echo "WRONG: $*"; exit 1; }
say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

# A command ends with the exit code that is expected.
expect() {
    wanted=$1
    shift
    printf '$ %s\n' "$*"
    code=0
    "$@" || code=$?
    [ "$code" = "$wanted" ] || wrong "exit code $code, not $wanted"
}

# Something is so.
check() {
    what=$1
    shift
    "$@" > /dev/null || wrong "$what"
    echo "ok: $what"
}

# Something becomes so, within so many seconds.
within() {
    tenths=$(($1 * 10))
    what=$2
    shift 2
    until "$@"; do
        tenths=$((tenths - 1))
        [ "$tenths" -gt 0 ] || wrong "it never came to this: $what"
        sleep 0.1
    done
    echo "ok: $what"
}

# The program itself. No story takes that long, unless a person is waited for.
backout() { timeout 100 "$BACKOUT" "$@"; }

# Deploys, and goes on meanwhile.
deploy_meanwhile() {
    printf '$ backout deploy %s &\n' "$*"
    timeout 100 "$BACKOUT" deploy "$@" &
    deploying=$!
}

# Somebody is asked: `decide`, `approve`, `not_recovered`, …
asks() {
    backout status --json > asked 2> /dev/null && grep -q "\"kind\": \"$1\"" asked
}
