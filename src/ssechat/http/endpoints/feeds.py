"""Endpoints of feeds."""

import math

from ssechat.chat.feeds import Caller, FeedRules, NewEvent, unknown_feed
from ssechat.chat.refusals import wrong_field
from ssechat.errors import IssuerUnavailable, RedisUnavailable, Unauthorized
from ssechat.events import frames
from ssechat.events.source import START
from ssechat.http.contract import feeds
from ssechat.http.event_stream import stream_response
from ssechat.http.exchange import Header, Request, Response
from ssechat.http.feed_requests import FeedFields, FeedNowQuery, FeedStreamQuery, NewFeedEvent
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.guard import Guard
from ssechat.http.responses import json_response, parse, tagged_response
from ssechat.http.routing import Route
from ssechat.identity.admin_token import AdminToken
from ssechat.identity.auth import Auth
from ssechat.identity.quotas import network_of
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.logs.feed_terms import Terms
from ssechat.logs.feeds import MOST_BYTES, MOST_KEYS, Stored
from ssechat.recent import Recent
from ssechat.streams.feed_readers import Stranger
from ssechat.streams.hub import Hub
from ssechat.streams.stream import ALL, FULL, UNAVAILABLE
from ssechat.texts.feed_names import FEED_NAME_RULE, is_feed_name

ADMIN = Identity(UserId("*"), math.inf)
"""The identity of the admin, whose streams do not end by themselves: a name that no user has."""

KEYED_BUFFER = 8 * 1024
"""Bytes that may be buffered for a reader of a feed with keys before it counts as slow: from then on newer values take
the place of older ones until the buffer has drained."""

SHOWN = 16
"""Feeds whose answer is kept: a megabyte each at most."""

ANY_ORIGIN: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"etag, retry-after, x-request-id"),
)
A_SECOND = (b"cache-control", b"public, max-age=1")
ASK_FIRST = (b"cache-control", b"private, no-cache")
JSON = (b"content-type", b"application/json")


class _Shown:
    """The last answer about a feed."""

    __slots__ = ("asked", "body", "head")

    def __init__(self) -> None:
        self.head, self.asked, self.body = "", 0, b""


class FeedsEndpoint:
    """`/v1/feeds/{name}` and its events."""

    def __init__(
        self,
        guard: Guard,
        auth: Auth,
        admin: AdminToken,
        rules: FeedRules,
        hub: Hub,
        proxies: TrustedProxies,
        buffer: int,
    ) -> None:
        self._guard = guard
        self._proxies = proxies
        self._auth = auth
        self._admin = admin
        self._rules = rules
        self._hub = hub
        self._buffer = buffer
        self._shown: Recent[str, _Shown] = Recent(SHOWN, lambda name: _Shown())

    def routes(self) -> list[Route]:
        return [
            Route.of(feeds.PUT, self.put),
            Route.of(feeds.SHOW, self.show),
            Route.of(feeds.PUBLISH, self.publish),
            Route.of(feeds.STREAM, self.stream),
            Route.of(feeds.DELETE, self.delete),
        ]

    async def put(self, request: Request) -> Response:
        """`PUT`: 201 with a new feed, or 200 with the one that there was, as it is now."""
        caller = await self._caller(request)
        wanted = await self._guard.read(request, FeedFields)
        name = request.parameters["name"]
        if not is_feed_name(name):
            raise wrong_field("name", FEED_NAME_RULE)
        terms, made = await self._rules.put(
            caller, name, wanted.read, wanted.group, wanted.keep, wanted.publishers, keyed=wanted.keyed
        )
        return json_response(_settings(terms), 201 if made else 200)

    async def delete(self, request: Request) -> Response:
        """`DELETE`: there is no such feed afterwards."""
        self._guard.check_origin(request)
        caller = await self._caller(request)
        name = request.parameters["name"]
        if not is_feed_name(name):
            raise unknown_feed(name)
        await self._rules.delete(caller, name)
        return Response(204)

    async def publish(self, request: Request) -> Response:
        """`POST`: 201, or 200 if the id was used for the same event before."""
        caller = await self._caller(request)
        new = await self._guard.read(request, NewFeedEvent)
        name = request.parameters["name"]
        if not is_feed_name(name):
            raise unknown_feed(name)
        event, is_new = await self._rules.publish(caller, name, NewEvent(new.event, new.data, new.key, new.id))
        return json_response({"id": event.id, "created_at": event.created_at}, 201 if is_new else 200)

    async def show(self, request: Request) -> Response:
        """`GET`: what the feed has now."""
        query = parse(FeedNowQuery, request.query)
        terms = await self._readable(request)
        public = terms.read == "public"
        headers = (A_SECOND, *ANY_ORIGIN) if public else (ASK_FIRST,)
        return tagged_response(request, await self._now(terms, 0 if terms.keyed else query.last), JSON, headers)

    async def stream(self, request: Request) -> Response:
        """`GET`: the stream, or, if the obstacle is temporary, a stream that names it in a `bye` event and ends."""
        query = parse(FeedStreamQuery, request.query)
        cursor = request.header(b"last-event-id") or query.cursor
        nobody: Identity = Stranger(network=network_of(self._proxies.client(request.scope)))
        name, identity, headers, since = request.parameters["name"], nobody, ANY_ORIGIN, None
        refusal, group, buffer = FULL if request.server_is_full else None, "", self._buffer
        sign_outs, changes = self._auth.sign_outs, self._hub.feeds.changes
        source = self._rules.feeds.source(name)
        if refusal is None:
            try:
                terms = await self._terms(name)
                if terms is None or terms.read != "public":
                    headers = ()
                    identity = await self._identify(request, query.ticket)
                    terms = await self._for_reader(name, terms, identity)
                group = terms.group
                buffer = min(buffer, KEYED_BUFFER) if terms.keyed else buffer
                since = ALL if terms.keyed else terms.before(query.last) if query.last else None
                refusal = None if self._hub.has_room(source, identity) else FULL
            except (RedisUnavailable, IssuerUnavailable):
                identity, refusal = nobody, UNAVAILABLE
        response = stream_response(
            self._hub,
            identity,
            source,
            cursor,
            buffer,
            refusal=refusal,
            sign_outs=sign_outs,
            since=since,
            of_feed=(group, changes),
        )
        response.headers += headers
        return response

    async def _caller(self, request: Request) -> Caller:
        """Who makes or fills feeds: a user, whose deliveries count, or the admin."""
        if self._admin.is_(request.bearer()):
            return None
        return (await self._guard.identify(request)).user

    async def _identify(self, request: Request, ticket: str | None) -> Identity:
        if self._admin.is_(request.bearer()):
            return ADMIN
        if ticket is None:
            return await self._guard.authenticate(request, remember=False)
        if request.method == "HEAD":
            raise Unauthorized("invalid_ticket", "A ticket is valid for GET only.")
        return await self._auth.redeem_ticket(ticket)

    async def _terms(self, name: str) -> Terms | None:
        return await self._rules.feeds.terms(name) if is_feed_name(name) else None

    async def _readable(self, request: Request) -> Terms:
        """The feed, which whoever asks may read. Strangers are not told which feeds there are, but for public ones."""
        name = request.parameters["name"]
        terms = await self._terms(name)
        if terms is not None and terms.read == "public":
            return terms
        is_admin = self._admin.is_(request.bearer())
        identity = ADMIN if is_admin else await self._guard.identify(request)  # has its turn, as other reads
        return await self._for_reader(name, terms, identity)

    async def _for_reader(self, name: str, terms: Terms | None, identity: Identity) -> Terms:
        """The feed, if there is one and whoever has said who it is may read it."""
        if terms is None:
            raise unknown_feed(name)
        await self._rules.check_reader(None if identity is ADMIN else identity.user, terms)
        return terms

    async def _now(self, terms: Terms, last: int) -> bytes:
        """What the feed has, as JSON."""
        shown = self._shown[terms.name]
        if (shown.head, shown.asked) == (terms.head, last):
            return shown.body
        cursor, count = (terms.before(last), last) if last else (START, 2 * MOST_KEYS)
        now, events = await self._rules.feeds.stored(terms.name, cursor, count, 4 * MOST_BYTES)
        if now is None:
            raise unknown_feed(terms.name)
        items: list[bytes] = []
        size = 0
        for one in reversed(events):
            if not (terms.keyed and one.deletes):
                items.append(_item(one))
                size += len(items[-1])
                if last and size > MOST_BYTES:
                    break
        beginning = frames.encode({"name": now.name, "keyed": now.keyed, "id": now.head})[:-1]
        body = b'%b,"events":[%b]}' % (beginning, b",".join(reversed(items)))
        shown.head, shown.asked, shown.body = now.head, last, body
        return body


def _item(one: Stored) -> bytes:
    return b'{"id":"%b","event":"%b",%b' % (one.id.encode(), one.event.encode(), one.data[1:])


def _settings(terms: Terms) -> dict[str, object]:
    found: dict[str, object] = {"name": terms.name, "read": terms.read, "keep": terms.keep, "keyed": terms.keyed}
    if terms.group:
        found["group"] = terms.group
    return {**found, "publishers": terms.publishers}
