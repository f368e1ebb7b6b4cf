"""Servers that the other benchmarks know already, and mosquitto, as rivals."""

import http.client
from pathlib import Path

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

from ... import nchan, pushpin
from ...dialects import LIFETIME, user_name
from ...errors import BenchError
from ...fronting import HOST
from ...programs import Program, free_port
from ...server import RunningServer, Ssechat
from ..people.person import Spec
from ..stacks import WORKERS, Chat
from .rival import Rival

INBOX = "100000"
"""Events that ssechat keeps for each user here, so that what is missing was lost and not trimmed."""


class _Known(Rival):
    """Another class's server. Its programs and its folder are this one's."""

    def __init__(self, inner: RunningServer) -> None:
        super().__init__(inner.name)
        self._inner = inner
        self.folder.rmdir()
        self.folder, self.programs = inner.folder, inner.programs

    def start(self) -> None:
        self._inner.start()
        self.address = self._inner.address


class OurRival(_Known):
    """ssechat itself."""

    def __init__(self) -> None:
        self._server = Ssechat(WORKERS, "--inbox-limit", INBOX)
        super().__init__(self._server)

    def prepare(self, people: int) -> None:
        tokens = Tokens.from_settings(load_settings({"data": self._server.data}, {}))
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        for user in range(people):
            # A user exists from its first request on.
            token = tokens.mint(user_name(user), LIFETIME)
            connection.request("GET", "/v1/me", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise BenchError(f"a user was answered {answer.status}: {answer.read()!r}")
            answer.read()
        connection.close()

    def spec(self) -> Spec:
        return Spec(
            "Http1Person", self.address, data=self._server.data, pids=[*self._server.workers, *self._server.redis]
        )


class NchanRival(_Known):
    """nchan with its Redis, with channels that keep enough."""

    def __init__(self) -> None:
        inner = nchan.Nchan("nchan", WORKERS)
        inner.buffer = int(INBOX)
        super().__init__(inner)

    def spec(self) -> Spec:
        return Spec("NchanPerson", self.address, pids=self.workers)


class PushpinRival(_Known):
    """Pushpin."""

    def __init__(self) -> None:
        self._server = pushpin.Pushpin("pushpin", WORKERS)
        super().__init__(self._server)

    def spec(self) -> Spec:
        # Where to publish is another port.
        return Spec("PushpinPerson", self.address, room=str(self._server.publish_address[1]), pids=self.workers)


class SocketIoRival(_Known):
    """socket.io with its adapter of Redis streams."""

    def __init__(self) -> None:
        super().__init__(Chat("socket.io", "streams"))

    def spec(self) -> Spec:
        return Spec("SocketIoPerson", self.address, pids=self.workers)


class Mosquitto(Rival):
    """mosquitto, which saves what it has on each change, as far as it can be told to."""

    def start(self) -> None:
        port = free_port()
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} {HOST}\nallow_anonymous true\npersistence true\npersistence_location {self.folder}/\n"
            f"autosave_on_changes true\nautosave_interval {CHANGES}\nmax_queued_messages 0\nmax_inflight_messages 100\n"
            f"{'user root' if Path.home() == Path('/root') else ''}\n"
        )
        self.programs.append(Program(self.name, self.folder, ("mosquitto", "-c", str(configuration))))
        self.address = (HOST, port)
        self.programs[0].wait_answering(self.address)

    def spec(self) -> Spec:
        return Spec("MqttPerson", self.address, pids=self.workers)


CHANGES = 1000
"""After so many changes mosquitto writes all it has; it writes the whole each time, so after each would stop it."""
