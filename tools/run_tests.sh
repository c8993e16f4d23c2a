#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run every test, or those that a path names.  usage: [REPORTS=FOLDER] run_tests.sh [ARGUMENT OF PYTEST]...
# Postfix's tests hold what happens against the clock: they have the machine to themselves.  All others share its processors.
# REPORTS: where each round leaves a JUnit file.
set -euo pipefail
cd "$(dirname "$0")/.."

NOTHING_CHOSEN=5  # pytest's word for "no test was collected"

for argument in "$@"; do
    if [ -e "${argument%%::*}" ]; then exec .venv/bin/python -m pytest "$@"; fi
done

round() {
    local name=$1 status=0
    shift
    .venv/bin/python -m pytest ${REPORTS:+"--junitxml=$REPORTS/$name.xml"} "$@" || status=$?
    return $status
}

shared=0 alone=0
round shared --numprocesses=auto --dist=worksteal "$@" tests --ignore=tests/postfix || shared=$?
# Ctrl-C, a usage or an internal error: then there is nothing more to be learned.
case $shared in 0 | 1 | "$NOTHING_CHOSEN") ;; *) exit "$shared" ;; esac
round alone "$@" tests/postfix || alone=$?
# A word may choose tests of one round only; without any word a round that finds nothing is broken.
if [ $# -gt 0 ] && [ "$alone" -eq "$NOTHING_CHOSEN" ]; then exit "$shared"; fi
if [ $# -gt 0 ] && [ "$shared" -eq "$NOTHING_CHOSEN" ]; then exit "$alone"; fi
exit $((shared > alone ? shared : alone))
