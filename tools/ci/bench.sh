#!/bin/sh
# Measures Holdfast beside docker-registry and nginx and writes docs/benchmarks.md; --quick for a look.
#
# As root on Debian the two peers are installed where they are absent; these packages start no service.
# Anyone else gets the names of what is missing, and the page says that it was not measured.
set -eu

missing=""
command -v docker-registry >/dev/null 2>&1 || missing="$missing docker-registry"
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing$missing"
        # A service that a package brings would be started by its script; this keeps it from that.
        policy=/usr/sbin/policy-rc.d
        ours=""
        if [ ! -e "$policy" ]; then
            ours=$policy
            trap 'rm -f "$ours"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        export DEBIAN_FRONTEND=noninteractive
        if ! { apt-get update -q && apt-get install -yq --no-install-recommends $missing; }; then
            echo "notice: could not install$missing: Holdfast is measured without them" >&2
        fi
        # The measurement replaces this shell, and the trap would not run then.
        [ -z "$ours" ] || rm -f "$ours"
    else
        echo "notice: missing$missing: install them to compare with them" >&2
    fi
fi

cargo build --release --workspace --bins
exec "${CARGO_TARGET_DIR:-target}/release/bench-peers" "$@" docs/benchmarks.md
