# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the socket: every way it can fail is one clear sentence, and a living milter is never robbed."""

import os
import socket
from pathlib import Path

import pytest

from tradepost_milter import listener as module
from tradepost_milter.listener import ListenerRefused, close_listener, open_listener


def test_a_unix_socket_has_the_wanted_mode_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    found = open_listener(f"unix:{path}", mode=0o660, group="")
    assert path.stat().st_mode & 0o777 == 0o660
    assert not found.getblocking()
    close_listener(found)
    assert not path.exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    fresh = open_listener(f"unix:{path}", mode=0o600, group="")
    assert fresh.getsockname() == str(path)
    close_listener(fresh)


def test_a_socket_somebody_answers_on_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TAKEOVER_SECONDS", 0.2)
    path = tmp_path / "milter.sock"
    alive = open_listener(f"unix:{path}", mode=0o600, group="")
    with pytest.raises(ListenerRefused, match="another tradepost milter answers"):
        open_listener(f"unix:{path}", mode=0o600, group="")
    assert path.exists()
    close_listener(alive)


@pytest.mark.parametrize("address", ["", "unix:", "tcp:1", "inet:8891", "inet:localhost:http", "/run/x"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    with pytest.raises(ListenerRefused, match="neither unix:PATH nor inet:HOST:PORT"):
        open_listener(address, mode=0o600, group="")


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenerRefused, match=f"inet:127.0.0.1:{port}: .*another program listens there"):
            open_listener(f"inet:127.0.0.1:{port}", mode=0, group="")


def test_inet_sockets_do_not_wait_for_a_delayed_ack() -> None:
    found = open_listener("inet:127.0.0.1:0", mode=0, group="")
    assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    close_listener(found)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ListenerRefused, match="make this folder"):
        open_listener(f"unix:{tmp_path / 'absent' / 's'}", mode=0o600, group="")


def test_a_folder_postfix_cannot_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ListenerRefused, match="Postfix can't reach a socket in this folder"):
        open_listener(f"unix:{tmp_path / 's'}", mode=0o660, group="postfix")
    assert os.listdir(tmp_path) == []


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListenerRefused, match="there is no group 'no-such-group'"):
        open_listener(f"unix:{tmp_path / 's'}", mode=0o660, group="no-such-group")
