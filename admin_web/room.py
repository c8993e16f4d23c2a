# SPDX-License-Identifier: GPL-3.0-or-later
"""What every view needs, wired once by the app factory and reached through the current app."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app, g

from admin_web.attempts import Attempts
from crm_sync.database import Database
from crm_sync.rights import Viewer
from tradepost.health import Readings
from tradepost.settings import Settings
from tradepost.translation import Translator

_KEY = "tradepost"


@dataclass(frozen=True, slots=True)
class Room:
    """The parts behind the pages.

    `revision` is the schema these pages were written for, `clock` gives the aware UTC time, `read` looks at journal,
    directory and processes.  `translator` is None where the administrator names none.
    """

    settings: Settings
    database: Database
    revision: str
    clock: Callable[[], datetime]
    read: Callable[[], Readings]
    attempts: Attempts
    translator: Translator | None = None


def install_room(extensions: dict[str, object], room: Room) -> None:
    """Keep the parts in an app's `extensions`."""
    extensions[_KEY] = room


def room() -> Room:
    """Return the parts of the app that is answering."""
    return cast(Room, current_app.extensions[_KEY])


def viewer() -> Viewer:
    """Return who is asking.  Only behind the gate of admin_web.access, which lets nobody through unknown."""
    return cast(Viewer, g.viewer)
