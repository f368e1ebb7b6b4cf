"""Checks of who asks: credentials, cookies, and the origins of pages."""

from ssechat.doctor.answers import Answer
from ssechat.doctor.check import Check
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site
from ssechat.problem_details import shortened

HOST_PREFIX = "__Host-"
"""A browser takes a cookie of such a name over https only, and from the host itself (RFC 6265bis §4.1.3.2)."""

STRANGER = "https://doctor.invalid"
"""An origin that nobody can have (RFC 2606)."""


async def write(site: Site, origin: str, **headers: str) -> Answer:
    """What a page of this origin is told that signs in without a name.

    403 `forbidden_origin`: it may not write. 422 `invalid_request`: it may, and nothing has happened.
    """
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.ask("POST", "/v1/session", json={}, headers={"Origin": origin, **given})


class Authorization(Check):
    name = "authorization"
    proves = "The header Authorization reaches the app."
    advice = Advice(
        "No token counts: programs, bots and the command line cannot sign in.",
        "Pass the header Authorization on, and ask for no password of the front's own (Basic) on the same host.",
        (
            Line("nginx", "proxy_set_header Authorization", remove=True),
            Line("nginx", "auth_basic", remove=True),
            Line("haproxy", "http-request del-header Authorization", remove=True),
            Line("caddy", "basicauth", remove=True),
            Line("caddy", "header_up -Authorization", remove=True),
        ),
    )

    async def run(self, site: Site) -> Finding:
        answer = await site.ask("GET", "/v1/session", headers={"Authorization": "Bearer doctor"})
        if answer.code != "invalid_token":
            return self.wrong(f"a token that is none is answered {answer.said()}, and not 401 invalid_token")
        if site.visitor is None:
            if site.why_nobody.startswith("the token"):
                return self.wrong(site.why_nobody, TOKEN)
            return self.ok("a token reaches the app")
        answer = await site.ask("GET", "/v1/session", user=True)
        if answer.status != 200:
            return self.wrong(f"a token is answered {answer.said()}")
        return self.ok(f"signed in as {shortened(site.visitor.name)}")


TOKEN = Advice(
    "What needs a user could not be looked at.",
    "Give a token of this server: `ssechat token NAME` prints one where its key is, and POST /v1/session answers "
    "with one.",
)


class Scheme(Check):
    name = "scheme"
    proves = "The app knows that people come over https: its cookie is Secure, and pages of plain http may not write."
    needs_https = True
    advice = Advice(
        "The cookie is sent over plain http, too, where anybody on the way can read it; a page that came over http may "
        "write.",
        "Have the front set X-Forwarded-Proto, and start the server with the front's address in --trusted-proxies (it "
        "believes this machine, unless told otherwise).",
        (
            Line("nginx", "proxy_set_header X-Forwarded-Proto $scheme;"),
            Line("haproxy", "http-request set-header X-Forwarded-Proto https"),
            Line("caddy", "header_up -X-Forwarded-Proto", remove=True, where="Caddy sends it by itself"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        answer = await write(site, f"http://{site.authority}")
        if answer.code == "forbidden_origin":
            return self.ok("the app knows that people come over https")
        if answer.code == "invalid_request":
            if (await write(site, STRANGER)).code == "invalid_request":
                return self.skipped("the origin of a page does not reach the app; see cors")
            return self.wrong("the app takes https for http")
        return self.wrong(f"a page of http that writes is answered {answer.said()}")


class Host(Check):
    name = "host"
    proves = "The app knows the host that people ask for: its own pages may write."
    advice = Advice(
        "Nobody can sign in or write in the page: the app takes its own page for one of another site (403 "
        "forbidden_origin).",
        "Pass the header Host on as it came, with its port, or put it into X-Forwarded-Host.",
        (
            Line("nginx", "proxy_set_header Host $http_host;"),
            Line("haproxy", "http-request set-header X-Forwarded-Host %[req.hdr(Host)]"),
            Line("caddy", "header_up Host", remove=True, where="Caddy passes it on by itself"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        answer = await write(site, site.origin)
        if answer.code == "forbidden_origin":
            return self.wrong(f"a page of {site.origin} itself may not write (403 forbidden_origin)")
        if answer.code != "invalid_request":
            return self.wrong(f"a page of {site.origin} that writes is answered {answer.said()}")
        return self.ok(f"pages of {site.origin} may write")


class Forwarded(Check):
    name = "forwarded"
    proves = "What a client claims in X-Forwarded headers counts for nothing: the front overwrites them."
    advice = Advice(
        "Anybody can claim another address and another host: limits by address count nothing, and the log names "
        "strangers.",
        "Overwrite X-Forwarded-For, -Proto and -Host, or take them out; never append to what a client sent.",
        (
            Line("nginx", "proxy_set_header X-Forwarded-For $remote_addr;"),
            Line("nginx", "proxy_set_header X-Forwarded-Proto $scheme;"),
            Line("nginx", "proxy_set_header X-Forwarded-Host $http_host;"),
            Line("haproxy", "http-request del-header X-Forwarded- -m beg", where="before the lines that set them"),
            Line("caddy", "trusted_proxies", remove=True),
        ),
    )

    async def run(self, site: Site) -> Finding:
        if site.is_bare and site.is_local:
            return self.skipped("nothing in front, and this machine is trusted")
        claims = [("X-Forwarded-Host", STRANGER.partition("://")[2], STRANGER)]
        if site.is_https:
            claims.append(("X-Forwarded-Proto", "http", f"http://{site.authority}"))
        tried = 0
        for header, lie, origin in claims:
            # What counts without the claim already is another check's.
            if (await write(site, origin)).code == "forbidden_origin":
                tried += 1
                answer = await write(site, origin, **{header: lie})
                if answer.code != "forbidden_origin":
                    return self.wrong(f"a client's {header} is believed")
        if not tried:
            return self.skipped("every origin may write here, so this shows nothing; see above")
        return self.ok("a client's X-Forwarded headers count for nothing")


GOODBYE = "but in what a stream is told while no app is there"


class Cors(Check):
    name = "cors"
    proves = "Pages of other sites can neither read nor write, but those that are allowed."
    advice = Advice(
        "A page of any site can read and write in the name of whoever visits it; or, where headers come twice, a page "
        "that is allowed cannot.",
        "Leave CORS to the app (--allowed-origins): let the front neither add nor remove Access-Control headers or "
        "Origin, and have it pass OPTIONS on.",
        (
            Line("nginx", "add_header Access-Control-", remove=True, where=GOODBYE),
            Line("haproxy", "http-response set-header Access-Control-", remove=True),
            Line("caddy", "header Access-Control-", remove=True, where=GOODBYE),
        ),
    )

    ALLOWED = "access-control-allow-origin"

    async def run(self, site: Site) -> Finding:
        answer = await site.ask("GET", "/v1/server", headers={"Origin": STRANGER})
        if self.ALLOWED in answer.headers:
            return self.wrong(
                f"a page of {STRANGER} may read: {self.ALLOWED}: {shortened(answer.headers[self.ALLOWED])}"
            )
        answer = await write(site, STRANGER)
        if answer.code != "forbidden_origin":
            return self.wrong(
                f"a page of {STRANGER} that writes is answered {answer.said()}, and not 403 forbidden_origin"
            )
        wanted = site.plan.origin
        if wanted is None:
            return self.ok("pages of other sites can neither read nor write (--origin checks one that should)")
        return await self._allowed(site, wanted)

    async def _allowed(self, site: Site, origin: str) -> Finding:
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "DELETE",
            "Access-Control-Request-Headers": "authorization, content-type",
        }
        preflight = await site.ask("OPTIONS", "/v1/session", headers=asked)
        answer = await site.ask("GET", "/v1/server", headers={"Origin": origin})
        for response, what in ((preflight, "a preflight"), (answer, "a GET")):
            found = response.headers.get_list(self.ALLOWED)
            if response.status != 200 or found != [origin]:
                allowed = ", ".join(map(shortened, found)) or "nobody"
                return self.wrong(f"{what} of {origin} is answered {response.said()}, which lets {allowed} read")
        methods = preflight.headers.get("access-control-allow-methods", "")
        if "DELETE" not in methods or "PATCH" not in methods:
            return self.wrong(f"a preflight allows {shortened(methods) or 'no method'}")
        return self.ok(f"pages of {origin} may use the server, and of other sites none")


class Cookie(Check):
    name = "cookie"
    proves = "The cookie of a sign-in comes with its flags, and counts."
    needs_user = True
    advice = Advice(
        "Scripts can read the cookie, other sites send it along, or nobody stays signed in.",
        "Pass Set-Cookie and Cookie on as they are. Without Secure and the name __Host-…, the app does not know "
        "of https.",
        (
            Line("nginx", "proxy_cookie_", remove=True),
            Line("haproxy", "http-response replace-header Set-Cookie", remove=True),
            Line("caddy", "header_down Set-Cookie", remove=True),
        ),
    )

    def why_not(self, site: Site) -> str:
        if site.visitor is not None and site.visitor.cookies is None:
            return "it needs a sign-in: --sign-up makes an account for it"
        return super().why_not(site)

    async def run(self, site: Site) -> Finding:
        assert site.visitor is not None
        token = site.visitor.token()
        # A balancer may have cookies of its own.
        given = [each for each in site.visitor.cookies or () if each.partition(";")[0].endswith(f"={token}")]
        if len(given) != 1:
            return self.wrong(f"a sign-up is answered with {len(given) or 'no'} cookies for the session")
        pair, *attributes = (part.strip() for part in given[0].split(";"))
        flags = {part.lower() for part in attributes}
        wanted = {"httponly", "samesite=lax", "path=/"} | ({"secure"} if site.is_https else set())
        if not wanted <= flags:
            return self.wrong(f"the cookie lacks {', '.join(sorted(wanted - flags))}")
        if site.is_https and not pair.startswith(HOST_PREFIX):
            return self.wrong(f"the cookie's name does not begin with {HOST_PREFIX}")
        if any(part.startswith("domain=") for part in flags):
            return self.wrong("the cookie has a domain: every host below it gets it, too")
        answer = await site.ask("GET", "/v1/session", headers={"Cookie": pair})
        if answer.status != 200:
            return self.wrong(f"a request with the cookie is answered {answer.said()}")
        return self.ok("it has its flags, and counts")
