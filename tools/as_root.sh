#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command as root: as it is, or with sudo.  A private Postfix needs root, because its daemons change their user.
set -euo pipefail

if [ "$(id -u)" -eq 0 ]; then
    exec "$@"
elif command -v sudo >/dev/null; then
    exec sudo --preserve-env=TRADEPOST_SOAK,TERM,LANG,COLUMNS "$@"
fi
echo "tradepost: this needs root (a private Postfix changes its users), and there is no sudo here; run it as root" >&2
exit 1
