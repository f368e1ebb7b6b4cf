"""One attack: a server with two workers, its people, and Schemathesis."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.attack.world import EMOJI, NAMES, TOKEN, URL, World, build
from e2e.api import mint
from serving import Server, environment

SERVER_OPTIONS = (
    "--workers", "2",
    # Quotas would refuse most requests, and have tests of their own.
    "--sign-ups-per-address", "0",
    "--failed-sign-ins-per-address", "0",
    "--failed-sign-ins-per-account", "0",
    "--deliveries-per-user", "0",
    # A stream has its first pings soon; Schemathesis reads STREAM_EVENTS of it.
    "--ping-seconds", "0.2",
    "--feeds", "anybody",
)  # fmt: skip

STREAM_EVENTS = 4
"""`retry`, `hello`, and a replay or pings."""

PHASES = ("examples", "coverage", "fuzzing", "stateful")

LIKELY = 0.8
"""How often a parameter is something that there is."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of an attack."""

    seed: int
    examples: int = 10
    """Requests an operation, in the phase of random ones and in that of sequences."""
    seconds: int | None = None
    """If it is given, random requests and sequences go on until then."""
    only: str | None = None
    """The id of the one operation that is attacked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and what there is on it."""

    server: Server
    world: World

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator["Target"]:
        """A new server with two workers."""
        with Server(folder / "data", *SERVER_OPTIONS) as server:
            yield cls(server, build(server.url))

    def attack(self, options: Options, folder: Path, document: Path | None = None) -> tuple[int, str]:
        """Schemathesis' exit code and report. `document` is what it holds the server against, if not against its own,
        the one in OpenAPI 3.2: that describes events, too."""
        config = folder / "schemathesis.toml"
        config.write_text(_toml(configuration(options, self.world)))
        url = self.server.url
        result = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color"),
                *((str(document), "--url", url) if document is not None else (f"{url}/openapi-3.2.json",)),
                *(("--include-operation-id", options.only) if options.only is not None else ()),
            ],
            cwd=folder,
            env=environment({URL: url, TOKEN: mint(self.server, NAMES[0], 86_400)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return result.returncode, result.stdout


def configuration(options: Options, world: World) -> Mapping[str, Any]:
    """Schemathesis' configuration for this world."""
    found: dict[str, Any] = {
        "seed": options.seed,
        "hooks": "contract.attack.hooks",
        "continue-on-failure": True,
        "request-timeout": 20,
        "max-stream-events": STREAM_EVENTS,
        "generation": {"max-examples": options.examples, "database": "none"},
        "phases": {name: {"enabled": True} for name in PHASES},
        # All of them, those that are off by default included.
        "checks": {"enabled": True},
        "output": {"truncation": {"enabled": False}},
        "warnings": False,
        "dictionaries": {
            "conversations": {"values": world.conversations},
            "groups": {"values": world.groups},
            "seqs": {"values": [1, 2, 3]},
            "people": {"values": [*NAMES]},
            "emoji": {"values": [EMOJI, "❤️", "🎉"]},
            "invites": {"values": world.invites},
            "secrets": {"values": world.secrets},
            "feeds": {"values": world.feeds},
        },
        "parameters": {
            name: {"dictionary": dictionary, "probability": LIKELY}
            for name, dictionary in {
                "path.id": "conversations",
                "path.name": "feeds",
                "path.seq": "seqs",
                "path.user": "people",
                "path.emoji": "emoji",
                "path.invite": "invites",
                "query.user": "people",
                "body.to": "people",
                "body.conversation_id": "conversations",
                "body.reply_to": "seqs",
                "body.secret": "secrets",
            }.items()
        },
        "operations": [
            {"include-operation-id": "show_user", "parameters": {"path.id": {"dictionary": "people"}}},
        ],
    }
    if options.seconds is not None:
        found["max-time"] = options.seconds
    return found


def _toml(table: Mapping[str, Any]) -> str:
    """TOML of a nested table: in it an inline table is JSON with equals signs."""
    return "".join(f"{name} = {_inline(value)}\n" for name, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
