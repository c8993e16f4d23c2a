# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails a second through a private Postfix without and with the milter, in interleaved pairs; time in EOM by mail size.

usage: python -m bench.throughput [--pairs 7] [--mails 1000] [--quick]      (as root: it runs a Postfix)
The worker is off: what is measured is arrival.  smtp-source sends 8 sessions at a time, smtp-sink takes what Postfix
delivers, so that no mailbox disk is in the way.
"""

import argparse
import json
import re
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, read_company
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.processes import Program, find_program, free_port, wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack

SALES = "sales@brightway.example"
SESSIONS = 8
_MS = re.compile(r": entry=.* ms=([\d.]+)$")
_PARAGRAPH = (
    "Dear sales team, we are looking for cordless drills 18 V with two batteries, 500 pcs, delivery CIF Hamburg before "
    "the end of January. Please quote your best price and tell us about certificates and packing.\r\n\r\n"
)
_STYLE = (
    "p.MsoNormal, li.MsoNormal, div.MsoNormal { margin: 0cm; font-size: 11.0pt; font-family: Calibri, sans-serif; }\r\n"
)
_BASE64 = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of N runs."""

    n: int
    median: float
    least: float
    greatest: float


def spread(values: list[float]) -> Spread:
    return Spread(len(values), statistics.median(values), min(values), max(values))


def mail_of(octets: int, number: int = 0, *, is_plain: bool = False) -> bytes:
    """Return a mail of about that size, as mail programs write it: 1.5 kB of words as text and again as HTML with its
    styles, and beyond 20 kB an attachment that makes up the rest.  `is_plain`: nothing but words."""
    head = (
        f"From: Ann Smith <ann{number}@buyer.example>\r\nTo: {SALES}\r\nSubject: Inquiry {number} for cordless drills\r\n"
        f"Message-ID: <bench.{octets}.{number}.{time.time_ns()}@buyer.example>\r\n"
        "Date: Mon, 16 Nov 2026 09:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    )
    if is_plain:
        text = _PARAGRAPH * max(1, octets // len(_PARAGRAPH))
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    text = _PARAGRAPH * (1_500 // len(_PARAGRAPH))
    styled = text.replace("Dear", '<p class="MsoNormal" style="margin:0 0 8pt 0"><span lang="EN-US">Dear')
    padding = max(0, min(octets, 20_000) - 2 * len(text) - 600) // len(_STYLE)
    letter = (
        f"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f"<html><head><style>\r\n{_STYLE * padding}</style></head><body>{styled}</body></html>\r\n--a--\r\n"
    )
    if octets <= 20_000:
        return f"{head}Content-Type: multipart/alternative; boundary=a\r\n\r\n{letter}".encode()
    rest = _BASE64 * ((octets - 20_000) // len(_BASE64) + 1)
    return (
        f"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        f"Content-Type: multipart/alternative; boundary=a\r\n\r\n{letter}"
        '--b\r\nContent-Type: application/pdf; name="PO.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="PO.pdf"\r\n\r\n{rest[: octets - 20_000]}\r\n--b--\r\n'
    ).encode()


def send_many(port: int, mail: Path, mails: int) -> float:
    """Send one mail many times; return mails a second as the sender saw it."""
    source = find_program("smtp-source", "postfix")
    began = time.monotonic()
    subprocess.run(
        [source, "-s", str(SESSIONS), "-m", str(mails), "-f", "ann@buyer.example", "-t", SALES, "-F", str(mail),
         f"127.0.0.1:{port}"],
        check=True,
    )  # fmt: skip
    return mails / (time.monotonic() - began)


def wait_for_empty_queue(postfix: PrivatePostfix) -> None:
    """Return when nothing is in the queue: the next run must not compete with the deliveries of the last."""
    wait_until("an empty queue", lambda: not postfix.queue().strip(), 300, 0.2)


def measure_throughput(stack: ServiceStack, pairs: int, mails: int) -> dict[str, object]:
    """Measure in interleaved pairs, so that a noisy machine is noisy for both."""
    mail = stack.folder / "bench.eml"
    mail.write_bytes(mail_of(5_000))
    with_milter: list[float] = []
    without: list[float] = []
    for _ in track(range(pairs), "pairs", console=Console(stderr=True)):
        for milters, results in ((["tradepost"], with_milter), ([], without)):
            stack.postfix.configure(milters=milters)
            send_many(stack.postfix.site.smtp_port, mail, 50)  # Postfix starts its processes
            wait_for_empty_queue(stack.postfix)
            results.append(send_many(stack.postfix.site.smtp_port, mail, mails))
            wait_for_empty_queue(stack.postfix)
    ratios = [one / other for one, other in zip(with_milter, without, strict=True)]
    return {
        "mails": mails,
        "sessions": SESSIONS,
        "without": asdict(spread(without)),
        "with": asdict(spread(with_milter)),
        "ratio": asdict(spread(ratios)),
    }


def measure_eom(stack: ServiceStack, octets: int, mails: int, *, is_plain: bool = False) -> dict[str, float]:
    """Send mails of one size one after the other; return milliseconds in EOM as the milter logged them."""
    log = stack.part("milter").log
    stack.postfix.configure(milters=["tradepost"])
    with stack.postfix.arriving(stranger=Stranger("203.0.113.9", "mail.buyer.example")) as session:
        for number in range(5):  # the first mails of a child fill its caches
            session.send("ann@buyer.example", [SALES], mail_of(octets, number, is_plain=is_plain))
        before = log.stat().st_size
        for number in range(mails):
            session.send("ann@buyer.example", [SALES], mail_of(octets, number, is_plain=is_plain))
    with log.open() as file:
        file.seek(before)
        found = sorted(float(hit[1]) for line in file if (hit := _MS.search(line)))
    wait_for_empty_queue(stack.postfix)
    return {
        "octets": octets,
        "is_plain": is_plain,
        "n": len(found),
        "p50": found[len(found) // 2],
        "p99": found[min(len(found) - 1, len(found) * 99 // 100)],
        "max": found[-1],
    }


def main() -> None:
    """Run, print tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="3 pairs of 300 mails, fewer mails for EOM")
    wanted = parser.parse_args()
    pairs, mails, divisor = (3, 300, 5) if wanted.quick else (wanted.pairs, wanted.mails, 1)
    sink_port = free_port()
    company = read_company()
    parameters = {"virtual_transport": f"smtp:[127.0.0.1]:{sink_port}", "smtp_tls_security_level": "none"}
    with PrivatePostfix(company.mailboxes, hostname="mx.brightway.example", parameters=parameters) as postfix:
        command = [find_program("smtp-sink", "postfix"), "-u", "nobody", f"127.0.0.1:{sink_port}", "1000"]
        sink = Program("smtp-sink", command, postfix.folder / "sink.log", folder=postfix.folder)
        sink.start()
        try:
            with ServiceStack(postfix, company=COMPANY_FILE, rules=RULES_FILE, parts=("sync", "milter")) as stack:
                stack.stop("sync")
                eom = [
                    measure_eom(stack, octets, max(3, count // divisor))
                    for octets, count in ((5_000, 500), (20_000, 500), (50_000, 500), (1_000_000, 50), (10_000_000, 10))
                ]
                eom.append(measure_eom(stack, 20_000, 500 // divisor, is_plain=True))
                throughput = measure_throughput(stack, pairs, mails)
        finally:
            sink.stop()
    show(eom, throughput)
    print(json.dumps({"throughput": throughput, "eom_ms": eom}))


def show(eom: list[dict[str, float]], throughput: dict[str, object]) -> None:
    """Print what was measured as tables."""
    console = Console()
    table = Table("mails/s", "n", "median", "least", "greatest", title=f"{SESSIONS} sessions, worker off")
    for name in ("without", "with", "ratio"):
        row = throughput[name]
        assert isinstance(row, dict)
        table.add_row(name, *(f"{row[key]:.2f}" for key in ("n", "median", "least", "greatest")))
    console.print(table)
    table = Table("octets", "n", "p50 ms", "p99 ms", "max ms", title="time in EOM, one session")
    for line in eom:
        size = f"{line['octets']:,.0f}{' of words' if line['is_plain'] else ''}"
        table.add_row(size, *(f"{line[key]:,.1f}".removesuffix(".0") for key in ("n", "p50", "p99", "max")))
    console.print(table)


if __name__ == "__main__":
    main()
