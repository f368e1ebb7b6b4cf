"""Two network namespaces with a TUN device each: what one of them sends can be read, held back and handed to the other.

A process enters a namespace of its own (unshare(2)) and makes the device there. Nothing has a name outside, so nothing
is left: the kernel removes both when their processes have ended, however they ended. The server's side is at 127.0.0.1,
also as seen from the clients' side, which has no loopback: so servers listen where they always do.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import BenchError

SERVER = "127.0.0.1"
NEAR = "198.18.0.1"
"""The server side's address of the device; 198.18.0.0/15 is for benchmarks (RFC 2544)."""
FAR = ("198.18.0.2", "198.18.0.3")
"""The clients' addresses: those whose line is cut have the second one."""
DEVICE = "line"

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
SIOCADDRT, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x890B, 0x8913, 0x8914, 0x8916, 0x891C
IFF_UP, RTF_UP, RTF_HOST = 0x1, 0x1, 0x4


def why_not() -> str:
    """Returns why this process cannot make such namespaces; empty if it can. A child process tries it."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.close(enter_near())
        except (BenchError, OSError) as error:
            os.write(writing, str(error).encode()[:1000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        reason = said.read().decode(errors="replace")
    os.waitpid(child, 0)
    return reason


def enter_near() -> int:
    """Moves this thread, and what it starts from now on, into a new namespace for servers; returns the device.

    Raises:
        BenchError: this needs root's rights, or there is no /dev/net/tun.
    """
    return _enter([("lo", SERVER), (DEVICE, NEAR)])


def enter_far() -> int:
    """Moves this thread into a new namespace for clients, where 127.0.0.1 is behind the device; returns the device.

    Raises:
        BenchError: as `enter_near`.
    """
    device = _enter([(f"{DEVICE}:{number}" if number else DEVICE, address) for number, address in enumerate(FAR)])
    name = ctypes.create_string_buffer(DEVICE.encode())
    route = struct.pack(
        "@L16s16s16sHhLPhPLLH", 0, _address(SERVER), _address("0.0.0.0"), _address("255.255.255.255"),
        RTF_UP | RTF_HOST, 0, 0, 0, 0, ctypes.addressof(name), 0, 0, 0,
    )  # fmt: skip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, SIOCADDRT, route)
    return device


def _enter(interfaces: Sequence[tuple[str, str]]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        why = os.strerror(ctypes.get_errno())
        raise BenchError(f"a network namespace cannot be made ({why}): it needs root, or CAP_SYS_ADMIN")
    try:
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BenchError(f"/dev/net/tun cannot be opened: {os.strerror(error.errno or errno.EIO)}") from None
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_WITHOUT_HEADER))
    # Nothing but what is measured goes over the line.
    Path(f"/proc/sys/net/ipv6/conf/{DEVICE}/disable_ipv6").write_text("1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for name, address in interfaces:
            fcntl.ioctl(handle, SIOCSIFADDR, _request(name, _address(address)))
            if name != "lo":
                fcntl.ioctl(handle, SIOCSIFNETMASK, _request(name, _address("255.255.255.0")))
            (flags,) = struct.unpack_from("H", fcntl.ioctl(handle, SIOCGIFFLAGS, _request(name)), 16)
            fcntl.ioctl(handle, SIOCSIFFLAGS, _request(name, struct.pack("H", flags | IFF_UP)))
    # 127.0.0.1 is reached over the device, which is otherwise refused.
    Path(f"/proc/sys/net/ipv4/conf/{DEVICE}/route_localnet").write_text("1")
    return device


def _request(name: str, rest: bytes = b"") -> bytes:
    return struct.pack("16s24s", name.encode(), rest)


def _address(address: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
