"""Client processes: each runs an epoll loop over raw sockets, and receives commands over a pipe.

A `Player` runs in a child process; a `Crew` controls the players of one kind from the parent.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self, TypeAlias

from .errors import BenchError

Gauges: TypeAlias = "ctypes.Array[ctypes.c_longlong]"
"""Shared numbers that a player writes and its parent reads."""

GAUGES = 4
TICK_SECONDS = 0.1
MANY = 128
READ = select.EPOLLIN
WRITE = select.EPOLLOUT

_SPAWN = multiprocessing.get_context("spawn")


class Player:
    """One client process. A subclass fills `commands`: the methods by the names of the parent's commands."""

    def __init__(self, control: Connection, gauges: Gauges) -> None:
        self.gauges = gauges
        self.commands: dict[str, Callable[..., None]] = {}
        self._control = control
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._playing = True
        self.patience = 1.0
        """Seconds to wait for ready sockets."""
        self.rest = 0.0
        """Seconds to sleep between polls of the sockets, unless many were ready, so that events are read in batches. A
        wake-up for each event would cost several times the event itself, and on a shared machine it takes CPU from the
        server. (`sends` shows this with `--rest 0`.)"""

    def play(self) -> None:
        """Serves the sockets and the parent, until the parent has ended."""
        self.watch(self._control.fileno(), READ, self._obey)
        # No object here is part of a cycle, and stored data grows: a collection would only visit it again.
        gc.disable()
        handlers, poll = self._handlers, self._epoll.poll
        while self._playing:
            ready = poll(self.patience)
            for descriptor, _ in ready:
                # A handler may have closed a socket that is still in the list.
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler()
            self.turned()
            if self.rest and len(ready) < MANY:
                time.sleep(self.rest)

    def turned(self) -> None:
        """Called after each iteration of the loop: runs due work and updates the gauges."""

    def watch(self, descriptor: int, events: int, handler: Callable[[], None]) -> None:
        """Calls `handler` when the descriptor is ready."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int, handler: Callable[[], None]) -> None:
        """Changes the events and the handler of a descriptor."""
        self._handlers[descriptor] = handler
        self._epoll.modify(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Stops watching a descriptor. It must be called before the descriptor is closed."""
        del self._handlers[descriptor]
        self._epoll.unregister(descriptor)

    def reply(self, value: object) -> None:
        """Replies to the parent's last command."""
        self._control.send(value)

    def _obey(self) -> None:
        try:
            name, arguments = self._control.recv()
        except (EOFError, ConnectionError):
            self._playing = False
            return
        self.commands[name](*arguments)


class _Failure(str):
    """The traceback of a player that failed."""

    __slots__ = ()


def _play(kind: Callable[..., Player], control: Connection, gauges: Gauges, plan: object) -> None:
    try:
        kind(control, gauges, plan).play()
    except Exception:
        # The parent may have ended.
        with contextlib.suppress(ConnectionError):
            control.send(_Failure(traceback.format_exc()))


class Crew:
    """Players of one kind. As a context manager they are ended at the end, also after an error."""

    def __init__(self, kind: Callable[..., Player], plans: Sequence[object]) -> None:
        """Starts one process per plan, which creates `kind(control, gauges, plan)`."""
        self._controls: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._gauges: list[Gauges] = []
        # Inherited by the children: only the parent handles Ctrl-C, also before `play`.
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for plan in plans:
                self._start(kind, plan)
        except BaseException:
            self.close()
            raise
        finally:
            signal.signal(signal.SIGINT, interrupted)

    def _start(self, kind: Callable[..., Player], plan: object) -> None:
        ours, theirs = _SPAWN.Pipe()
        gauges = _SPAWN.RawArray(ctypes.c_longlong, GAUGES)
        process = _SPAWN.Process(target=_play, args=(kind, theirs, gauges, plan), daemon=True)
        process.start()
        theirs.close()
        self._controls.append(ours)
        self._processes.append(process)
        self._gauges.append(gauges)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [process.pid for process in self._processes if process.pid is not None]

    def gauge(self, index: int) -> int:
        """The sum of one gauge over the players."""
        return sum(gauges[index] for gauges in self._gauges)

    def tell(self, name: str, *arguments: object) -> None:
        """Sends the same command to all players."""
        for control in self._controls:
            self._send(control, name, arguments)

    def tell_each(self, name: str, arguments: Sequence[tuple[object, ...]]) -> None:
        """Sends the command to each player with its own arguments."""
        for control, own in zip(self._controls, arguments, strict=True):
            self._send(control, name, own)

    def _send(self, control: Connection, name: str, arguments: tuple[object, ...]) -> None:
        try:
            control.send((name, arguments))
        except ConnectionError:
            # It sent its traceback before it ended.
            self._receive(control)
            raise

    def gather(self, seconds: float, tick: Callable[[], None] = lambda: None) -> list[Any]:
        """Waits for one reply of each player; returns them in the order of the plans. `tick` is called ten times a
        second.

        Raises:
            BenchError: a player failed, or `seconds` have passed.
        """
        deadline = time.monotonic() + seconds
        replies: dict[Connection, Any] = {}
        while len(replies) < len(self._controls):
            missing = [control for control in self._controls if control not in replies]
            for control in wait(missing, TICK_SECONDS):
                assert isinstance(control, Connection)
                replies[control] = self._receive(control)
            tick()
            if time.monotonic() > deadline:
                raise BenchError(f"the clients are not done after {seconds:g} s; is the machine overloaded?")
        return [replies[control] for control in self._controls]

    def check(self) -> None:
        """Checks that all players are running.

        Raises:
            BenchError: a player has failed.
        """
        for control in self._controls:
            if control.poll():
                self._receive(control)

    def _receive(self, control: Connection) -> Any:
        try:
            reply = control.recv()
        except EOFError:
            raise BenchError("a client process was killed; is there too little memory?") from None
        if isinstance(reply, _Failure):
            raise BenchError(f"a client process failed:\n{reply}")
        return reply

    def close(self) -> None:
        """Ends the processes."""
        for control in self._controls:
            control.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


def open_socket(address: tuple[str, int], number: int, receive_buffer: int = 0) -> socket.socket:
    """Returns a non-blocking socket that is connecting; `number` determines its local address in 127.0.0.0/8.

    Many addresses are needed: one has only some 28,000 ports towards one server. `receive_buffer`: bytes that the
    kernel may keep of what was not read; 0: as many as it likes.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The port is chosen at the connect: then only the pair of addresses must be unique.
    made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    made.bind((f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}", 0))
    made.connect_ex(address)
    return made


IP_BIND_ADDRESS_NO_PORT = 24
"""A socket option (ip(7)) that Python's socket module does not define."""
