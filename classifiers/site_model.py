# SPDX-License-Identifier: GPL-3.0-or-later
"""What one installation learned from corrections: a few weights beside the shipped model, in numbered files.

A file holds hashed features and numbers, no word of any mail.  Files lie in one folder; the link `current` names the one
in force and is swapped by a rename, so that a reader finds the old model or the new one, never half of one.
"""

import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradepost.errors import Refusal
from tradepost.journal import sync_folder
from tradepost.learning import Score
from tradepost.metrics import Stage, count_failure, report_site_model

log = logging.getLogger("tradepost.classifiers")

CURRENT = "current"
KEPT = 6  # files: the one in force and those to go back to
MAX_FEATURES = 40_000
_MAX_LABELS = 64
_MAX_OCTETS = 16 << 20
_MAX_WEIGHT = 50.0  # e^50: surer than sure
_FORM = "tradepost-site-model"
_FORM_VERSION = 1
_FILE = re.compile(r"([0-9]{6})\.model")
_LABEL = re.compile(r"(?:category|priority):[a-z0-9][a-z0-9-]{0,39}")


class SiteModelError(Refusal, ValueError):
    """A site's model can't be read, written or used.  One line: which file, why, and the way out."""


@dataclass(frozen=True)
class SiteModel:
    """One learned model.

    `labels` name the columns ("category:order").  `codes` are 64-bit codes of features (uint64, ascending), `weights`
    their rows (float32, features x labels), `biases` one number a label; all are differences of calibrated scores, which
    are added to those of the base.  `scheme` says how features became codes, `base` which model it was learned beside,
    `lessons` is the digest of the corrections that it learned from.
    """

    number: int
    base: str
    scheme: str
    made_at: datetime
    corrections: int
    lessons: str
    labels: tuple[str, ...]
    codes: Any
    weights: Any
    biases: Any
    scores: tuple[Score, ...] = ()

    def columns(self, labels: Sequence[str], scale: Any) -> "SiteColumns":
        """Return the weights in the order of a base's labels, times `scale` (one number a label); what it lacks is 0."""
        weights = np.zeros((len(self.codes), len(labels)), dtype="float32")
        biases = np.zeros(len(labels), dtype="float32")
        for column, label in enumerate(labels):
            if label in self.labels:
                own = self.labels.index(label)
                weights[:, column], biases[column] = self.weights[:, own], self.biases[own]
        return SiteColumns(self.codes, weights * scale, biases * scale)


@dataclass(frozen=True, slots=True)
class SiteColumns:
    """A site's weights, laid out for one base: what is looked up at arrival."""

    codes: Any
    weights: Any
    biases: Any

    def rows(self, keys: Sequence[int]) -> Any:
        """Return the weights of feature codes, one row each; of one that was not learned, zeros."""
        wanted = np.array(keys, dtype="uint64")
        if not len(self.codes):
            return np.zeros((len(wanted), self.weights.shape[1]), dtype="float32")
        places = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        return self.weights[places] * (self.codes[places] == wanted)[:, None]


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds; arrays as little-endian bytes."""

    number: int
    base: str
    scheme: str
    made_at: datetime
    corrections: int
    lessons: str
    labels: list[str]
    codes: bytes
    weights: bytes
    biases: bytes
    scores: list[Score]


def encode_site_model(model: SiteModel) -> bytes:
    """Return the bytes of a file: form, version, checksum, content."""
    content = msgspec.msgpack.encode(
        _Stored(
            number=model.number,
            base=model.base,
            scheme=model.scheme,
            made_at=model.made_at,
            corrections=model.corrections,
            lessons=model.lessons,
            labels=list(model.labels),
            codes=model.codes.astype("<u8").tobytes(),
            weights=model.weights.astype("<f4").tobytes(),
            biases=model.biases.astype("<f4").tobytes(),
            scores=list(model.scores),
        )
    )
    return msgspec.msgpack.encode((_FORM, _FORM_VERSION, sha256(content).digest(), content))


def decode_site_model(data: bytes) -> SiteModel:
    """Read a file's bytes.  Raises ValueError, in words, for everything that is not a whole and sane model."""
    try:
        form, version, checksum, content = msgspec.msgpack.decode(data, type=tuple[str, int, bytes, bytes])
        if form != _FORM:
            raise ValueError("is no site model")
        if version != _FORM_VERSION:
            raise ValueError(f"has form {version}, this program reads {_FORM_VERSION}")
        if sha256(content).digest() != checksum:
            raise ValueError("is damaged: its checksum is wrong")
        return _as_model(msgspec.msgpack.decode(content, type=_Stored))
    except msgspec.MsgspecError as error:
        raise ValueError(f"is no site model ({error})") from error


def _as_model(stored: _Stored) -> SiteModel:
    count, columns = len(stored.codes) // 8, len(stored.labels)
    if stored.number < 1 or stored.made_at.tzinfo is None:
        raise ValueError("has no number or no date")
    if columns > _MAX_LABELS or len(set(stored.labels)) != columns or not all(map(_LABEL.fullmatch, stored.labels)):
        raise ValueError("names labels that can't be")
    if count > MAX_FEATURES:
        raise ValueError(f"holds more than {MAX_FEATURES} features")
    if (len(stored.codes), len(stored.weights), len(stored.biases)) != (count * 8, count * columns * 4, columns * 4):
        raise ValueError("holds arrays that do not fit each other")
    codes = np.frombuffer(stored.codes, dtype="<u8").astype("uint64")
    weights = np.frombuffer(stored.weights, dtype="<f4").astype("float32").reshape(count, columns)
    biases = np.frombuffer(stored.biases, dtype="<f4").astype("float32")
    if not np.all(codes[1:] > codes[:-1]):
        raise ValueError("holds features out of order")
    # NaN compares as false: also what is no number is refused.
    if not np.all(np.abs(weights) <= _MAX_WEIGHT) or not np.all(np.abs(biases) <= _MAX_WEIGHT):
        raise ValueError("holds weights out of bounds")
    return SiteModel(
        stored.number,
        stored.base,
        stored.scheme,
        stored.made_at.astimezone(UTC),
        stored.corrections,
        stored.lessons,
        tuple(stored.labels),
        codes,
        weights,
        biases,
        tuple(stored.scores),
    )


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
        """Keep other learners out.  Raises SiteModelError when there is one, or the folder can't be made."""
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
        for number in self.numbers()[:-KEPT]:
            self._file(number).unlink(missing_ok=True)

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

    def _explained(self, error: OSError) -> SiteModelError:
        return SiteModelError(f"{error.filename or self.path}: {error.strerror}; {_WAY_OUT}")


_WAY_OUT = "'tradepost classify learn --rollback' takes the one before, '--forget' the shipped model alone"


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
