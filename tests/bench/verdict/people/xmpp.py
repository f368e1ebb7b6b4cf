"""People of an XMPP server over a WebSocket (RFC 7395), with its archive (XEP-0313) for what they missed."""

import asyncio
import base64
import re
from xml.sax.saxutils import escape

from .person import CONNECT_SECONDS, Refused, Spec
from .websocket import WebSocketPerson

DOMAIN = "localhost"
PASSWORD = "bench"
ANSWER_SECONDS = 20.0
PAGE = 200


class XmppPerson(WebSocketPerson):
    """Waits for the server's acknowledgement of each message (XEP-0198), as clients do that must lose none."""

    protocol = "xmpp"
    greeted = False

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._sent = 0
        self._acknowledgements: dict[int, asyncio.Future[str]] = {}
        self._known = False

    @property
    def path(self) -> str:
        return "/ws"

    async def connect(self) -> None:
        await super().connect()
        self._sent = 0
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._open()
            secret = base64.b64encode(f"\0{self.name}\0{PASSWORD}".encode()).decode()
            await self._ask(
                "<success", f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
            )
            await self._open()
            await self._iq(
                "bind", "set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>d</resource></bind>"
            )
            await self._ask("<enabled", "<enable xmlns='urn:xmpp:sm:3'/>")
            self._write("<presence xmlns='jabber:client'/>")
            if self._known:
                await self._read_archive()
        self._known = True

    async def _open(self) -> None:
        opening = f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{DOMAIN}' version='1.0'/>"
        await self._ask("<stream:features", opening)

    async def _read_archive(self) -> None:
        after = ""
        while True:
            page = f"<set xmlns='http://jabber.org/protocol/rsm'><max>{PAGE}</max>{after}</set>"
            answer = await self._iq("mam", "set", f"<query xmlns='urn:xmpp:mam:2'>{page}</query>")
            last = re.search(r"<last>([^<]*)</last>", answer)
            if last is None or re.search(r"complete=.true", answer):
                return
            after = f"<after>{last[1]}</after>"

    async def _iq(self, number: str, kind: str, content: str) -> str:
        return await self._ask(
            f"id='{number}'", f"<iq xmlns='jabber:client' type='{kind}' id='{number}'>{content}</iq>"
        )

    async def _ask(self, answer: str, stanza: str) -> str:
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = waiting
        self._write(stanza)
        return await waiting

    def _write(self, stanza: str) -> None:
        if self.frames is None:
            raise ConnectionResetError("there is no connection")
        self.frames.send(stanza.encode())

    async def send(self, to: str, text: str) -> None:
        self._write(
            f"<message xmlns='jabber:client' type='chat' to='{to}@{DOMAIN}'><body>{escape(text)}</body></message>"
        )
        self._sent += 1
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._acknowledgements[self._sent] = waiting
        self._write("<r xmlns='urn:xmpp:sm:3'/>")
        async with asyncio.timeout(ANSWER_SECONDS):
            await waiting

    def take(self, payload: bytes, now: int) -> None:
        stanza = payload.decode()
        if stanza.startswith("<message"):
            self.got.take(payload, now)
            return
        if stanza.startswith("<r "):
            self._write(f"<a xmlns='urn:xmpp:sm:3' h='{len(self.got.at)}'/>")
            return
        if stanza.startswith("<a ") and (found := re.search(r"h=['\"](\d+)", stanza)):
            for number in [each for each in self._acknowledgements if each <= int(found[1])]:
                self._finish(self._acknowledgements.pop(number), stanza)
            return
        for answer in [each for each in self._waiting if each in stanza.replace('"', "'")]:
            self._finish(self._waiting.pop(answer), stanza)
        if stanza.startswith(("<failure", "<failed", "<close")):
            self.lost(Refused(stanza[:200]))

    def _finish(self, waiting: asyncio.Future[str], stanza: str) -> None:
        if not waiting.done():
            waiting.set_result(stanza)

    def lost(self, error: ConnectionError) -> None:
        for waiting in (*self._waiting.values(), *self._acknowledgements.values()):
            if not waiting.done():
                waiting.set_exception(error)
        self._waiting.clear()
        self._acknowledgements.clear()
