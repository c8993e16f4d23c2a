# SPDX-License-Identifier: GPL-3.0-or-later
"""Wiring: what is loaded once before the fork, and what each child opens for itself after it."""

import gc
import logging
import os
import secrets
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

from tradepost.analysis import Analyst, load_analyst
from tradepost.directory_choice import load_directory, open_directory
from tradepost.errors import Refusal
from tradepost.heap import keep_heap_flat
from tradepost.journal import Journal, Reserve, SeenList, prune_seen
from tradepost.message import Message
from tradepost.mime_reading import parse_fields
from tradepost.settings import Settings
from tradepost_milter.child import serve
from tradepost_milter.decision import Decider, Seen
from tradepost_milter.heartbeat import Heartbeats, Pulse
from tradepost_milter.policies import PolicySource
from tradepost_milter.session import Engine, Session
from tradepost_milter.supervisor import Serve
from tradepost_milter.thinking import Thinkers

log = logging.getLogger("tradepost.milter")

_LEARNED_SECONDS = 2.0  # between two looks for another model


def open_journal(settings: Settings) -> Journal:
    """Return the journal the settings name."""
    return Journal(settings.journal_dir, Reserve(settings.journal.reserve_bytes, settings.journal.reserve_percent))


def read_or_make_key(path: Path) -> bytes:
    """Return the installation's secret, made at first use (0600).  Raises Refusal."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32) + "\n")
        key = path.read_bytes().strip()
    except OSError as error:
        raise Refusal(f"{path}: the key can't be read or made: {error.strerror}") from error
    if len(key) < 32:
        raise Refusal(f"{path}: is too short for a key; delete it and a new one is made")
    return key


def prepare(settings: Settings) -> Serve:
    """Load what children share (the model above all) and return how a child serves.  Starts no thread."""
    keep_heap_flat()
    analyst = load_analyst(settings.model_dir)
    load_directory(settings)
    key = read_or_make_key(settings.key_file)
    journal = open_journal(settings)
    journal.create()
    journal.sweep()
    prune_seen(journal.seen, settings.journal.seen_days)
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector of a child does not write to them

    def serve_child(shared: socket.socket, control: int, heartbeats: Heartbeats, slot: int) -> None:
        engine = build_engine(settings, analyst, key, journal, Pulse(heartbeats, slot))
        serve(shared, control, lambda: Session(engine), engine.pulse, settings.milter.drain_grace_seconds)

    return serve_child


def build_engine(settings: Settings, analyst: Analyst, key: bytes, journal: Journal, pulse: Pulse) -> Engine:
    """Open what one child needs: directory, policy follower, thinking threads.  After the fork only."""
    directory = open_directory(settings)
    policies = PolicySource(directory)
    policies.refresh()
    threading.Thread(target=policies.follow, args=(threading.Event(),), daemon=True, name="policy").start()
    threading.Thread(target=_follow_learning, args=(analyst, threading.Event()), daemon=True, name="model").start()
    decider = Decider(analyst, directory, policies, settings, key, read_seen_mail, lambda: datetime.now(UTC))
    return Engine(
        settings=settings,
        decider=decider,
        policies=policies,
        journal=journal,
        seen=SeenList(journal.seen, settings.host.instance),
        pulse=pulse,
        thinkers=Thinkers(),
    )


def _follow_learning(analyst: Analyst, stop: threading.Event) -> None:
    """Take up what the site learned, while mail goes on; until told to stop."""
    while not stop.wait(_LEARNED_SECONDS):
        analyst.refresh()


def read_seen_mail(seen: Seen) -> Message:
    """Parse what the milter holds of a mail."""
    return parse_fields(seen.fields, seen.body, truncated=seen.is_cut)
