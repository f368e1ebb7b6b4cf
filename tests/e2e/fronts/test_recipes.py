"""The commands in the comments of the proxy configurations work."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from bench.fronting import CONFIGURATIONS, free_ports, make_certificate
from serving import environment

FILES = ("nginx.conf", "haproxy.cfg", "Caddyfile")


def recipe(file: str) -> str:
    """The shell lines in the comment on top."""
    comment = (CONFIGURATIONS / file).read_text().split("\n\n")[0]
    return "\n".join(re.findall(r"^#   (.*)$", comment, re.MULTILINE))


@pytest.mark.parametrize("file", FILES)
def test_the_recipe_on_top_gives_a_configuration_that_is_accepted(file: str, tmp_path: Path) -> None:
    script = recipe(file)
    if file == "nginx.conf":
        script = script.replace("-g 'daemon off;'", "-t")
    script = script.replace("caddy run", "caddy validate --adapter caddyfile").replace("haproxy -W", "haproxy -c")
    port, plain = free_ports(2)
    for name, value in {
        "FRONT_CERTIFICATE": str(make_certificate(tmp_path)),
        "FRONT_RUN": str(tmp_path),
        "FRONT_PORT": str(port),
        "FRONT_HTTP_PORT": str(plain),
    }.items():
        script = re.sub(rf"{name}=\S+", f"{name}={shlex.quote(value)}", script)
    extra = {"PATH": f"{environment()['PATH']}:/usr/sbin:/sbin", "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-euc", script], cwd=CONFIGURATIONS, env=environment(extra), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.search("successful|is valid|Valid configuration", done.stdout + done.stderr)


def test_nginxs_recipe_names_every_placeholder() -> None:
    # The others have defaults.
    used = set(re.findall(r"\$\{(FRONT_[A-Z0-9_]+)\}", (CONFIGURATIONS / "nginx.conf").read_text()))
    assert used == set(re.findall(r"(FRONT_[A-Z0-9_]+)=", recipe("nginx.conf")))
