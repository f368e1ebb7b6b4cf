"""The process that carries packets between two namespaces: each leaves half a round trip after it came, or is lost."""

import contextlib
import os
import random
import select
import signal
import socket
import time
from collections import deque
from multiprocessing import reduction
from multiprocessing.connection import Connection

from .namespaces import FAR
from .wire import BYTES, CONNECTIONS, CUT, DELAY, DROPPED, FORGET, LOSS, OVERDUE, PACKETS, Numbers

MAX_PACKET = 65536
MAX_WAITING = 20_000
"""Packets under way in one direction; more are lost, as in a router."""
PATIENCE = 0.2
TCP, SYN, ACK = 6, 0x02, 0x10


def carry(control: Connection, near: int, far: int, numbers: Numbers, seed: int) -> None:
    """Carries packets until the other end of `control` is closed. The descriptors are the two devices."""
    chance = random.Random(seed)
    cut_address = socket.inet_aton(FAR[1])
    waiting: dict[int, deque[tuple[int, bytes]]] = {near: deque(), far: deque()}
    other = {near: far, far: near}
    syns: set[bytes] = set()
    while True:
        now = time.monotonic_ns()
        if numbers[FORGET]:
            numbers[OVERDUE] = numbers[FORGET] = 0
        soonest = now + int(PATIENCE * 1e9)
        for to, queue in waiting.items():
            while queue and queue[0][0] <= now:
                due, packet = queue.popleft()
                numbers[OVERDUE] = max(numbers[OVERDUE], now - due)
                with contextlib.suppress(OSError):  # the device has gone down, or takes no more
                    os.write(to, packet)
            if queue:
                soonest = min(soonest, queue[0][0])
        patience = max(0.0, (soonest - time.monotonic_ns()) / 1e9)  # of select(2): finer than epoll's milliseconds
        ready: list[int] = select.select([control.fileno(), near, far], [], [], patience)[0]
        if control.fileno() in ready:
            return
        for device in ready:
            while True:
                try:
                    packet = os.read(device, MAX_PACKET)
                except OSError:
                    break
                if len(packet) < 20 or packet[0] >> 4 != 4:
                    continue
                queue = waiting[other[device]]
                numbers[PACKETS] += 1
                numbers[BYTES] += len(packet)
                if device == far:
                    _count_connection(packet, numbers, syns)
                cut = numbers[CUT] and cut_address in (packet[12:16], packet[16:20])
                if cut or len(queue) >= MAX_WAITING or (numbers[LOSS] and chance.random() * 1e6 < numbers[LOSS]):
                    numbers[DROPPED] += 1
                    continue
                queue.append((time.monotonic_ns() + numbers[DELAY], packet))


def _count_connection(packet: bytes, numbers: Numbers, syns: set[bytes]) -> None:
    start = (packet[0] & 15) * 4
    if packet[9] != TCP or packet[start + 13] & (SYN | ACK) != SYN:
        return
    # One that is sent again is the same connection: addresses, ports and the first number of its bytes.
    key = packet[12:20] + packet[start : start + 8]
    if key not in syns:
        syns.add(key)
        numbers[CONNECTIONS] += 1


def run(control: Connection, numbers: Numbers, seed: int) -> None:
    """The main function of the process: is sent the two devices, and carries packets."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    near, far = reduction.recv_handle(control), reduction.recv_handle(control)
    carry(control, near, far, numbers, seed)
