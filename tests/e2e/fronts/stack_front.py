"""Runs deploy/Caddyfile, the proxy of the stack, without containers."""

import json
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.fronting import CONFIGURATIONS, HOST, KINDS, NAME, Front, free_ports

EVERY = (*KINDS, "stack")
"""Each configuration in deploy/."""


def make_front(kind: str, folder: Path, apps: Sequence[str], **times: int) -> Front:
    """Returns the proxy of this kind."""
    return StackFront(folder, apps, **times) if kind == "stack" else Front(kind, folder, apps, **times)


class StackFront(Front):
    """Caddy with deploy/Caddyfile as it is, but for its addresses.

    In the stack the name `app` stands for the containers. There is no such name here, so Caddy itself makes JSON of the
    file, and in that the addresses of `apps` take the place of the name.
    """

    def __init__(self, folder: Path, apps: Sequence[str], **times: int) -> None:
        """`folder` is its own. The times are not this configuration's: it has them fixed."""
        self._apps = apps
        super().__init__("caddy", folder, apps, **times)
        self.kind = "stack"

    def _fill_in(self) -> Path:
        shipped = CONFIGURATIONS.parent / "Caddyfile"
        environment = {**self._all(), "CHAT_SITE": f"{NAME}:{self.port}"}
        adapted = subprocess.run(
            ["caddy", "adapt", "--config", str(shipped), "--adapter", "caddyfile"],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        configuration = json.loads(adapted.stdout)
        configuration["admin"] = {"disabled": True}
        http = configuration["apps"]["http"]
        http["http_port"], http["https_port"] = self.plain_port, self.port
        for server in http["servers"].values():
            own = server["listen"] == [f":{self.port}"]
            server["listen"] = [f"{HOST}:{self.port if own else free_ports(1)[0]}"]
        proxies = list(_proxies(configuration))
        assert len(proxies) >= 3, "one for reads, one for the rest, one for the health check"
        for proxy in proxies:
            names = proxy.pop("dynamic_upstreams", None) or proxy["upstreams"]
            assert "app" in json.dumps(names)
            proxy["upstreams"] = [{"dial": address} for address in self._apps]
        filled = self.folder / "caddy.json"
        filled.write_text(json.dumps(configuration))
        return filled

    @property
    def _command(self) -> list[str]:
        return ["caddy", "run", "--config", str(self._configuration)]

    def trust(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.folder / "caddy/pki/authorities/local/root.crt")
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def _proxies(part: Any) -> Iterator[dict[str, Any]]:
    """The handlers in a configuration that pass requests on."""
    if isinstance(part, dict) and part.get("handler") == "reverse_proxy":
        yield part
    elif isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            yield from _proxies(each)
