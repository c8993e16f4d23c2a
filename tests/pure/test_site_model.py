# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site learned, beside the shipped model: the file, its folder, the swap under a reader, and the weights' place."""

import errno
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest

from classifiers.linear_model import Models, code_of, feature_scheme, load_models
from classifiers.site_folder import KEPT, SiteFolder, SiteFollower
from classifiers.site_model import SiteModel, SiteModelError, decode_site_model, encode_site_model
from tradepost.learning import Score


@pytest.fixture(scope="module")
def base() -> Models:
    return load_models()


def made(number: int = 1, weight: float = 3.0, feature: str = "pallet", label: str = "category:complaint") -> SiteModel:
    return SiteModel(
        number=number,
        base="9.other",
        scheme=feature_scheme(),
        made_at=datetime(2026, 3, 1, tzinfo=UTC),
        corrections=20,
        lessons="digest",
        labels=(label, "priority:urgent", "category:of-another-base"),
        codes=np.array([code_of(feature)[0]], dtype="uint64"),
        weights=np.array([[weight, 0.0, 9.0]], dtype="float32"),
        biases=np.array([0.5, 0.0, 9.0], dtype="float32"),
        scores=(Score("corrected, held back", 20, 3, 17),),
    )


def test_a_learned_weight_moves_its_label_by_that_much_and_no_other_feature(base: Models) -> None:
    with_site = base.with_site(made())
    counts = {"pallet": 1}
    before, after = base.category(base.weigh(counts)), with_site.category(with_site.weigh(counts))
    moved = {label: np.log(after.of(label) / before.of(label)) for label, _ in before.ranked}
    others = {round(float(gain), 3) for label, gain in moved.items() if label != "complaint"}
    assert len(others) == 1, "what is said of other labels stays in proportion"
    assert moved["complaint"] - others.pop() == pytest.approx(3.5, abs=0.01)
    plain = {"drill": 1}
    shares = [models.priority(models.weigh(plain)).ranked for models in (base, with_site)]
    assert shares[0] == shares[1]


def test_the_version_names_both_and_goes_back(base: Models) -> None:
    with_site = base.with_site(made(7))
    assert with_site.version == f"{base.version}+site.7"
    assert with_site.with_site(None).version == base.version == with_site.base_version


def test_columns_are_found_by_name_whatever_the_order() -> None:
    columns = made().columns(("priority:urgent", "category:complaint"), np.array([1.0, 2.0], dtype="float32"))
    assert columns.rows([code_of("pallet")[0], 5]).tolist() == [[0.0, 6.0], [0.0, 0.0]]
    assert columns.biases.tolist() == [0.0, 1.0]


def test_a_model_without_features_adds_nothing() -> None:
    empty = replace(made(), codes=np.zeros(0, dtype="uint64"), weights=np.zeros((0, 3), dtype="float32"))
    again = decode_site_model(encode_site_model(empty))
    assert again.columns(("category:complaint",), np.ones(1)).rows([1, 2]).tolist() == [[0.0], [0.0]]


def test_a_file_gives_back_what_was_stored_and_holds_no_word(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path / "model")
    with folder.learning():
        folder.store(made(3))
    data = (tmp_path / "model" / "000003.model").read_bytes()
    assert b"pallet" not in data
    model = folder.current()
    assert model is not None
    assert (model.number, model.labels, model.scores) == (3, made().labels, made().scores)
    assert model.weights.tolist() == made().weights.tolist()
    assert (tmp_path / "model" / "000003.model").stat().st_mode & 0o777 == 0o600


def test_the_oldest_go_and_current_follows(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    for number in range(1, KEPT + 3):
        folder.store(made(number))
    assert folder.numbers() == list(range(3, KEPT + 3))
    folder.put_in_force(3)
    assert os.readlink(folder.link) == "000003.model"
    folder.put_in_force(None)
    assert folder.current() is None
    assert sorted(path.name[:6] for path in tmp_path.iterdir()) == [f"{number:06}" for number in folder.numbers()]


def test_what_a_killed_learner_left_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("draft.0123456789abcdef", "draft.txt"):
        (tmp_path / name).write_bytes(b"half")
    with SiteFolder(tmp_path).learning():
        assert sorted(os.listdir(tmp_path)) == ["draft.txt", "lock"]


def test_the_number_in_force_is_known_of_a_copy_too(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    assert folder.number_in_force() is None
    folder.store(made(7))
    (tmp_path / "000007.model").write_bytes(b"spoilt")
    assert folder.number_in_force() == 7
    folder.link.unlink()
    folder.link.write_bytes(encode_site_model(made(7)))
    assert folder.number_in_force() == 7
    folder.link.write_bytes(b"spoilt")
    assert folder.number_in_force() == 0


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EACCES, "the user of the services"),
        (errno.ENOTDIR, "paths.model names the folder"),
    ],
)
def test_a_folder_that_can_not_be_written_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, way_out: str
) -> None:
    folder = SiteFolder(tmp_path)
    folder.store(made(1))

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number), "there")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(SiteModelError, match=way_out) as refused:
            folder.store(made(2))
    assert "--rollback" not in str(refused.value)
    assert (folder.number_in_force(), folder.numbers()) == (1, [1])
    assert not list(tmp_path.glob("draft.*"))


def test_one_learns_at_a_time(tmp_path: Path) -> None:
    with SiteFolder(tmp_path).learning():
        with pytest.raises(SiteModelError, match="somebody else is learning"), SiteFolder(tmp_path).learning():
            raise AssertionError("two learners")


def _stored(**changes: object) -> Callable[[bytes], bytes]:
    """Change fields of the content, checksum and all."""

    def change(_: bytes) -> bytes:
        return encode_site_model(replace(made(), **changes))  # type: ignore[arg-type]

    return change


def _with_field(data: bytes, name: str, value: object) -> bytes:
    form, version, _, content = msgspec.msgpack.decode(data)
    content = msgspec.msgpack.encode(msgspec.msgpack.decode(content) | {name: value})
    return msgspec.msgpack.encode((form, version, sha256(content).digest(), content))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda data: b"", "is no site model", id="empty"),
        pytest.param(lambda data: data[:-1], "is no site model", id="cut"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), "its checksum is wrong", id="one-bit"),
        pytest.param(lambda data: b"\xff" * 10_000, "is no site model", id="noise"),
        pytest.param(lambda data: b"\xdd\xff\xff\xff\xff", "is no site model", id="announces-4-billion-items"),
        pytest.param(lambda data: msgspec.msgpack.encode(("elf", 1, b"", b"")), "is no site model", id="another-form"),
        pytest.param(
            lambda data: msgspec.msgpack.encode(("tradepost-site-model", 2, b"", b"")), "has form 2", id="future"
        ),
        pytest.param(_stored(weights=np.full((1, 3), np.nan, "float32")), "out of bounds", id="no-numbers"),
        pytest.param(_stored(biases=np.full(3, np.inf, "float32")), "out of bounds", id="infinite"),
        pytest.param(_stored(biases=np.zeros(2, "float32")), "do not fit", id="too-few-biases"),
        pytest.param(_stored(labels=("category:order",) * 3), "can't be", id="a-label-twice"),
        pytest.param(_stored(labels=("a:\n", "priority:urgent", "x")), "can't be", id="odd-labels"),
        pytest.param(_stored(number=0), "no number", id="number-0"),
        pytest.param(
            lambda data: _with_field(data, "made_at", "0001-01-01T00:00:00+23:00"),
            "out of range",
            id="before-all-time",
        ),
        pytest.param(lambda data: _with_field(data, "n\n\x1b[2J", 1), "is no site model", id="words-for-the-terminal"),
        pytest.param(
            _stored(codes=np.array([5, 5], "uint64"), weights=np.zeros((2, 3), "float32")), "out of order", id="order"
        ),
    ],
)
def test_what_is_no_sane_model_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[bytes], bytes], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = SiteFolder(tmp_path)
    folder.store(made(1))
    (tmp_path / "000001.model").write_bytes(spoil(encode_site_model(made(1))))
    with pytest.raises(SiteModelError, match=said) as refused:
        folder.current()
    assert str(refused.value).isprintable()
    assert "--rollback" in str(refused.value)

    follower = SiteFollower(folder, feature_scheme())
    change = follower.look()
    assert change is not None
    assert change.model is None, "the shipped model goes on alone"
    assert follower.look() is None
    [line] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "the shipped model goes on alone" in line.getMessage()


def test_weights_of_other_features_are_not_used(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.store(replace(made(), scheme="another"))
    change = SiteFollower(folder, feature_scheme()).look()
    assert change is not None
    assert change.model is None


def test_a_link_into_nothing_is_a_mistake_no_link_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = SiteFolder(tmp_path)
    follower = SiteFollower(folder, feature_scheme())
    assert follower.look() is None
    os.symlink("000009.model", folder.link)
    change = follower.look()
    assert change is not None
    assert change.model is None
    assert "No such file" in caplog.text


def test_a_follower_sees_every_swap_once(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    follower = SiteFollower(folder, feature_scheme())

    def seen() -> int | None:
        change = follower.look()
        return None if change is None else change.model.number if change.model else 0

    folder.store(made(1))
    assert [seen(), seen()] == [1, None]
    folder.store(made(2))
    assert [seen(), seen()] == [2, None]
    folder.put_in_force(1)
    assert [seen(), seen()] == [1, None]
    folder.put_in_force(None)
    assert [seen(), seen()] == [0, None]


def test_a_reader_never_finds_half_a_model(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.store(made(1))
    is_done = threading.Event()

    def swap() -> None:
        for number in range(2, 60):
            folder.store(made(number, weight=float(number % 50)))
        is_done.set()

    writer = threading.Thread(target=swap)
    writer.start()
    numbers = []
    while not is_done.is_set():
        model = folder.current()
        assert model is not None
        assert float(model.weights[0, 0]) == (3.0 if model.number == 1 else float(model.number % 50))
        numbers.append(model.number)
    writer.join()
    assert numbers == sorted(numbers)
    assert len(numbers) > 10
