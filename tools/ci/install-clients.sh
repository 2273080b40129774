#!/bin/sh
# Brings the real clients that the tests drive, and the test runner.
#
# As root on Debian, what is absent is installed from Debian's packages; these start no service. Anyone
# else gets the names of what is missing, and the tests that need it say that they were skipped.
#
# Clients that this Debian does not have are put beside the system, into `clients` of the target
# folder: oras and cosign from Debian 13, the oras library and schemathesis for Python each into an
# environment of its own, oidc-provider for node by npm where both are there. Where they can't be had,
# a notice says so and their tests are skipped.
set -eu

# command:package
wanted="/usr/bin/docker:docker.io /usr/sbin/dockerd:docker.io iptables:iptables skopeo:skopeo
podman:podman buildah:buildah umoci:umoci ctr:containerd curl:curl jq:jq
docker-registry:docker-registry /usr/sbin/slapd:slapd ldapadd:ldap-utils"

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

cd "$(dirname "$0")/../.."
clients=${CARGO_TARGET_DIR:-target}/clients
mkdir -p "$clients/bin"
clients=$(cd "$clients" && pwd)

# Fetches packages of Debian 13 with lists and caches of its own and unpacks them; nothing of
# the system changes. The mirror is the one that the system uses for its own packages.
unpack_from_debian_13() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
    mirror=$(apt-get indextargets --format '$(SITE)|$(CODENAME)' 2>/dev/null |
        sed -n 's/|\(bookworm\|trixie\)$//p' | head -1)
    [ -n "$mirror" ] || return 1
    apt=$clients/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/unpacked"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
        >"$apt/sources.list"
    set -- -q -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" \
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::status=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root
    (
        cd "$apt" && apt-get "$@" update && apt-get "$@" download oras cosign &&
            for package in ./*.deb; do dpkg -x "$package" unpacked || exit 1; done
    ) || return 1
    for name in oras cosign; do
        cp "$apt/unpacked/usr/bin/$name" "$clients/bin/$name" || return 1
    done
    rm -rf "$apt"
}

if [ ! -x "$clients/bin/oras" ] || [ ! -x "$clients/bin/cosign" ]; then
    if ! unpack_from_debian_13 >"$clients/debian.log" 2>&1; then
        echo "notice: could not fetch oras and cosign ($clients/debian.log): their tests will be skipped" >&2
    fi
fi

# Puts a library for Python into an environment of its own: NAME PACKAGE PROGRAM. Calls it by a
# wrapper rather than a link, since Python finds its environment by the path it was called by.
install_for_python() {
    [ ! -x "$clients/bin/$1" ] || return 0
    log=$clients/$1.log
    if {
        python3 -m venv --clear "$clients/$1" || /usr/bin/python3 -m venv --clear "$clients/$1"
    } >"$log" 2>&1 && "$clients/$1/bin/pip" install -q "$2" >>"$log" 2>&1; then
        printf '#!/bin/sh\nexec "%s/%s/bin/%s" "$@"\n' "$clients" "$1" "$3" >"$clients/bin/$1"
        chmod 755 "$clients/bin/$1"
    else
        echo "notice: could not install $2 for Python ($log): its tests will be skipped" >&2
    fi
}
install_for_python oras-python oras==0.2.43 python
install_for_python schemathesis schemathesis==4.32.5 schemathesis

# A provider of OpenID for node, called by a wrapper that says where it lies.
if [ ! -x "$clients/bin/oidc-provider" ]; then
    folder=$clients/oidc-provider
    log=$clients/oidc-provider.log
    mkdir -p "$folder"
    if npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund \
        --ignore-scripts oidc-provider@9.13.3 >"$log" 2>&1; then
        printf '#!/bin/sh\nOIDC_PROVIDER_FOLDER="%s" exec node "$@"\n' "$folder" \
            >"$clients/bin/oidc-provider"
        chmod 755 "$clients/bin/oidc-provider"
    else
        echo "notice: could not install oidc-provider for node ($log): its tests will be skipped" >&2
    fi
fi

if ! cargo nextest --version >/dev/null 2>&1; then
    cargo install cargo-nextest --locked
fi
