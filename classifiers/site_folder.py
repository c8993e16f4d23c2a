# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of what one installation learned: numbered files, and who follows the one in force.

The link `current` names that one and is swapped by a rename, so that a reader finds the old model or the new one, never
half of one.
"""

import errno
import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from classifiers.site_model import SiteModel, SiteModelError, decode_site_model, encode_site_model
from tradepost.journal import sync_folder
from tradepost.metrics import Stage, count_failure, report_site_model

log = logging.getLogger("tradepost.classifiers")

CURRENT = "current"
KEPT = 6  # files: the one in force and those to go back to
_MAX_OCTETS = 16 << 20
_FILE = re.compile(r"([0-9]{6})\.model")
_DRAFT = re.compile(r"draft\.[0-9a-f]{16}")


class SiteFolder:
    """The folder of a site's models.  Written by one learner at a time, read by every milter child and worker."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def link(self) -> Path:
        """The link that names the model in force."""
        return self.path / CURRENT

    def numbers(self) -> list[int]:
        """Return the numbers of all models that are kept, ascending.  Raises SiteModelError."""
        try:
            found = [_FILE.fullmatch(name) for name in os.listdir(self.path)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._explained(error) from error
        return sorted(int(match[1]) for match in found if match)

    def read(self, number: int) -> SiteModel:
        """Return a model that is kept.  Raises SiteModelError."""
        return self._read(self._file(number))

    def number_in_force(self) -> int | None:
        """Return the number of the model in force, also of one that can't be read (0: it has none); None: there is none."""
        try:
            name = os.readlink(self.link)
        except FileNotFoundError:
            return None
        except OSError:
            # A copy that a backup made of the link.
            try:
                return self._read(self.link).number
            except SiteModelError:
                return 0
        found = _FILE.fullmatch(os.path.basename(name))
        return int(found[1]) if found else 0

    def current(self) -> SiteModel | None:
        """Return the model in force; None: there is none.  Raises SiteModelError."""
        return self._read(self.link) if os.path.lexists(self.link) else None

    def _read(self, path: Path) -> SiteModel:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > _MAX_OCTETS:
                    raise SiteModelError(f"{path}: is too large for a site model; {_WAY_OUT}")
                data = file.read(_MAX_OCTETS + 1)
        except OSError as error:
            raise self._explained(error) from error
        try:
            return decode_site_model(data)
        except ValueError as error:
            raise SiteModelError(f"{path}: {error}; {_WAY_OUT}") from error

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Keep other learners out.  Raises SiteModelError when there is one, or the folder can't be made.

        What one left behind who was killed while he wrote is taken away.
        """
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True)
                self._hand_over(self.path)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._explained(error) from error
        try:
            self._hand_over(self.path / "lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SiteModelError(f"{self.path}: somebody else is learning; try again when he is done") from error
            self._remove(name for name in os.listdir(self.path) if _DRAFT.fullmatch(name))
            yield
        finally:
            os.close(lock)

    def store(self, model: SiteModel) -> None:
        """Write a model, durable, and put it in force; the oldest ones go.  Raises SiteModelError."""
        path = self._file(model.number)
        draft = self.path / f"draft.{secrets.token_hex(8)}"
        try:
            try:
                with open(draft, "xb", opener=_privately) as file:
                    file.write(encode_site_model(model))
                    file.flush()
                    os.fsync(file.fileno())
                self._hand_over(draft)
                os.rename(draft, path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._explained(error) from error
        self.put_in_force(model.number)
        self._remove(self._file(number).name for number in self.numbers()[:-KEPT])

    def put_in_force(self, number: int | None) -> None:
        """Let `current` name that model; None: the shipped model speaks alone again.  Raises SiteModelError."""
        draft = self.path / f"draft.{secrets.token_hex(8)}"
        try:
            if number is None:
                self.link.unlink(missing_ok=True)
            else:
                os.symlink(self._file(number).name, draft)
                self._hand_over(draft)
                os.replace(draft, self.link)
            sync_folder(self.path)
        except OSError as error:
            raise self._explained(error) from error

    def _file(self, number: int) -> Path:
        return self.path / f"{number:06}.model"

    def _hand_over(self, path: Path) -> None:
        """What root writes belongs to whom the folder above belongs to: the services read it without being root."""
        if os.geteuid() == 0:
            owner = self.path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _remove(self, names: Iterable[str]) -> None:
        """What can't be taken away costs room and nothing else."""
        for name in names:
            with suppress(OSError):
                (self.path / name).unlink()

    def _explained(self, error: OSError) -> SiteModelError:
        way_out = _WAYS_OUT.get(
            error.errno or 0, "put it out of the way; paths.model names the folder of what was learned"
        )
        return SiteModelError(f"{error.filename or self.path}: {error.strerror}; {way_out}")


_MAKE_ROOM = "make room there; what was in force stays"
_ASK_AS_SERVICE = "let it belong to the user of the services, and run this as that user or as root"
_WAY_OUT = "'tradepost classify learn --rollback' takes the one before, '--forget' the shipped model alone"
_WAYS_OUT = {
    errno.ENOENT: _WAY_OUT,  # `current` names what is no longer there
    errno.EIO: _WAY_OUT,
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EACCES: _ASK_AS_SERVICE,
    errno.EPERM: _ASK_AS_SERVICE,
    errno.EROFS: "mount it writable, or let paths.model name another folder",
}


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


@dataclass(frozen=True, slots=True)
class Change:
    """Another model is in force; None: the shipped one alone."""

    model: SiteModel | None


class SiteFollower:
    """Notices another `current` by one stat.  A model that can't be used is said once, and the base goes on alone."""

    def __init__(self, folder: SiteFolder, scheme: str) -> None:
        self._folder = folder
        self._scheme = scheme
        self._seen: tuple[int, ...] | None = None
        self._number = 0

    def look(self) -> Change | None:
        """Return what is in force now when that changed since the last look.  Never raises."""
        seen: tuple[int, ...] | None
        try:
            found = os.stat(self._folder.link)
            seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        except FileNotFoundError:
            # No link at all is no model; a link into nothing is a mistake, and reading it says so.
            seen = (0,) if os.path.lexists(self._folder.link) else None
        except OSError as error:
            seen = (-1, error.errno or 0)
        if seen == self._seen:
            return None
        self._seen = seen
        return Change(self._load())

    def _load(self) -> SiteModel | None:
        try:
            model = self._folder.current()
            if model is not None and model.scheme != self._scheme:
                raise SiteModelError(
                    f"{self._folder.link}: was learned with other features than this program's; "
                    "'tradepost classify learn' learns anew"
                )
        except SiteModelError as error:
            count_failure(Stage.MODEL)
            report_site_model(0, is_refused=True)
            log.error("the shipped model goes on alone: %s", error)
            return None
        number = 0 if model is None else model.number
        report_site_model(number, is_refused=False)
        if number != self._number:
            log.info("site model %s is in force", number or "none")
            self._number = number
        return model
