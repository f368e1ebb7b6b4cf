"""Listening sockets, on the loopback interface."""

import re
import select
import socket
import time
from urllib.parse import urlsplit

import pytest

from ssechat.errors import SettingsError
from ssechat.server.sockets import QUEUES, listen, resolve, shown_address


def accept(sockets: list[socket.socket]) -> socket.socket | None:
    """Accepts a waiting connection from these sockets, if there is one."""
    ready, _, _ = select.select(sockets, [], [], 0.1)
    return ready[0].accept()[0] if ready else None


def test_port_0_picks_one_port_for_all_workers() -> None:
    listening = listen("127.0.0.1", 0, 3)
    sockets = [each for of_worker in listening.of_workers for each in of_worker]
    assert [len(of_worker) for of_worker in listening.of_workers] == [QUEUES] * 3
    assert len({each.getsockname() for each in sockets}) == 1
    assert len({each.fileno() for each in sockets}) == 3 * QUEUES
    assert listening.address[1] > 0
    listening.close()


def test_connections_are_spread_over_the_workers_sockets() -> None:
    listening = listen("127.0.0.1", 0, 2)
    clients = [socket.create_connection(listening.address) for _ in range(64)]
    taken = [0, 0]
    for index, sockets in enumerate(listening.of_workers):
        while (accepted := accept(sockets)) is not None:
            accepted.close()
            taken[index] += 1
    assert sum(taken) == 64
    assert min(taken) > 8
    for client in clients:
        client.close()
    listening.close()


def test_a_connection_waits_for_its_worker() -> None:
    listening = listen("127.0.0.1", 0, 1)
    with socket.create_connection(listening.address, timeout=5) as client:
        client.sendall(b"hello")
        accepted = accept(listening.of_workers[0])
        assert accepted is not None
        with accepted:
            assert accepted.recv(5) == b"hello"
    listening.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_taken_port_is_an_error_even_where_it_could_be_shared(shared: bool) -> None:
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SettingsError, match=r"port \d+ on 127\.0\.0\.1 is taken.*--port"):
            listen("127.0.0.1", other.getsockname()[1], 2)
        with pytest.raises(SettingsError, match="is taken"):
            listen("0.0.0.0", other.getsockname()[1], 2)


def test_a_port_with_connections_in_time_wait_is_free() -> None:
    first = listen("127.0.0.1", 0, 1)
    port = first.address[1]
    with socket.create_connection(first.address) as client:
        accepted = accept(first.of_workers[0])
        assert accepted is not None
        first.close()
        accepted.close()  # this side closes first, and has the TIME_WAIT
        assert client.recv(1) == b""
    listen("127.0.0.1", port, 1).close()


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(SettingsError, match="not an address of this machine"):
        listen("192.0.2.1", 0, 1)


def test_an_unknown_name_is_an_error() -> None:
    for name in ("no-such-host.invalid", "a" * 300, "ex ample", " ", "http://127.0.0.1", "::1]"):
        with pytest.raises(SettingsError, match="no known name"):
            resolve(name, 0)


@pytest.mark.parametrize("name", ["", "*"])
def test_an_empty_host_does_not_mean_every_address(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^--host: '\*?' is no address; 0\.0\.0\.0 means every"):
        resolve(name, 0)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0", r"http://127\.0\.0\.1:\d+ \(and every other address of this machine\)"),
        ("0x0", r"http://127\.0\.0\.1:\d+ \(and every other address of this machine\)"),
        ("::0", r"http://\[::1\]:\d+ \(and every other address of this machine\)"),
        ("127.1", r"http://127\.0\.0\.1:\d+"),
        ("127.0.0.2", r"http://127\.0\.0\.2:\d+"),
        ("localhost", r"http://127\.0\.0\.1:\d+"),
        ("LOCALHOST", r"http://127\.0\.0\.1:\d+"),
        ("::0001", r"http://\[::1\]:\d+"),
    ],
)
def test_what_is_shown_of_any_spelling_of_an_address_is_true(host: str, shown: str) -> None:
    listening = listen(host, 0, 1)
    said = shown_address(*listening.address)
    assert re.fullmatch(shown, said)
    url = urlsplit(said.partition(" ")[0])
    with socket.create_connection((url.hostname, url.port)):
        accepted = accept(listening.of_workers[0])
        assert accepted is not None
        accepted.close()
    listening.close()


def test_a_port_that_needs_privileges_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SettingsError, match="may not listen on port 80: choose one above 1023"):
        listen("127.0.0.1", 80, 1)


def test_ipv6_addresses_work() -> None:
    listening = listen("::1", 0, 2)
    with socket.create_connection(listening.address):
        assert listening.address[0] == "::1"
    listening.close()


def test_every_ipv6_address_means_every_ipv4_address_too() -> None:
    listening = listen("::", 0, 1)
    with socket.create_connection(("127.0.0.1", listening.address[1])):
        pass
    listening.close()


def test_accepted_connections_inherit_tcp_user_timeout() -> None:
    listening = listen("127.0.0.1", 0, 1, user_timeout=30)
    with socket.create_connection(listening.address):
        accepted = accept(listening.of_workers[0])
        assert accepted is not None
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    listening.close()


def test_tcp_user_timeout_cuts_a_reader_that_does_not_read() -> None:
    """Why it must be longer than what a slow reader is allowed: its kernel still acknowledges."""
    listening = listen("127.0.0.1", 0, 1, user_timeout=1)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(listening.address)
        accepted = accept(listening.of_workers[0])
        assert accepted is not None
        accepted.settimeout(10)
        started = time.monotonic()
        with accepted, pytest.raises(TimeoutError, match="Connection timed out"):
            accepted.sendall(b"x" * (64 << 20))
        assert time.monotonic() - started < 9
    listening.close()


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000 (and every other address of this machine)"),
        ("::", "http://[::1]:8000 (and every other address of this machine)"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_takes(host: str, shown: str) -> None:
    assert shown_address(host, 8000) == shown
