"""An OpenID provider that issues tokens to everybody (oidc-provider-mock), in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx

from serving import until

CLIENT_ID = "ssechat"
REDIRECT = "http://127.0.0.1:9/signed-in"
"""Where the provider would send a browser; nobody listens there."""


class Provider:
    """A running provider."""

    def __init__(self, http: httpx.Client, found: Mapping[str, str]) -> None:
        self._http = http
        self._found = found

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return self._found["issuer"]

    @property
    def jwks_url(self) -> str:
        """Where it publishes its keys."""
        return self._found["jwks_uri"]

    def sign_in(self, user: str, *, client_id: str = CLIENT_ID) -> str:
        """Goes through the authorization code flow as a browser and an application do; returns the ID token."""
        query = {
            "client_id": client_id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s",
        }
        endpoint = self._found["authorization_endpoint"]
        assert self._http.get(endpoint, params=query).status_code == 200
        answer = self._http.post(endpoint, params=query, data={"sub": user})
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"].startswith(REDIRECT)
        [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        tokens = self._http.post(self._found["token_endpoint"], data=grant, auth=(client_id, "any secret"))
        assert tokens.status_code == 200, tokens.text
        return str(tokens.json()["id_token"])


@contextmanager
def provider(*users: Mapping[str, object]) -> Iterator[Provider]:
    """A provider that knows these users: their claims, `sub` among them."""
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", "0"]
    for user in users:
        command += ["--user-claims", json.dumps(user)]
    # Without SSECHAT_* and the proxies of this machine.
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**environment, "NO_COLOR": "1"}
    ) as process:
        try:
            assert process.stderr is not None
            os.set_blocking(process.stderr.fileno(), False)
            said = b""

            def listens() -> "re.Match[bytes] | None":
                nonlocal said
                assert process.stderr is not None
                assert process.poll() is None, said.decode()
                said += process.stderr.read() or b""
                return re.search(rb"running on (http://[\w.]+:\d+)", said)

            until(listens, 20)
            found = listens()
            assert found is not None
            with httpx.Client(timeout=20, trust_env=False) as http:
                yield Provider(http, http.get(f"{found[1].decode()}/.well-known/openid-configuration").json())
        finally:
            process.terminate()
            process.wait(10)
