# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts whose clocks are ten minutes apart: Postfix, milter, shipper and worker of one live in another time."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from two_hosts_load import BUYER, KNOWN, SALES, Load, Sent, check, letter, owner_marks, owners, settle, somebody_known

from postfix.sandbox.processes import wait_until
from postfix.sandbox.shifted_clock import shifted_clock
from postfix.sandbox.two_hosts import Host, TwoHosts

# One way at normal size: starting two hosts is what takes the time.
SHIFTS = (600, -600) if os.environ.get("TRADEPOST_SOAK") else (600,)


@pytest.fixture(params=SHIFTS, ids=["ahead", "behind"][: len(SHIFTS)])
def two(request: pytest.FixtureRequest) -> Iterator[TwoHosts]:
    """The second host's clock is the wrong one; the servers share the first one's."""
    with TemporaryDirectory(prefix="tradepost-clock-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with TwoHosts(environments=({}, shifted_clock(request.param, Path(folder)))) as two:
            yield two


@pytest.mark.timeout(600)
def test_a_clock_ten_minutes_off_changes_neither_owners_nor_books(two: TwoHosts) -> None:
    sent: list[Sent] = []

    def is_marked() -> bool:
        probes = []
        for number, host in enumerate(two.hosts):
            with host.stack.postfix.arriving(stranger=BUYER) as session:
                word = f"probe-{number}-{len(sent)}"
                queue_id = session.send("buyer@minato-kogu.example", [SALES], letter("minato-kogu.example", word))
            probes.append(Sent(number, queue_id, "minato-kogu.example", time.monotonic()))
            host.stack.postfix.wait_for([queue_id])
        sent.extend(probes)
        return all(owner_marks(two, probes).values())

    wait_until("owners in marks of both hosts", is_marked, 60, 0.2)
    sent += Load(two, "clocks", somebody_known, pause=0.1, mails=40).join()
    # Each worker alone, too: what it records of the other host is confirmed from that host's log all the same.
    for host in two.hosts:
        host.stack.stop("sync")
        host.stack.start("log")
        sent += Load(two, f"alone-{host.instance}", somebody_known, pause=0.1, mails=10).join()
        settle(two)
        host.stack.stop("log")
        host.stack.start("sync")
    check(two, sent, differences=differences_there)
    marks, found = owner_marks(two, sent), owners(two)
    for mail in sent:
        assert marks[mail] in (KNOWN[mail.domain], None)
        assert found[two.hosts[mail.host].instance, mail.queue_id][2:] == (KNOWN[mail.domain],) * 2
    named = [sum(1 for mail in sent if mail.host == number and marks[mail]) for number in range(2)]
    assert min(named) > len(sent) / 4, named


def differences_there(host: Host) -> list[str]:
    """Return what reconcile finds by the host's own clock."""
    done = host.stack.run("reconcile", "--json", "--min-age", "0", check=False)
    assert done.returncode != 2, done.stderr
    report = json.loads(done.stdout)
    return [f"{found['kind']}: {found['queue_id']} {found['what']}" for found in report["differences"]]
