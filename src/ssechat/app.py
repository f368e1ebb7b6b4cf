"""The one place where the parts are joined."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from ssechat.auth import Auth
from ssechat.chat import Chat
from ssechat.conversations import Conversations
from ssechat.cookies import SessionCookie
from ssechat.direct import Direct
from ssechat.endpoints.access import Access
from ssechat.endpoints.accounts import Accounts
from ssechat.endpoints.conversations import Conversations as ConversationsEndpoint
from ssechat.endpoints.entrance import Entrance
from ssechat.endpoints.events import Events
from ssechat.endpoints.gate import Gate
from ssechat.endpoints.health import Health
from ssechat.endpoints.http import HANDLERS, failed
from ssechat.endpoints.limits import Limits
from ssechat.endpoints.messages import Messages
from ssechat.endpoints.metrics import Metrics as MetricsEndpoint
from ssechat.endpoints.web import Web
from ssechat.errors import SettingsError
from ssechat.forwarded import TrustedProxies
from ssechat.hashing import HashingPool
from ssechat.hub import Hub
from ssechat.inbox import Inbox
from ssechat.metrics import Metrics
from ssechat.origins import Origins
from ssechat.quotas import Quotas
from ssechat.redis.link import Redis, stop
from ssechat.redis.watch import Watch
from ssechat.sends import Sends
from ssechat.settings import Settings, usable_cores
from ssechat.snapshots import Snapshots
from ssechat.tokens import Tokens
from ssechat.users import Users


def create_app(settings: Settings) -> Starlette:
    """The chat server as an ASGI app; it connects to Redis in its lifespan.

    Raises:
        SettingsError: there is no `redis_url`, or a key is missing.
    """
    if settings.redis_url is None:
        raise SettingsError("the app needs a redis_url; `ssechat serve` starts a Redis and fills it in")
    metrics = Metrics()
    snapshots = Snapshots(metrics, settings.metrics_folder)
    redis = Redis(settings.redis_url, settings.redis_timeout, metrics)
    conversations = Conversations(redis)
    inbox = Inbox(redis, conversations, settings.inbox_limit)
    pool = HashingPool(usable_cores() // settings.workers)
    users = Users(redis, anyone_exists=settings.external_identity, pool=pool)
    tokens = Tokens.from_settings(settings)
    auth, cookie = Auth(redis, tokens, users, timedelta(days=settings.session_days)), SessionCookie(tokens.cookie)
    chat = Chat(conversations, inbox, Sends(redis, settings.inbox_limit), users)
    hub = Hub(inbox, auth, settings, metrics=metrics)
    watch = Watch(redis)
    watch.reconnect.append(hub.subscriptions.reconnect)
    hub.subscriptions.on_refused = watch.note_subscription
    proxies = TrustedProxies(settings.trusted_proxies)
    origins = Origins(settings.allowed_origins)
    quotas = Quotas(redis, settings)
    gate = Gate(auth, cookie, proxies, settings.body_limit, origins)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        snapshots.open()
        publishing = asyncio.create_task(snapshots.keep_publishing(), name="metrics")
        redis.start()
        hub.start()
        watch.start()
        # With Redis away the server starts all the same, answers 503, and is not ready.
        await redis.wait_connected(settings.redis_timeout)
        try:
            yield
        finally:
            await hub.close()
            await watch.close()
            await redis.close()
            users.close()
            await stop(publishing)
            snapshots.close()

    messages, events = Messages(gate, chat), Events(gate, auth, quotas, hub, settings.stream_buffer)
    app = Starlette(
        routes=[
            *messages.routes(),
            *events.routes(),
            *ConversationsEndpoint(gate, chat).routes(),
            *Accounts(gate, auth, cookie, users, quotas, proxies, settings).routes(),
            *Limits(settings, quotas).routes(),
            *Health(redis, watch, hub).routes(),
            *(MetricsEndpoint(snapshots).routes() if settings.metrics == "on" else ()),
            *Web().routes(),
        ],
        exception_handlers=HANDLERS,
        middleware=[*_cors(origins), Middleware(Entrance)],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the request named
    access = Access(app.build_middleware_stack(), metrics, log_all=settings.access_log == "on")
    app.middleware_stack = access
    app.state.paused = metrics.gc_pauses.observe
    # Pages of other origins need the headers that the CORS layer adds.
    unless = frozenset({b"origin"} if origins else ())
    direct = {**messages.direct(), **events.direct()}
    app.state.direct = Direct({key: access.direct(*key, endpoint, failed) for key, endpoint in direct.items()}, unless)
    return app


def _cors(origins: Origins) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            # Whatever their libraries add (cache-control, x-requested-with, traces): a header permits nothing here.
            allow_headers=["*"],
            # Chromium asks so for a server in a private network.
            allow_private_network=True,
            expose_headers=["ratelimit", "ratelimit-policy", "retry-after", "x-request-id"],
        )
    ]
