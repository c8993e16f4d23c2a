# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Redis may be used is decided before anything is sent there, and no refusal holds a password."""

from pathlib import Path

import pytest

from tradepost.redis_link import RedisRefused, key_of, open_redis, shown_address
from tradepost.redis_url import RedisAddress, Topology, is_loopback, parse_redis_url
from tradepost.settings import RedisSettings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1:7000/3", RedisAddress(Topology.SERVER, False, (("127.0.0.1", 7000),), database=3)),
        ("rediss://[2001:db8::1]", RedisAddress(Topology.SERVER, True, (("2001:db8::1", 6379),))),
        ("unix:///run/redis/redis.sock", RedisAddress(Topology.UNIX, False, path="/run/redis/redis.sock")),
        (
            "rediss+sentinel://a.example,b.example:26380/2/mail",
            RedisAddress(
                Topology.SENTINEL, True, (("a.example", 26379), ("b.example", 26380)), database=2, service="mail"
            ),
        ),
        (
            "redis+sentinel://a.example/mail",
            RedisAddress(Topology.SENTINEL, False, (("a.example", 26379),), service="mail"),
        ),
        (
            "redis+cluster://10.0.0.1:7000,10.0.0.2:7001",
            RedisAddress(Topology.CLUSTER, False, (("10.0.0.1", 7000), ("10.0.0.2", 7001))),
        ),
    ],
)
def test_every_scheme_is_taken_apart(url: str, address: RedisAddress) -> None:
    assert parse_redis_url(url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://a.example", "is none of redis://"),
        ("redis://a.example:99999", "'a.example:99999' is no HOST:PORT"),
        ("redis://", "'' is no HOST:PORT"),
        ("redis://a.example,b.example", "names several servers"),
        ("redis://a.example/mail", "the number of the database"),
        ("redis://a.example?ssl_cert_reqs=none", "no options after"),
        ("redis+sentinel://a.example", "lacks the name of the master"),
        ("redis+cluster://a.example/1", "no database but 0"),
        ("unix://run/redis.sock", "names no socket"),
        ("unix://", "names no socket"),
    ],
)
def test_a_url_that_can_not_be_used_is_one_line(url: str, said: str) -> None:
    with pytest.raises(RedisRefused) as caught:
        parse_redis_url(url)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:geheim@127.0.0.1", "rediss+cluster://u:geheim@a.example", "redis://geheim@"])
def test_a_password_in_the_url_is_refused_and_never_shown(url: str) -> None:
    settings = RedisSettings(url=url)
    with pytest.raises(RedisRefused, match="password_file") as caught:
        open_redis(settings)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in shown_address(settings)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("geheim\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("url", "has_password", "lacks"),
    [
        ("redis://192.0.2.1", False, "192.0.2.1 is not on loopback, .* without TLS .rediss. and a password"),
        ("redis://192.0.2.1", True, "without TLS"),
        ("rediss://192.0.2.1", False, "without a password"),
        ("redis://no-such-host.invalid", True, "no-such-host.invalid is not on loopback"),
        ("redis+sentinel://127.0.0.1/mail", True, "a sentinel may name servers off loopback"),
        ("rediss+cluster://127.0.0.1", False, "a cluster may name .* without a password"),
    ],
)
def test_mail_does_not_travel_open(url: str, has_password: bool, lacks: str, password_file: Path) -> None:
    with pytest.raises(RedisRefused, match=lacks) as caught:
        open_redis(RedisSettings(url=url, password_file=str(password_file) if has_password else ""))
    assert "allow_insecure" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        RedisSettings(url="redis://127.0.0.1:1"),
        RedisSettings(url="redis://[::1]:1"),
        RedisSettings(url="redis://localhost:1"),
        RedisSettings(url="unix:///nowhere"),
        RedisSettings(url="redis://192.0.2.1", allow_insecure=True),
        RedisSettings(url="redis+sentinel://192.0.2.1/mail", allow_insecure=True),
    ],
    ids=lambda settings: settings.url,
)
def test_what_is_private_or_allowed_is_opened(settings: RedisSettings) -> None:
    open_redis(settings).close()


def test_tls_and_a_password_may_go_anywhere(password_file: Path) -> None:
    open_redis(RedisSettings(url="rediss://192.0.2.1", password_file=str(password_file))).close()
    open_redis(RedisSettings(url="rediss+sentinel://192.0.2.1/mail", password_file=str(password_file))).close()


def test_a_password_file_is_there_private_and_full(password_file: Path, tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(RedisRefused) as caught:
            open_redis(RedisSettings(url="redis://127.0.0.1:1", password_file=str(path)))
        return str(caught.value)

    assert refusal(tmp_path / "none").endswith("No such file or directory")
    password_file.chmod(0o644)
    assert refusal(password_file).endswith("chmod 600 it")
    password_file.chmod(0o600)
    password_file.write_text("\n")
    assert "is empty" in refusal(password_file)
    password_file.write_bytes(b"\xff\xfe")
    assert "no UTF-8" in refusal(password_file)


def test_only_names_of_loopback_alone_are_loopback() -> None:
    assert is_loopback("127.8.9.1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("..")


def test_keys_share_one_slot() -> None:
    assert key_of(RedisSettings(prefix="firm-a"), "own", "c:x:y") == "{firm-a}:own:c:x:y"
