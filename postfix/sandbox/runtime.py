# SPDX-License-Identifier: GPL-3.0-or-later
"""How an unprivileged user runs this very program, also out of a checkout that he may not enter (/root, 0700)."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from postfix.sandbox.processes import Identity, SandboxError

_ENTRY = "import sys; sys.argv[0] = 'tradepost'; from tradepost.cli import main; main()"
_PACKAGES = ("tradepost", "tradepost_milter", "classifiers", "crm_sync", "admin_web", "postfix")


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter and where it looks for modules ("" : where it always looks)."""

    python: str
    module_path: str

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `tradepost ARGUMENTS`."""
        # -P: the working folder is no place for modules.
        return [self.python, "-P", "-c", _ENTRY, *arguments]

    def script(self, path: Path, *arguments: str) -> list[str]:
        """Return the command line of a Python file that runs with the same modules."""
        return [self.python, "-P", str(path), *arguments]

    def environment(self) -> dict[str, str]:
        """Return what must stand in the environment of either."""
        return {"PYTHONPATH": self.module_path} if self.module_path else {}


def find_runtime(identity: Identity, folder: Path) -> Runtime:
    """Return how that user can run `tradepost`: as it is installed, else from a linked copy made in `folder`.

    Raises SandboxError when not even the interpreter is his to run.
    """
    here = Runtime(sys.executable, "")
    if _can_run(here, identity):
        return here
    python = os.path.realpath(sys.executable)
    library, sources = folder / "runtime" / "library", folder / "runtime" / "sources"
    library.mkdir(parents=True, mode=0o755)
    sources.mkdir(mode=0o755)
    installed = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    for source in installed:
        _link_tree(source, library)
    for name in _PACKAGES:
        place = _package_folder(name)
        if not any(place.is_relative_to(source) for source in installed):
            _link_tree(place, sources / name)
    copy = Runtime(python, f"{sources}{os.pathsep}{library}")
    if not _can_run(copy, identity):
        raise SandboxError(
            f"{python} can't be run by an unprivileged user, so neither can the milter; "
            "make .venv anew with Debian's own: rm -r .venv; make demo PYTHON=/usr/bin/python3"
        )
    return copy


def _can_run(runtime: Runtime, identity: Identity) -> bool:
    command = [runtime.python, "-P", "-c", "import tradepost.cli, postfix.sandbox"]
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env={"PATH": os.defpath, **runtime.environment()},
            user=identity.uid,
            group=identity.gid,
            extra_groups=identity.groups,
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxError(f"the package {name} is missing from this installation; run `make demo` again")
    return Path(next(iter(spec.submodule_search_locations)))


def _link_tree(source: Path, target: Path) -> None:
    """Mirror a folder by hard links; what others may not read, or lies on another file system, is copied."""
    target.mkdir(mode=0o755, exist_ok=True)
    for entry in os.scandir(source):
        place = target / entry.name
        if entry.is_dir():
            _link_tree(Path(entry.path), place)
        elif not place.exists():
            _link_file(entry, place)


def _link_file(entry: "os.DirEntry[str]", place: Path) -> None:
    if entry.stat().st_mode & stat.S_IROTH:
        try:
            os.link(os.path.realpath(entry.path), place)
            return
        except OSError:
            pass  # another file system, or one without links
    shutil.copy2(entry.path, place)  # with its time: compiled files are valid by it
    place.chmod(0o755 if entry.stat().st_mode & stat.S_IXUSR else 0o644)
