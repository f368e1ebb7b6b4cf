"""The one place where the parts are joined."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette

from ssechat.chat.rules import Chat
from ssechat.errors import SettingsError
from ssechat.events.kinds import KINDS, Kinds
from ssechat.http.api import Api
from ssechat.http.asgi import ASGIAdapter
from ssechat.http.contract import server
from ssechat.http.cookies import SessionCookie
from ssechat.http.cors import Cors
from ssechat.http.docs.book import Book
from ssechat.http.endpoints.accounts import AccountsEndpoint
from ssechat.http.endpoints.blocks import BlocksEndpoint
from ssechat.http.endpoints.contract import ContractEndpoint
from ssechat.http.endpoints.conversations import ConversationsEndpoint
from ssechat.http.endpoints.docs import DocsEndpoint
from ssechat.http.endpoints.events import EventsEndpoint
from ssechat.http.endpoints.feeds import FeedsEndpoint
from ssechat.http.endpoints.health import HealthEndpoint
from ssechat.http.endpoints.invites import InvitesEndpoint
from ssechat.http.endpoints.limits import LimitsEndpoint
from ssechat.http.endpoints.marks import MarksEndpoint
from ssechat.http.endpoints.members import MembersEndpoint
from ssechat.http.endpoints.messages import MessagesEndpoint
from ssechat.http.endpoints.metrics import MetricsEndpoint
from ssechat.http.endpoints.people import PeopleEndpoint
from ssechat.http.endpoints.presence import PresenceEndpoint
from ssechat.http.endpoints.reactions import ReactionsEndpoint
from ssechat.http.endpoints.receipts import ReceiptsEndpoint
from ssechat.http.endpoints.sessions import SessionsEndpoint
from ssechat.http.endpoints.typing import TypingEndpoint
from ssechat.http.endpoints.web import WebEndpoint
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.guard import Guard
from ssechat.http.limits import limits
from ssechat.identity.admin_token import AdminToken
from ssechat.identity.auth import Auth
from ssechat.identity.directory import Directory
from ssechat.identity.hashing import HashingPool
from ssechat.identity.leases import Leases
from ssechat.identity.profiles import Profiles
from ssechat.identity.quotas import Quotas
from ssechat.identity.roll import Roll
from ssechat.identity.sessions import Sessions
from ssechat.identity.sightings import Sightings
from ssechat.identity.tokens import Tokens
from ssechat.identity.users import Users
from ssechat.logs.conversations import Conversations
from ssechat.logs.delivery import Delivery
from ssechat.logs.inbox import Inbox
from ssechat.logs.members import Members
from ssechat.redis.client import Redis
from ssechat.redis.health import RedisHealth
from ssechat.settings import Settings, usable_cores
from ssechat.streams.hub import Hub
from ssechat.streams.people import People
from ssechat.tasks import end_task
from ssechat.telemetry.metrics import Metrics
from ssechat.telemetry.snapshots import Snapshots
from ssechat.texts.origins import Origins


def create_app(settings: Settings, kinds: Kinds = KINDS) -> Starlette:
    """The chat server as an ASGI app; it connects to Redis in its lifespan.

    Raises:
        SettingsError: there is no `redis_url`, or a key is missing.
    """
    if settings.redis_url is None:
        raise SettingsError("the app needs a redis_url; `ssechat serve` starts a Redis and fills it in")
    metrics = Metrics()
    snapshots = Snapshots(metrics, settings.metrics_folder)
    redis = Redis(settings.redis_url, settings.redis_timeout, metrics)
    conversations, members = Conversations(redis), Members(redis)
    inbox = Inbox(redis, conversations, members, settings.inbox_limit, kinds)
    pool = HashingPool(usable_cores() // settings.workers)
    directory = Directory(redis) if settings.directory == "on" else None
    users = Users(
        redis,
        all_users_exist=settings.external_identity,
        pool=pool,
        change_profile=inbox.accounts.change_profile,
        directory=directory,
    )
    tokens = Tokens.from_settings(settings, metrics)
    sessions = Sessions(redis, timedelta(days=settings.session_days))
    auth, cookie = Auth(redis, tokens, users, sessions), SessionCookie(tokens.cookies)
    issuer = tokens.issuer_keys
    if issuer is not None:
        issuer.on_withdrawn = auth.forget_withdrawn
    leases = Leases(redis, settings)
    delivery = Delivery(redis, conversations, inbox, members, settings.inbox_limit, kinds, charge=leases.charge)
    people, shows_receipts = People(), settings.receipts == "on"
    chat = Chat.of(
        redis,
        conversations,
        members,
        inbox,
        delivery,
        users,
        known=people.known,
        receipts=shows_receipts,
        anybody_makes_feeds=settings.feeds == "anybody",
        banner=settings.banner,
    )
    hub = Hub(
        auth,
        settings,
        metrics,
        kinds,
        people,
        Sightings(redis),
        Roll(redis),
        chat.presence.watched,
        may_read=chat.feeds.may_read,
    )
    admin = AdminToken.from_file(settings.admin_token_file)
    redis_health = RedisHealth(redis)
    redis_health.reconnect.append(hub.subscriptions.reconnect)
    hub.subscriptions.on_refused = redis_health.note_subscription
    proxies = TrustedProxies(settings.trusted_proxies)
    origins = Origins(settings.allowed_origins)
    quotas = Quotas(redis, settings)
    bounds = limits(settings, quotas, leases)
    guard = Guard(auth, cookie, proxies, settings.body_limit, origins, leases)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        snapshots.open()
        publishing = asyncio.create_task(snapshots.keep_publishing(), name="metrics")
        redis.start()
        hub.start()
        redis_health.start()
        # With Redis or the issuer away the server starts all the same, answers 503, and is not ready.
        if issuer is not None:
            issuer.start()
            await issuer.wait_known()
        await redis.wait_connected(settings.redis_timeout)
        try:
            yield
        finally:
            await chat.receipts.close()
            await hub.close()
            await redis_health.close()
            if issuer is not None:
                await issuer.close()
            await redis.close()
            users.close()
            await end_task(publishing)
            snapshots.close()

    routes = [
        *MessagesEndpoint(guard, chat).routes(),
        *EventsEndpoint(guard, auth, quotas, inbox, hub, settings.stream_buffer).routes(),
        *ConversationsEndpoint(guard, chat).routes(),
        *MembersEndpoint(guard, chat).routes(),
        *InvitesEndpoint(guard, chat).routes(),
        *ReactionsEndpoint(guard, chat).routes(),
        *MarksEndpoint(guard, chat).routes(),
        *ReceiptsEndpoint(guard, chat).routes(),
        *TypingEndpoint(guard, chat).routes(),
        *PresenceEndpoint(guard, chat).routes(),
        *PeopleEndpoint(guard, chat, users, directory, quotas).routes(),
        *AccountsEndpoint(guard, auth, cookie, users, Profiles(redis), quotas, proxies, settings).routes(),
        *SessionsEndpoint(guard, auth, users, sessions, quotas, proxies, settings).routes(),
        *BlocksEndpoint(guard, chat).routes(),
        *FeedsEndpoint(guard, auth, admin, chat.feeds, hub, proxies, settings.stream_buffer).routes(),
        *LimitsEndpoint(bounds).routes(),
        *HealthEndpoint(redis, redis_health, hub, None if issuer is None else issuer.has_keys).routes(),
        *(MetricsEndpoint(snapshots).routes() if settings.metrics == "on" else ()),
        *WebEndpoint(pictures=settings.avatars == "on", examples=settings.examples == "on").routes(),
    ]
    operations = [*(route.operation for route in routes if route.operation is not None), *server.OF_THE_CONTRACT]
    book = Book(operations, settings, bounds, tokens.cookies[0])
    routes += DocsEndpoint(book, proxies, settings.address).routes()
    routes += ContractEndpoint(operations, tokens.cookies[0]).routes()
    app = Starlette(lifespan=lifespan)
    api = Api(routes, Cors(origins), metrics, log_all=settings.access_log == "on")
    # Over ASGI on any server; on ours by the connection itself (server/protocol.py).
    app.middleware_stack = ASGIAdapter(api.answer, app.router)
    app.state.api, app.state.answer = api, api.answer
    app.state.paused = metrics.gc_pauses.observe
    return app
