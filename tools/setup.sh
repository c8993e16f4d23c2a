#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Install what is missing on Debian 12: packages, and Python into .venv.  Twice is the same as once.
# usage: setup.sh demo|test|bench    (what `make demo` needs, what the other words of the Makefile need, what `make bench` adds)
# The system's own Postfix and Dovecot are never configured, started or stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-/usr/bin/python3}
# pymilter is built here from its source; dovecot-core answers for SASL on the private submission port.
PACKAGES=(dovecot-core gcc libmilter-dev postfix python3-dev python3-venv)
EXTRAS=demo
if [[ "${1:-demo}" =~ ^(test|bench)$ ]]; then
    PACKAGES+=(chromium chromium-driver fonts-noto-cjk postgresql redis-server)
    EXTRAS=demo,test
fi
# What tradepost is measured against.
if [ "${1:-demo}" = bench ]; then PACKAGES+=(rspamd); fi

say() { echo "tradepost setup: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# --no-remove: Postfix would replace another mail server (exim4), and that is not ours to decide.
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true \
        apt-get install -y -q --no-install-recommends --no-remove "$@" >&2
}

# Package scripts ask this file whether they may start a service.  Where an administrator has his own, it stays.
POLICY=/usr/sbin/policy-rc.d
forbid_starts() {
    [ -e "$POLICY" ] && return
    trap allow_starts EXIT
    printf '#!/bin/sh\n# made by the setup of tradepost\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}
allow_starts() {
    trap - EXIT
    if grep -qs 'made by the setup of tradepost' "$POLICY"; then as_root rm -f "$POLICY"; fi
}

lists_are_fresh() {
    local lists=/var/lib/apt/lists
    [ -n "$(find $lists -maxdepth 0 -mtime -1 2>/dev/null)" ] &&
        [ -n "$(find $lists -maxdepth 1 -name '*_Packages*' -print -quit 2>/dev/null)" ]
}

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

install_packages() {
    local missing new_services=() service
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || fail "needs Debian packages: ${missing[*]}; there is no apt-get here, install them yourself"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        fail "needs Debian packages: ${missing[*]}; run as root: apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    for service in postfix dovecot postgresql redis-server rspamd; do
        case " ${missing[*]} " in *" $service"*) new_services+=("$service") ;; esac
    done
    forbid_starts
    lists_are_fresh || as_root apt-get update -q >&2
    if [[ " ${missing[*]} " == *" postfix "* ]]; then
        # Without a main.cf the system's Postfix does not start.
        echo 'postfix postfix/main_mailer_type select No configuration' | as_root debconf-set-selections
    fi
    apt_install "${missing[@]}" || { as_root apt-get update -q >&2 && apt_install "${missing[@]}"; } ||
        fail "apt-get could not install ${missing[*]} (see above; another mail server, such as exim4, is never removed)"
    allow_starts
    # Installed for private use: they must not come up at the next boot either.  Services that were there stay as they are.
    if [ -d /run/systemd/system ]; then
        for service in "${new_services[@]}"; do
            as_root systemctl disable --now "$service" >&2 || true
        done
    fi
}

install_python() {
    [ -x "$PYTHON" ] || fail "$PYTHON is missing; name another with PYTHON=/path/to/python3"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$PYTHON is $("$PYTHON" -V 2>&1), at least 3.11 is needed; name another with PYTHON=/path/to/python3"
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
    say "installing Python packages into .venv"
    PYTHONWARNINGS=ignore .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$EXTRAS]"
}

install_packages
install_python
