"""Client processes: each runs an epoll loop around raw sockets, and gets its commands over a pipe.

A `Player` lives in a process of its own; a `Crew` is the parent's hold on some players of one kind.
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
"""Numbers that a player writes and its parent reads at any time."""

GAUGES = 4
TICK_SECONDS = 0.1
MANY = 128
READ = select.EPOLLIN
WRITE = select.EPOLLOUT

_SPAWN = multiprocessing.get_context("spawn")


class Player:
    """One client process. A subclass fills `commands`: each name with what the parent asks for by it."""

    def __init__(self, control: Connection, gauges: Gauges) -> None:
        self.gauges = gauges
        self.commands: dict[str, Callable[..., None]] = {}
        self._control = control
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._playing = True
        self.patience = 1.0
        """Seconds to wait for sockets to be ready."""
        self.rest = 0.0
        """Seconds to sleep between looks at the sockets, unless many were ready: what comes meanwhile is dealt with
        in one go. Being woken for each event costs the client several times what the event does, and on a shared
        machine it is the server's CPU. (`sends` shows it with `--rest 0`.)"""

    def play(self) -> None:
        """Serve the sockets and the parent, until the parent has gone."""
        self.watch(self._control.fileno(), READ, self._obey)
        # Nothing here makes cycles, and what is kept grows: a collection would only look at all of it again.
        gc.disable()
        handlers, poll = self._handlers, self._epoll.poll
        while self._playing:
            ready = poll(self.patience)
            for descriptor, _ in ready:
                # A handler may have closed a socket that is still in this list.
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler()
            self.turned()
            if self.rest and len(ready) < MANY:
                time.sleep(self.rest)

    def turned(self) -> None:
        """Called after each turn of the loop: does what is due, and brings the gauges up to date."""

    def watch(self, descriptor: int, events: int, handler: Callable[[], None]) -> None:
        """Call `handler` when the descriptor is ready."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int, handler: Callable[[], None]) -> None:
        """Watch a descriptor for something else from now on."""
        self._handlers[descriptor] = handler
        self._epoll.modify(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more. To be called before it is closed."""
        del self._handlers[descriptor]
        self._epoll.unregister(descriptor)

    def reply(self, value: object) -> None:
        """Answer the parent's last command."""
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
        # A parent that has gone does not want to know.
        with contextlib.suppress(ConnectionError):
            control.send(_Failure(traceback.format_exc()))


class Crew:
    """Players of one kind. As a context manager they are ended, whatever happens."""

    def __init__(self, kind: Callable[..., Player], plans: Sequence[object]) -> None:
        """One process for each plan: `kind(control, gauges, plan)` is made in it."""
        self._controls: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._gauges: list[Gauges] = []
        # Inherited: Ctrl-C is the parent's to handle, in the time before `play`, too.
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
        """One gauge, summed over the players."""
        return sum(gauges[index] for gauges in self._gauges)

    def tell(self, name: str, *arguments: object) -> None:
        """Give all players the same command."""
        for control in self._controls:
            self._send(control, name, arguments)

    def tell_each(self, name: str, arguments: Sequence[tuple[object, ...]]) -> None:
        """Give each player the command with its own arguments."""
        for control, own in zip(self._controls, arguments, strict=True):
            self._send(control, name, own)

    def _send(self, control: Connection, name: str, arguments: tuple[object, ...]) -> None:
        try:
            control.send((name, arguments))
        except ConnectionError:
            # It has said why before it went.
            self._receive(control)
            raise

    def gather(self, seconds: float, tick: Callable[[], None] = lambda: None) -> list[Any]:
        """One reply of each player, in the order of their plans. `tick` is called ten times a second.

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
        """Whether all players are well.

        Raises:
            BenchError: one has failed.
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
        """End the processes."""
        for control in self._controls:
            control.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


def open_socket(address: tuple[str, int], number: int) -> socket.socket:
    """A non-blocking socket that is connecting; `number` decides its own address in 127.0.0.0/8.

    Many addresses, because one has only some 28,000 ports towards one server.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The port is chosen when it connects: by then the kernel knows that only the pair must be unique.
    made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    made.bind((f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}", 0))
    made.connect_ex(address)
    return made


IP_BIND_ADDRESS_NO_PORT = 24
"""ip(7); Python's socket module has no name for it."""
