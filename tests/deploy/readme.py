"""The stack as deploy/README.md says it, pasted into a shell with podman-compose in the place of Docker's compose."""

import re
import subprocess

from serving import ROOT

from .stack import COMMAND_SECONDS, Stack

DOCKER = 'docker() { shift; eval "$COMPOSE" \'"$@"\'; }'
"""`docker compose …` is podman-compose here."""


def blocks() -> list[str]:
    """The shell blocks of the section."""
    text = (ROOT / "deploy" / "README.md").read_text()
    [section] = re.findall(r"^## The stack\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def paste(stack: Stack, script: str, before: str = "") -> str:
    """Runs it in the top folder, as a person would, but for the port; what it said on stdout."""
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{DOCKER}\n{before}\n{script.replace('https://localhost', stack.url)}"],
        cwd=ROOT,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout
