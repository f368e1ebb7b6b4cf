"""Fronts that are wrong on purpose: the shipped configurations with a line changed, and what the doctor must say."""

from collections.abc import Sequence
from dataclasses import dataclass, field

WRONG, WARNING = "wrong", "warning"


@dataclass(frozen=True)
class Fault:
    """What was changed in a configuration, and the checks that must notice: exactly these."""

    kind: str
    what: str
    changes: Sequence[tuple[str, str]]
    """Texts of the shipped configuration, and what takes their places."""
    noticed: dict[str, str] = field(default_factory=dict)
    """The names of checks, and their verdicts."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}".replace(" ", "-")


def nginx(what: str, *changes: tuple[str, str], **noticed: str) -> Fault:
    """A fault of nginx."""
    return Fault("nginx", what, changes, _named(noticed))


def haproxy(what: str, *changes: tuple[str, str], **noticed: str) -> Fault:
    """A fault of HAProxy."""
    return Fault("haproxy", what, changes, _named(noticed))


def caddy(what: str, *changes: tuple[str, str], **noticed: str) -> Fault:
    """A fault of Caddy."""
    return Fault("caddy", what, changes, _named(noticed))


def _named(noticed: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): verdict for name, verdict in noticed.items()}


ALL_PATHS = "location / {\n            proxy_pass http://apps;"
"""nginx's block for everything but streams."""

STREAMS = "location ~ ^/v1/(events|feeds/[^/]+/events)$ {"

TO_APPS = "reverse_proxy {$FRONT_APP_1:127.0.0.1:8000} {$FRONT_APP_2:127.0.0.1:8001} {"
ANOTHER_HOST = "header_up Host {upstream_hostport}\n" + "header_up -X-Forwarded-Host\n"
BUFFERED = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
CACHED = """
            proxy_cache answers;
            proxy_cache_valid 200 1m;
            proxy_ignore_headers Cache-Control;"""

FAULTS = (
    nginx("buffers", ("proxy_buffering off;", BUFFERED), buffering=WRONG),
    nginx(
        "compresses",
        ("gzip off;", "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 1;"),
        compression=WRONG,
    ),
    nginx(
        "changes the host",
        ("proxy_set_header Host $http_host;", "proxy_set_header Host $proxy_host;"),
        ("proxy_set_header X-Forwarded-Host $http_host;", 'proxy_set_header X-Forwarded-Host "";'),
        host=WRONG,
    ),
    nginx(
        "keeps the scheme to itself",
        ("proxy_set_header X-Forwarded-Proto $scheme;", 'proxy_set_header X-Forwarded-Proto "";'),
        scheme=WRONG,
        cookie=WRONG,
    ),
    nginx(
        "believes its clients' host",
        ("proxy_set_header X-Forwarded-Host $http_host;", "proxy_set_header X-Forwarded-Host $http_x_forwarded_host;"),
        forwarded=WRONG,
    ),
    nginx(
        "believes its clients' scheme",
        ("http {", "http { map $http_x_forwarded_proto $proto { default $http_x_forwarded_proto; '' $scheme; }"),
        ("proxy_set_header X-Forwarded-Proto $scheme;", "proxy_set_header X-Forwarded-Proto $proto;"),
        forwarded=WRONG,
    ),
    nginx("shows metrics", ("location ~* ^/metrics { return 404; }", ""), metrics=WRONG),
    nginx("speaks no HTTP/2", (" ssl http2;", " ssl;"), http2=WARNING),
    nginx("decodes paths", (ALL_PATHS, ALL_PATHS[:-1] + "/;"), paths=WRONG),
    nginx("takes no large bodies", ("client_max_body_size 1m;", "client_max_body_size 8k;"), bodies=WRONG),
    nginx(
        "refuses methods",
        (ALL_PATHS, ALL_PATHS + " limit_except GET POST { deny all; }"),
        methods=WRONG,
        cors=WRONG,
    ),
    nginx(
        "has pages of its own for errors",
        (ALL_PATHS, ALL_PATHS + " proxy_intercept_errors on; error_page 404 /web/index.html;"),
        answers=WRONG,
    ),
    nginx("closes connections", ("keepalive_timeout 75s;", "keepalive_timeout 0;"), keep_alive=WARNING),
    nginx(
        "caches",
        ("worker_processes auto;", "worker_processes auto; user root;"),  # so that they may write into the folder
        ("http {", "http { proxy_cache_path {folder}/cache keys_zone=answers:1m;"),
        (ALL_PATHS, ALL_PATHS + CACHED),
        caching=WRONG,
    ),
    nginx(
        "changes Cache-Control",
        (ALL_PATHS, ALL_PATHS + " proxy_hide_header Cache-Control; add_header Cache-Control 'max-age=60';"),
        caching=WRONG,
    ),
    nginx(
        "lets everybody read",
        (ALL_PATHS, ALL_PATHS + " add_header Access-Control-Allow-Origin * always;"),
        cors=WRONG,
    ),
    nginx(
        "hides the origin",
        ('proxy_set_header Forwarded "";', 'proxy_set_header Forwarded ""; proxy_set_header Origin "";'),
        cors=WRONG,
    ),
    nginx(
        "changes cookies",
        (ALL_PATHS, ALL_PATHS + " proxy_cookie_flags ~ nohttponly samesite=none;"),
        cookie=WRONG,
    ),
    nginx(
        "asks for a password of its own",
        (STREAMS, STREAMS + " auth_basic chat; auth_basic_user_file /dev/null;"),
        stream=WRONG,
    ),
    nginx(
        "answers streams with a page",
        ("error_page 429 500 502 503 504 =200 @unavailable;", "return 503;"),
        stream=WRONG,
    ),
    nginx(
        "drops the last event id",
        ("proxy_buffer_size 4k;", 'proxy_set_header Last-Event-ID "";'),
        resuming=WRONG,
    ),
    nginx("drops the query", ("proxy_buffer_size 4k;", 'set $args "";'), resuming=WRONG),
    nginx("answers plain http", ("return 301 https://$host$request_uri;", "return 200;"), redirect=WRONG),
    nginx("redirects to the front page", ("$host$request_uri;", "$host/;"), redirect=WARNING),
    nginx(
        "has a policy of its own",
        (ALL_PATHS, ALL_PATHS + """ add_header Content-Security-Policy "default-src 'none'" always;"""),
        page=WRONG,
    ),
    haproxy("speaks no HTTP/2", (" alpn h2,http/1.1", ""), http2=WARNING),
    haproxy(
        "changes the stream's headers",
        ("backend streams\n", "backend streams\n    http-response set-header Cache-Control no-store\n"),
        stream=WARNING,
    ),
    haproxy(
        "keeps the scheme to itself",
        ("http-request set-header X-Forwarded-Proto https", ""),
        scheme=WRONG,
        cookie=WRONG,
    ),
    haproxy(
        "changes the host",
        (
            "http-request set-header X-Forwarded-Host %[req.hdr(Host)]",
            "http-request set-header Host app",
        ),
        host=WRONG,
    ),
    haproxy("shows metrics", (" if { path,url_dec -m reg -i ^/+metrics }", " if { path /nothing }"), metrics=WRONG),
    haproxy(
        "forbids one spelling of metrics",
        (" if { path,url_dec -m reg -i ^/+metrics }", " if { path /metrics }"),
        metrics=WRONG,
    ),
    haproxy(
        "drops tokens",
        ("http-request del-header Forwarded\n", "http-request del-header Authorization\n"),
        authorization=WRONG,
    ),
    caddy("shows metrics", ("@metrics path /metrics*", "@metrics path /nothing"), metrics=WRONG),
    caddy(
        "changes the host",
        ("import not_passed_on\n", "import not_passed_on\n" + ANOTHER_HOST),
        host=WRONG,
    ),
    caddy(
        "believes its clients",
        ("import not_passed_on\n", "import not_passed_on\n\t\t\ttrusted_proxies private_ranges\n"),
        forwarded=WRONG,
    ),
    caddy(
        "takes no large bodies",
        (TO_APPS, "request_body {\n\t\t\tmax_size 8KB\n\t\t}\n\t\t" + TO_APPS),
        bodies=WRONG,
    ),
    caddy(
        "answers streams with a page",
        (TO_APPS, "@broken path /v1/events\n\t\thandle @broken {\n\t\t\trespond 503\n\t\t}\n\t\t" + TO_APPS),
        stream=WRONG,
    ),
)
"""Each of them is one line of a real front's configuration."""

IMPATIENT = (
    nginx("is impatient", ("proxy_read_timeout 75s;", "proxy_read_timeout 1s;"), silence=WRONG),
    haproxy("is impatient", ('timeout server "${FRONT_SECONDS}s"', "timeout server 1s"), silence=WRONG),
    caddy("ends what is long", ("write 0", "write 2s"), silence=WRONG),
)
"""Fronts that cut a stream before its ping."""
