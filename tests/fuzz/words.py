"""The vocabulary of the grammar: odd values for each part of a request."""

NONSENSE = (
    b"",
    b" ",
    b"\t",
    b"x",
    b"\x00",
    b"\xff\xfe",
    b"-1",
    b"a" * 300,
    "\u202egnp".encode(),
    b"%0d%0aX: y",
    b"'\"<>",
)

METHODS = (
    b"get", b"Post", b"PRI", b"CONNECT", b"TRACE", b"OPTIONS", b"PATCH", b"DELETE", b"PUT", b"M-SEARCH", b"PROPFIND",
    b"SOURCE", b"QUERY", b"FOO", b"G\x00T", b"G\xffT", b"GET\t", b"", b" GET", b"GET" * 200, b"X" * 9000, b"GE:T", b"1",
    b"PURGE", b"LINK", b"NOTIFY", b"GET /v1/server HTTP/1.1\r\nX: y\r\n\r\nGET",
)  # fmt: skip

PATHS = (
    b"/", b"/v1/server", b"/v1/session", b"/v1/events", b"/v1/conversations", b"/v1/users/fuzz1", b"/metrics",
    b"/healthz/live", b"/healthz/ready", b"/web/", b"/web/app.js", b"/docs", b"/openapi.json", b"/v1/messages",
    b"/v1/tickets", b"/v1/limits", b"/v1/conversations/dm:fuzz1:fuzz2/messages",
)  # fmt: skip

TARGETS = (
    b"http://fuzz.example/v1/server", b"http://other.example/v1/session", b"https://user:pw@x:1/v1/server",
    b"http://fuzz.example", b"http://fuzz.example?x", b"http:///v1/server", b"http:/v1/server", b"ftp://x/v1/server",
    b"fuzz.example:80", b"fuzz.example", b"*", b"**", b"", b"//", b"//v1/server", b"///", b"?", b"?x=1", b"#", b"#x",
    b"/#", b"/?", b"/??", b"/;", b"/;a=b", b"/v1/server;x", b"/v1//server", b"/v1/./server", b"/v1/../v1/server",
    b"/v1/server/", b"/v1/%73erver", b"/v1%2fserver", b"/V1/SERVER", b"/v1/server%20", b"/v1/server%2e",
    b"/v1/server%", b"/v1/server%4", b"/v1/server%zz", b"/v1/server%ff", b"/v1/server%c0%af", b"/%u0041",
    b"/v1/\xc3\xa4", b"/v1/\xff", b"/v1/server?\xff", b"/v1/server?a=%ff&a=%00", b"/" + b"a" * 8000,
    b"/" + b"%41" * 5000, b"/" + b"a/" * 4000, b"/v1/server?" + b"a=b&" * 4000, b"/\\", b"\\v1\\server",
    b"/v1/server\\",
    b"/ /", b"/v1/server HTTP/1.1", b"/<script>", b"/v1/users/", b"/v1/users/%2e%2e", b"/v1/users/a%2fb",
    b"/v1/users/a/b", b"/v1/users/" + b"a" * 5000, b"/v1/users/%f0%9f%98%80", b"/v1/users/%ed%a0%80",
    b"http://[::1]/v1/server", b"http://[::1/v1/server", b"http://x:99999/v1/server", b"http://x:/v1/server",
    b"/web/%2e%2e/app.py", b"/web/..%2f..%2fapp.py", b"/web/" + b"a" * 300, b"/web/" + b"a/" * 3000,
    b"/web//etc/passwd", b"/web/./", b"/web/.", b"/web/..", b"/web/%5c", b"/web/index.html/x", b"/web/\xff",
    b"/web/%ff", b"/web/%ed%a0%80", b"/web/%f0%9f%98%80",
)  # fmt: skip

CONTROLS = tuple(b"%%%02x" % byte for byte in (*range(0x20), 0x7F))
"""Percent-encoded characters that no path of ours has: 404."""

RAW = (b"\x00", b"\x01", b"\t", b"\x0b", b"\x0c", b"\r", b"\n", b"\r\n", b"\x1b[2J", b"\x7f", b"\x80", b"\x85", b"\xff")
"""Bytes that stand where none should."""

VERSIONS = (
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/1.2", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1", b"HTTP/",
    b"http/1.1", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/-1.1", b"ICE/1.0", b"RTSP/1.0", b"FTP/1.1", b"", b"HTTP/1.1 x",
    b"HTTP/1.1\x00", b"HTTP/1.1\xff", b"H", b"HTTP/1.1/1.1", b"HTTPS/1.1",
)  # fmt: skip

PREFACES = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    b"\x80\x2e\x01\x00\x02\x00\x15",
    b"GET /\r\n",
    b"GET /v1/server\r\n\r\n",
    b"SSH-2.0-x\r\n",
    b"\x05\x01\x00",
    b"*1\r\n$4\r\nPING\r\n",
    b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\n\r\n\r\nGARBAGE\r\n\r\n",
    b"\x00" * 64,
    b"\xff" * 64,
    b" GET / HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"\n" * 100,
)
"""What no HTTP/1.1 begins with."""

HOSTS = (
    b"Host:", b"Host: ", b"Host: a b", b"Host: a,b", b"Host: a\x00b", b"Host: [::1", b"Host: x:port", b"Host: \xff",
    b"Host: http://x/", b"Host: a/b", b"Host: " + b"a" * 4000, b"Host: user@x", b"Host: x#y", b"Host: x:-1",
    b"host: ok",
)  # fmt: skip

LENGTHS = (
    b"+%d", b"0x%x", b"-%d", b"%d e0", b"%de0", b"%d, %d", b"%d,", b"%d;x", b"%d.0", b"\x0b%d", b"%d\x00", b"%d\xa0",
    b"'%d'", b"%d_", b"1_0%d", b"\xd9\xa1", b"99999999999999999999999999999%d", b"18446744073709551616%d",
    b"-0%d", b"%d\r\n 0", b"%d\r\n\t", b"\r\n %d", b"%d %d", b"\xb2",
)  # fmt: skip
"""A length that counts for nothing; what it should be stands in the place of %d."""

CODINGS = (
    b"identity", b"gzip", b"deflate", b"xchunked", b"chunkedx", b"chunked, gzip", b"gzip, chunked", b"chunked, chunked",
    b"chunked, identity", b"identity, chunked", b"chunked;q=1", b"\x0bchunked", b"chunked\x00", b"'chunked'",
    b"chu nked", b"compress", b",chunked", b"chunked,x", b"", b"CHUNKED, x", b"trailers", b"x, chunked", b"chunked;",
)  # fmt: skip
"""A coding that the server does not do."""

CODED = (b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding\t: chunked",
         b"Transfer_Encoding: chunked", b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
         b"Transfer-Encoding\x00: chunked", b"\x00Transfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked",
         b"Transfer-Encoding:\nchunked", b"X-Y:\x00\r\nTransfer-Encoding: gzip")  # fmt: skip
"""Lines that one parser takes for a coding and another does not."""

SIZES = (
    b"", b"-1", b"+2", b"0x2", b"2 ", b" 2", b"\t2", b"2\t", b"g", b"2\x00", b"ffffffffffffffff", b"10000000000000002",
    b"00000000000000000002", b"2;", b"2;a", b"2;a=b", b'2;a="b;c"', b'2;a="', b"2;" + b"a" * 9000, b"2\r", b"2\n",
    b"2,", b"2;\x00", b"2;\xff", b"2;a=\rb", b"2;a=\nb", b"7fffffff", b"80000000", b"2;a" + b";b=c" * 2000,
)  # fmt: skip

TRAILERS = (
    b"X: y", b"Content-Length: 100", b"Transfer-Encoding: gzip", b"Host: other", b"X-Request-ID: trailer",
    b"Authorization: Bearer x", b"no colon", b": empty", b"X : y", b"X: \x00", b" folded", b"Trailer: X",
    b"X:" + b"y" * 9000,
)  # fmt: skip

EXPECTS = (b"100-continue", b"100-Continue", b"200-ok", b"", b"100-continue, x", b"100-continue;q=1", b"\xff")

UPGRADES = (
    (b"Connection: Upgrade", b"Upgrade: h2c"),
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    (b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13"),
    (b"Connection: keep-alive, Upgrade", b"Upgrade: x"),
    (b"Connection: Upgrade", b"Upgrade: TLS/1.0, h2c"),
    (b"Connection: Upgrade",),
    (b"Upgrade: h2c",),
    (b"Connection: Upgrade", b"Upgrade:"),
    (b"Connection: Upgrade", b"Connection: close", b"Upgrade: h2c"),
    (b"Connection:\tUpgrade\t", b"Upgrade:\th2c"),
    (b"Proxy-Connection: Upgrade", b"Upgrade: h2c"),
    (b"Connection: Upgrade", b"Upgrade: connect-udp"),
)  # fmt: skip

CONNECTIONS = (
    b"close", b"keep-alive", b"close, keep-alive", b"keep-alive, close", b"x", b"", b"CLOSE", b"close,", b",,close",
    b"content-length", b"host, authorization", b"close;x", b"\xff", b"upgrade, close", b"TE, close",
)  # fmt: skip

FORGED = "FORGED"
"""Stands in what may be quoted nowhere in the log."""

FIELDS: dict[bytes, tuple[bytes, ...]] = {
    b"Authorization": (
        b"Bearer", b"Bearer ", b"bearer\tx", b"Basic eDp5", b"Bearer a.b.c", b"Bearer " + b"a" * 9000, b"Bearer \xff",
        b"Bearer ..", b"Bearer a b c", b"Token x", b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJmdXp6MSJ9.", b"Bearer \x85x",
    ),
    b"Cookie": (
        b"ssechat_session", b"ssechat_session=", b"ssechat_session==", b";;;;", b'ssechat_session="a.b.c"',
        b"ssechat_session=\xff", b"a=b; " * 1500, b'ssechat_session="\\073\\377', b"=x",
        b"ssechat_session=a.b.c; ssechat_session=d",
        b'ssechat_session="' + b'\\"' * 3000 + b'"', b"__Host-ssechat_session=x", b"$Version=1; ssechat_session=x",
        b"\x85=\x85",
    ),
    b"Origin": (
        b"null", b"", b"http://fuzz.example", b"http://fuzz.example:80", b"http://[", b"http://[::1", b"//x", b"x",
        b"http://fuzz.example/", b"HTTP://FUZZ.EXAMPLE", b"http://fuzz.example@evil", b"http://\xff", b"http://[v1.x]",
        b"http://fuzz.example:99999", b"http://fuzz.example:x", "http://ⅷ.example".encode(), b"http://a]b",
        b"http://[::1]]",
        b"https://xn--.example", b"http://%", b"http://[::1%25eth0]", "http://a\u2100b".encode(),
    ),
    b"Idempotency-Key": (b"", b" ", b"x" * 128, b"x" * 129, b"\xff", b"\t", b"a b", b'"quoted"', b"\x85", b"x" * 9000),
    b"Last-Event-ID": (
        b"", b"0-0", b"1-1", b"-1", b"1", b"1-", b"-", b"999999999999999999-9999999999999999999", b"9" * 400, b"\xff",
        b"0-1", b"01-1", b"1-1-1", b"$", b"*", b">", b"+", b"1-1 ", b"\x00",
        b"18446744073709551615-18446744073709551615",
        b"999999999999999999-0", b"0-9223372036854775807", b"1-99999999999999999999", b"(1-1", "١-١".encode(),
    ),
    b"X-Request-ID": (b"", b"x" * 129, b"\xff", b"a b", b"a\tb", b"\x85FORGED", b"<FORGED>", b"%0aFORGED",
    b"FORGED\x1b[31m"),
    b"X-Forwarded-For": (
        b"", b",", b",,,", b"1.2.3.4", b"::1", b"fe80::1%FORGED", b"fe80::1%\x85FORGED", b"[fe80::1%FORGED]:1",
        b"::1%\x1b[31mFORGED", b"1.2.3.4%FORGED", b"FORGED", b"1.2.3.4:FORGED", b"[::1", b"[]", b"999.1.1.1", b"1.2.3",
        b"0x7f.1", b"::ffff:1.2.3.4", b"::ffff:1.2.3.4%FORGED", b"1.2.3.4, " * 1000, b"\xff", b"unknown",
        b"127.0.0.1, x",
        b"fe80::1%" + b"FORGED" * 500, b"::1%a b FORGED: request 1 failed", b"64:ff9b::1", b"2001:db8::1%25x",
    ),
    b"X-Forwarded-Proto": (b"https", b"http", b"HTTPS", b"ws", b"", b"https, http", b"javascript", b"\xff"),
    b"X-Forwarded-Host": (b"evil.example", b"", b"\xff", b"a b"),
    b"Forwarded": (b"for=1.2.3.4", b'for="[::1%FORGED]"', b";;;", b"for=_x;proto=https;host=evil"),
    b"Content-Type": (
        b"", b"application/json", b"application/json;charset=utf-16", b"APPLICATION/JSON", b"text/plain",
        b"application/json, text/plain", b"application/jsonx", b";application/json", b"multipart/form-data",
        b"application/json;;;", b"\xff", b"application/problem+json", b"application/json\x0b", b"\xa0application/json",
    ),
    b"Content-Encoding": (b"gzip", b"br", b"identity", b"", b"x"),
    b"Accept": (
        b"", b"*/*", b"application/openmetrics-text", b"application/openmetrics-text;version=1.0.0",
        b"application/openmetrics-text;version=x", b"application/openmetrics-text; version=2.0.0; escaping=dots",
        b"text/plain;version=1.0.0;escaping=allow-utf-8", b"text/plain;version=", b"text/plain;escaping=x",
        b"application/openmetrics-text;version=1.0.0;escaping=", b";;;", b"text/plain;version=0.0.4;escaping=\xff",
        b"application/openmetrics-text;q=0", b"text/plain;version",
        b"application/openmetrics-text;version=1.0.0;escaping=values",
        b"text/plain;version=1;version=2", b"a/b," * 2000,
        b"application/openmetrics-text;escaping=underscores;version=9",
    ),
    b"Accept-Encoding": (b"gzip", b"br, gzip", b"", b"*;q=0", b"\xff"),
    b"Range": (
        b"bytes=0-0", b"bytes=", b"bytes=-", b"bytes=5-1", b"bytes=-1", b"bytes=0-", b"bytes=999999999999999999999-",
        b"bytes=0-0,1-1,2-2", b"bytes=" + b"0-0," * 1500, b"x=0-1", b"bytes=a-b", b"bytes=0-0,", b"bytes=-0",
        b"bytes=--1", b"bytes=0-0-0", b"bytes=\xff", b"bytes=1-1,0-0,-1", b"bytes=0-" + b"9" * 5000, b"bytes=\xb2-",
    ),
    b"If-Range": (b"x", b'"x"', b"W/\"x\"", b"Thu, 01 Jan 1970 00:00:00 GMT", b"\xff", b""),
    b"If-None-Match": (b"*", b'"x"', b"", b"x," * 2000, b"\xff", b'W/"'),
    b"If-Modified-Since": (
        b"x", b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Jan 99999 00:00:00 GMT", b"", b"\xff", b"Thu, 01 Jan 1970",
        b"Thu, 01 Jan 0000 00:00:00 GMT", b"1 Jan 1970 00:00:00 +99999999", b"Thu, 01 Jan 1970 00:00:00 -9999",
    ),
    b"If-Match": (
        b"*", b'"x"', b"", b"\xff", b'W/"x"', b'"', b",", b'"x", *', b'"x"y, "z"', b'"x,' * 100, b" " * 4000 + b"x",
        b"x" + b" " * 8000 + b"x",
    ),
    b"Sec-Fetch-Site": (b"cross-site", b"same-site", b"none", b"", b"same-origin", b"\xff", b"SAME-ORIGIN"),
    b"Access-Control-Request-Method": (b"POST", b"", b"\xff", b"x"),
    b"TE": (b"trailers", b"chunked", b""),
    b"Keep-Alive": (b"timeout=0", b"max=0", b"timeout=99999999999", b"\xff"),
    b"Max-Forwards": (b"0", b"-1", b"x"),
    b"Trailer": (b"Content-Length", b"X", b""),
    b"Content-Range": (b"bytes 0-1/2", b""),
    b"X-HTTP-Method-Override": (b"DELETE", b""),
}  # fmt: skip
"""Odd values of headers that somebody looks at."""

LINES = (
    b"no colon", b": no name", b"X : space", b"X\t: tab", b" X: leading", b"\tX: leading", b"X: folded\r\n more",
    b"X: folded\r\n\tmore", b"X:", b"X: \x00", b"X\x00: y", b"X: y\rZ: z", b"X: y\nZ: z", b"X: \x0b", b"X: \x7f",
    b"X\xff: y",
    b"X: \xff", b"(X): y", b"X/Y: z", b"X[]: y", b"X" * 4000 + b": y", b"X: " + b"y" * 8000, b"\x00", b"X: y\r", b"\r",
    b"X:y:z", b"::", b"X: \x1b[31mFORGED", b"X=y", b"GET / HTTP/1.1", b"X\r: y", b"X: y\r\r\nZ: z", b"\xc4\xb0: y",
)  # fmt: skip
