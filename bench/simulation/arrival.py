# SPDX-License-Identifier: GPL-3.0-or-later
"""The milter's part: it decides by the directory that is projected from the records, as on a host.

Its analyst says what is true: the words are judged elsewhere (`python -m bench classifiers`).
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crm_sync.commands import make_projector
from crm_sync.database import Database
from postfix.sandbox.service_stack import render_toml
from tradepost.analysis import Extract
from tradepost.arrival import Arrival
from tradepost.directory_choice import open_directory
from tradepost.message import Message
from tradepost.settings import load_settings
from tradepost.verdict import Labels, Verdict
from tradepost_milter.decision import Decider, Seen
from tradepost_milter.engine import read_seen_mail
from tradepost_milter.policies import PolicySource


class _Knowing:
    """An analyst that was told the labels."""

    labels = Labels()

    def label(self, message: Message, now: datetime, *, sender: str | None = None) -> Labels:
        return self.labels

    def extract(self, message: Message, labels: Labels | None = None) -> Extract:
        return Extract(new_text=message.text)

    def refresh(self) -> None:
        """It never learns."""


class Milter:
    """Decides about mails; `learn` tells its directory what was recorded."""

    def __init__(self, folder: Path, database: Database) -> None:
        folder.mkdir(mode=0o700)
        config = folder / "tradepost.toml"
        paths = {"state": str(folder), "runtime": str(folder)}
        # The simulation's clock is not the machine's.
        config.write_text(
            render_toml({"paths": paths, "directory": {"stale_after_seconds": 86400, "deadline_ms": 1000}})
        )
        self._settings = load_settings(config)
        self._projector = make_projector(self._settings, database)
        self._projector.rebuild()
        self._directory = open_directory(self._settings)
        policies = PolicySource(self._directory)
        policies.refresh()
        self._analyst = _Knowing()
        self._now = datetime.min.replace(tzinfo=UTC)
        self._decider = Decider(
            self._analyst, self._directory, policies, self._settings, b"k" * 64, read_seen_mail, lambda: self._now
        )

    def decide(self, arrival: Arrival, raw: bytes) -> Verdict:
        """Return the verdict about a mail whose labels are known."""
        self._analyst.labels, self._now = arrival.verdict.labels, arrival.arrived_at
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.replace(b"\r\n ", b"\n ").split(b"\r\n")
        fields = tuple((name, value) for name, _, value in (line.partition(b":") for line in lines))
        return self._decider.decide(Seen(arrival.entry_id, arrival.envelope, fields, body, False, len(raw)))

    def learn(self) -> None:
        """Read on in what the records changed."""
        self._projector.step()

    def close(self) -> None:
        """Release the directory."""
        self._projector.close()
        self._directory.close()


@contextmanager
def open_milter(folder: Path, database: Database) -> Iterator[Milter]:
    """Open a host's milter over these records."""
    with closing(Milter(folder, database)) as milter:
        yield milter
