# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout holds: the extension called milter is not hidden, every package ships, imports point down only."""

import configparser
import re
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import milter
import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("tradepost", "milter/tradepost_milter", "classifiers", "crm_sync", "admin_web", "postfix")
OURS = [point for group in ("tradepost.commands", "tradepost.parts") for point in entry_points(group=group)]
# What was left to do, and paths of somebody's own machine: neither belongs into what is shipped.
FORBIDDEN = re.compile(r"\b(?:TODO|FIXME|XXX)\b|(?<![\w.])/(?:work|workspace|home/[a-z]+)/")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.decode().split("\0") if name]
    # An unpacked archive has no history; then everything but what was made here belongs to it.
    return [path for path in ROOT.rglob("*") if path.is_file() and not any(p.startswith(".") for p in path.parts)]


def test_milter_is_the_c_extension() -> None:
    assert not (ROOT / "milter" / "__init__.py").exists()
    assert milter.__file__.endswith(tuple(EXTENSION_SUFFIXES))


def test_milter_is_the_c_extension_in_the_checkout_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import milter, Milter; print(milter.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith(tuple(EXTENSION_SUFFIXES))


def test_setup_cfg_lists_every_package() -> None:
    on_disk = {
        ".".join(init.parent.relative_to((ROOT / room).parent).parts)
        for room in ROOMS
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert set(setup_cfg()["options"]["packages"].split()) == on_disk


def test_every_package_is_typed() -> None:
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []


@pytest.mark.parametrize("point", OURS, ids=lambda point: str(point.name))
def test_entry_point_loads(point: EntryPoint) -> None:
    assert callable(point.load())


def test_installation_offers_what_setup_cfg_says() -> None:
    written = {
        line.split("=")[0].strip()
        for group in ("tradepost.commands", "tradepost.parts")
        for line in setup_cfg()["options.entry_points"][group].strip().splitlines()
    }
    assert {point.name for point in OURS} == written


def test_imports_point_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_left_to_do_and_no_path_is_private() -> None:
    texts = {".py", ".md", ".toml", ".cfg", ".sh", ".html", ".css", ".js", ".cf", ".service", ".conf", ".txt", ""}
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked_files()
        if path.suffix in texts and path != Path(__file__) and path.exists()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


def test_every_source_names_its_licence() -> None:
    sources = [path for path in tracked_files() if path.suffix in {".py", ".sh"} and path.exists()]
    assert [
        str(path) for path in sources if "SPDX-License-Identifier: GPL-3.0-or-later" not in path.read_text()[:300]
    ] == []
