# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails per second of the sync worker on SQLite, with the real parser and classifier: python -m bench.worker [--mails N] [--quick].

Budget (docs/design.md, 8): 300 mails/s per core at 5 KB.  Processor time is printed beside wall time, because other
programs on the machine change only the latter.
"""

import argparse
import json
import random
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ulid import ULID

from crm_sync.commands import make_worker
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.database import open_database
from crm_sync.schema import upgrade_schema
from tradepost.arrival import Arrival
from tradepost.envelope import Envelope
from tradepost.journal import Journal, Reserve
from tradepost.settings import Settings
from tradepost.verdict import Direction, Labels, Verdict

COMPANY = {
    "company": {"name": "Own", "domains": ["own.example"]},
    "person": [{"email": f"rep{number}@own.example"} for number in range(20)],
    "pool": [
        {
            "name": "sales",
            "addresses": ["sales@own.example"],
            "members": [f"rep{number}@own.example" for number in range(20)],
        }
    ],
}
WORDS = [
    "we",
    "need",
    "price",
    "for",
    "steel",
    "hinge",
    "item",
    "quantity",
    "delivery",
    "port",
    "payment",
    "sample",
    "container",
    "order",
    "please",
    "quote",
]


def write_entries(journal: Journal, mails: int) -> None:
    """Write mails of 5 KB from a few hundred buyers, each answering his own last ones."""
    chance = random.Random(1)
    letters: dict[int, int] = {}
    for number in range(mails):
        buyer = chance.randrange(max(1, mails // 8))
        count = letters[buyer] = letters.get(buyer, -1) + 1
        references = " ".join(f"<{n}@b{buyer}.example>" for n in range(max(0, count - 4), count))
        text = "\r\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(75))
        raw = (
            f"From: buyer@b{buyer}.example\r\nTo: sales@own.example\r\nSubject: Request {number}\r\n"
            f"Date: Mon, 2 Mar 2026 08:00:00 +0000\r\nMessage-ID: <{count}@b{buyer}.example>\r\n"
            f"References: {references}\r\n\r\nDear Sirs,\r\n\r\n{text}\r\n"
        ).encode()
        verdict = Verdict(Direction.INBOUND, Labels(category="inquiry"), missing=("customer", "owner"))
        envelope = Envelope(f"Q{number}", f"buyer@b{buyer}.example", ("sales@own.example",))
        arrival = Arrival(str(ULID()), "mx", datetime.now(UTC), envelope, verdict, len(raw))
        journal.write(arrival, (raw,))


def main() -> None:
    """Print one line, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="500 mails")
    wanted = parser.parse_args()
    mails = 500 if wanted.quick else wanted.mails
    with TemporaryDirectory(dir="/var/tmp") as folder:
        settings = Settings.model_validate(
            {"paths": {"state": folder, "runtime": folder}, "maillog": {"source": "none"}, "host": {"instance": "mx"}}
        )
        journal = Journal(Path(folder) / "journal", Reserve(0, 0))
        journal.create()
        write_entries(journal, mails)
        with closing(open_database(settings.database_url, create=True)) as database:
            upgrade_schema(database)
            with database.writing() as session:
                apply_company(session, parse_company(COMPANY, "company"))
            with closing(make_worker(settings, database, threading.Event())) as worker:
                wall, processor = time.perf_counter(), time.process_time()
                worker.drain()
                wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{mails} mails: {mails / wall:.0f}/s wall, {mails / processor:.0f}/s of one core")
    print(json.dumps({"mails": mails, "per_second": mails / wall, "per_core_second": mails / processor}))


if __name__ == "__main__":
    main()
