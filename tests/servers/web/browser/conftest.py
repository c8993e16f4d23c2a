# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser, and the room served by a real gunicorn."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_chromium import Chromium

from crm_sync.database import Database
from tradepost.settings import Settings


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    """A browser that has never been anywhere."""
    browser = Chromium(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture
def served(settings: Settings, database: Database, tmp_path: Path) -> Iterator[str]:
    """The address of `tradepost web`, served by its own process on a free port."""
    config = tmp_path / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{settings.paths.state}"\nruntime = "{settings.paths.runtime}"\n[web]\nport = 0\n'
    )
    command = [str(Path(sys.executable).with_name("tradepost")), "--config", str(config), "web"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    yield address.rstrip("/")
    process.terminate()
    process.wait(20)
    process.stdout.close()
