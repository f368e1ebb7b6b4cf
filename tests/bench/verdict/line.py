"""A line between servers and clients, with a round trip: two namespaces and a pump, or a proxy that only delays."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, Self, TypeVar

from ..errors import BenchError
from . import delaying, far, pump
from .namespaces import CLONE_NEWNET, FAR, enter_near, why_not
from .wire import Conditions, Wire

P = ParamSpec("P")
R = TypeVar("R")

SPAWN = multiprocessing.get_context("spawn")
START_SECONDS = 30.0
SEED = 1


class Line:
    """A line. As a context manager it is removed at the end, with the process of its clients.

    While it is entered, this thread is on the servers' side: what it starts listens there, on 127.0.0.1.
    """

    def __init__(self, *, real: bool | None = None) -> None:
        """`real` forces one of the two kinds; by default it is the proxy where namespaces cannot be made."""
        reason = why_not() if real is None else "" if real else "it was asked for"
        self.real = not reason
        self.note = "" if self.real else (
            f"No line between two namespaces: {reason}. A proxy delays instead: it opens connections at once, so "
            "handshakes of TCP cost nothing, nothing is lost, and bytes are without headers."
        )  # fmt: skip
        self.wire = Wire()
        self._home: int | None = None
        self._processes: list[BaseProcess] = []
        self._controls: list[Connection] = []
        self._far: Connection | None = None

    def __enter__(self) -> Self:
        # Inherited by the children: only this process handles Ctrl-C.
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if self.real:
                self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                near = enter_near()
                self._far = self._start(far.run, self.wire, FAR, True)
                far_device = self._device()
                carrier = self._start(pump.run, self.wire.numbers, SEED)
                for device in (near, far_device):
                    reduction.send_handle(carrier, device, None)
                    os.close(device)
            else:
                self._far = self._start(far.run, self.wire, delaying.SOURCES, False)
                self._proxy = self._start(delaying.run, self.wire.numbers)
        except BaseException:
            self.close()
            raise
        finally:
            signal.signal(signal.SIGINT, interrupted)
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, main: Callable[..., None], *arguments: object) -> Connection:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=main, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        self._controls.append(ours)
        return ours

    def _device(self) -> int:
        assert self._far is not None
        if not self._far.poll(START_SECONDS):
            raise BenchError("the process of the clients does not start; is the machine overloaded?")
        return reduction.recv_handle(self._far)

    def set(self, conditions: Conditions) -> None:
        """Sets the delay and the loss."""
        self.wire.set(conditions)

    def reach(self, address: tuple[str, int]) -> tuple[str, int]:
        """Returns the address at which the clients reach a server at this one.

        Raises:
            BenchError: the proxy does not answer.
        """
        if self.real:
            return address
        self._proxy.send(address)
        if not self._proxy.poll(START_SECONDS):
            raise BenchError("the delaying proxy does not answer")
        answer: tuple[str, int] = self._proxy.recv()
        return answer

    def run(self, seconds: float, work: far.Work[P, R], *arguments: P.args, **none: P.kwargs) -> R:
        """Runs a function of a module in the process of the clients; returns what it returns.

        Raises:
            BenchError: it failed, or did not end within `seconds`.
        """
        assert self._far is not None
        self._far.send((work, arguments))
        if not self._far.poll(seconds):
            raise BenchError(f"the clients are not done after {seconds:g} s; is the machine overloaded?")
        try:
            answer: Any = self._far.recv()
        except (EOFError, ConnectionError):
            raise BenchError("the process of the clients was killed") from None
        if isinstance(answer, far.Failure):
            raise BenchError(f"the clients failed:\n{answer}")
        result: R = answer
        return result

    def close(self) -> None:
        """Ends the line and its clients, and brings this thread back to its own namespace."""
        for control in self._controls:
            control.close()
        for process in self._processes:
            process.join(1)
            if process.is_alive():
                process.kill()
                process.join()
        self._processes.clear()
        if self._home is not None:
            ctypes.CDLL(None).setns(self._home, CLONE_NEWNET)
            os.close(self._home)
            self._home = None
