"""The listening sockets: several per worker on one address (SO_REUSEPORT), so that the kernel distributes
connections."""

import asyncio
import errno
import ipaddress
import os
import socket
import sys
from contextlib import suppress
from typing import Any

from ssechat.errors import SettingsError

BACKLOG = 65_535
"""Upper bound of the connections that wait for a worker, if the kernel allows as many (net.core.somaxconn, often
4,096). After a restart all readers reconnect at once, and a client retries a full queue after ever longer pauses."""

QUEUES = 4
"""Listening sockets of each worker. Each has its own queue, from which an iteration of the event loop accepts one
connection (`python -m tests.bench storm` prints how many clients found the queues full)."""


LITTLE = 16 * 1024
"""Bytes: a connection that may buffer so few has no more waiting in the kernel either."""


class ListeningSockets:
    """The listening sockets, the same number for each worker. The parent creates them, and workers inherit them.

    The parent keeps them open: connections wait in the accept queues while a worker restarts.
    """

    def __init__(self, of_workers: list[list[socket.socket]]) -> None:
        self.of_workers = of_workers

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; for port 0, the port that the kernel chose."""
        name = self.of_workers[0][0].getsockname()
        return str(name[0]), int(name[1])

    def close(self) -> None:
        """Closes the sockets: new connections are refused as soon as the workers have closed their copies, too."""
        for sockets in self.of_workers:
            for each in sockets:
                each.close()


def listen(host: str, port: int, workers: int, user_timeout: float = 30.0) -> ListeningSockets:
    """Listens on one address with `QUEUES` sockets for each worker.

    The kernel closes a connection whose peer acknowledges nothing for `user_timeout` seconds: without that, a ping into
    a half-open connection "succeeds" for a quarter of an hour. Accepted sockets inherit the option on Linux
    (TCP_USER_TIMEOUT in tcp(7), RFC 5482). It also closes the connection of a reader whose window stays closed for that
    long, so it must be longer than the time allowed to a slow reader.

    Raises:
        SettingsError: the port is taken or not permitted, or the address is not one of this machine's.
    """
    family, address = resolve(host, port)
    sockets: list[socket.socket] = []
    try:
        # SO_REUSEPORT would silently share a port with another server of this user: the first bind is without it.
        with _bound(family, address, share=False) as probe:
            address = (address[0], probe.getsockname()[1], *address[2:])
        # Only Linux distributes connections over the sockets; elsewhere the workers share one.
        for _ in range(workers * QUEUES if sys.platform == "linux" else 1):
            listening = _bound(family, address, share=True)
            sockets.append(listening)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout * 1000))
            listening.listen(BACKLOG)
    except OSError as error:
        for each in sockets:
            each.close()
        raise SettingsError(_explain(error, host, port)) from None
    return ListeningSockets([sockets[worker::workers] or sockets for worker in range(workers)])


def keep_little_unsent(transport: asyncio.BaseTransport, most: int) -> None:
    """Has the kernel take no more than it can soon send: `most` bytes wait at most, besides those that are on the way
    (TCP_NOTSENT_LOWAT). Without that it takes megabytes, and a slow reader gets values that were replaced long ago."""
    handle = transport.get_extra_info("socket")
    if handle is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with suppress(OSError):  # the reader has gone already
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, most)


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Returns the address to bind. For a name with IPv4 and IPv6 addresses (localhost) it is the IPv4 one.

    Raises:
        SettingsError: the name cannot be resolved. An empty name and * are refused, though resolvers take them for
            every address: an unset variable must not open the server to everybody.
    """
    if host in ("", "*"):
        raise SettingsError(f"--host: {host!r} is no address; 0.0.0.0 means every IPv4 address of this machine.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise SettingsError(f"--host: {host!r} is no address and no known name ({reason}).") from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address


def shown_address(host: str, port: int) -> str:
    """Returns the URL to open in a browser on this machine, such as `http://127.0.0.1:8000`, and whether there are
    others.

    `host` is the address that a socket is bound to, not the name that was given.
    """
    plain = ipaddress.ip_address(host.partition("%")[0])
    if plain.is_unspecified:
        here = "127.0.0.1" if plain.version == 4 else "[::1]"
        return f"http://{here}:{port} (and every other address of this machine)"
    return f"http://[{host}]:{port}" if plain.version == 6 else f"http://{host}:{port}"


def _bound(family: socket.AddressFamily, address: tuple[Any, ...], *, share: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an earlier run, in TIME_WAIT, must not block the port.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share and hasattr(socket, "SO_REUSEPORT"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop the program that has it, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is not an address of this machine; 127.0.0.1 and 0.0.0.0 always work."
    if error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
        return f"--host: this machine has no IPv6, so {host} cannot be used."
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno) if error.errno else error}"
