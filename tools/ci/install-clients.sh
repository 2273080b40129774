#!/bin/sh
# Brings the real clients that the tests drive, and the test runner.
#
# As root on Debian, what is absent is installed from Debian's packages; these start no service. Anyone
# else gets the names of what is missing, and the tests that need it say that they were skipped.
set -eu

# command:package
wanted="/usr/bin/docker:docker.io /usr/sbin/dockerd:docker.io iptables:iptables skopeo:skopeo
podman:podman buildah:buildah curl:curl"

missing=""
for pair in $wanted; do
    command=${pair%%:*}
    command -v "$command" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')

if [ -n "${missing% }" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing $missing"
        # A service that a package brings would be started by its script; this keeps it from that.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
            trap 'rm -f "$policy"' EXIT
        fi
        export DEBIAN_FRONTEND=noninteractive
        if ! { apt-get update -q && apt-get install -yq --no-install-recommends $missing; }; then
            echo "notice: could not install $missing: their tests will be skipped" >&2
        fi
    else
        echo "notice: missing $missing: their tests will be skipped" >&2
    fi
fi

if ! cargo nextest --version >/dev/null 2>&1; then
    cargo install cargo-nextest --locked
fi
