"""Static checks of deploy/; `bash tests/run --stack` runs it."""

import re
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from serving import ROOT
from ssechat.server import KILL_SECONDS
from ssechat.settings import Settings, variable

DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
SETTING = re.compile(r"\$\{(CHAT_\w+):-([^}]*)\}")


def locked(name: str) -> dict[str, str]:
    """The packages in a lock and their versions."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (DEPLOY / name).read_text(), re.MULTILINE))


def test_the_lock_has_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {"requirements.lock": project["project"]["dependencies"], "build.lock": project["build-system"]["requires"]}
    for lock, requirements in asked.items():
        versions = locked(lock)
        for requirement in map(Requirement, requirements):
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement}: {version} is locked (deploy/renew-locks)"


def test_every_locked_package_has_its_hashes_and_no_place_of_its_own() -> None:
    for lock in ("requirements.lock", "build.lock"):
        text = (DEPLOY / lock).read_text()
        pins = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins)
        assert "://" not in text
        assert "--index" not in text


def test_the_compose_file_is_what_the_specification_allows() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, DEPLOY / "compose.yaml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_has_every_setting_of_the_compose_file_with_its_default() -> None:
    example = dict(re.findall(r"^(CHAT_\w+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    used = SETTING.findall(COMPOSE)
    assert dict(used) == example
    assert all(example[name] == default for name, default in used)
    assert COMPOSE.count("${") == len(used)


def test_every_image_is_pinned_by_its_version_and_its_digest() -> None:
    defaults = dict(SETTING.findall(COMPOSE))
    images = {name: default for name, default in defaults.items() if name.endswith("_IMAGE")}
    services = re.findall(r"^    image: (.*)$", COMPOSE, re.MULTILINE)
    assert all(SETTING.fullmatch(image) for image in services)
    own = images.pop("CHAT_IMAGE")
    assert own.startswith("localhost/")  # built here
    assert len(images) == len(services)
    pinned = re.compile(r"docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+(-[a-z-]+)?@sha256:[0-9a-f]{64}")
    assert all(pinned.fullmatch(image) for image in images.values()), images
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^ARG PYTHON=(.*)$", dockerfile, re.MULTILINE) == [images["CHAT_PYTHON_IMAGE"]]
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON}"}


def test_every_variable_that_the_containers_get_is_a_setting_of_the_server() -> None:
    known = {variable(name) for name in Settings.model_fields}
    named = re.findall(r"\b(SSECHAT_[A-Z_]+)\b", COMPOSE + (DEPLOY / "Dockerfile").read_text())
    assert named
    assert set(named) <= known


def test_an_app_container_has_time_to_drain_before_it_is_killed() -> None:
    app = COMPOSE.partition("\n  app:\n")[2].partition("\n  redis:\n")[0]
    [compose] = re.findall(r"stop_grace_period: (\d+)s", app)
    [roll] = re.findall(r"^grace=\$\{GRACE:-(\d+)\}", (DEPLOY / "roll").read_text(), re.MULTILINE)
    drain = Settings.model_fields["drain_seconds"].default + KILL_SECONDS
    assert int(compose) == int(roll) > drain


def test_the_front_gives_up_an_idle_connection_before_the_app_does() -> None:
    kept = re.findall(r"^\s*keepalive (\d+)s$", (DEPLOY / "Caddyfile").read_text(), re.MULTILINE)
    assert len(kept) == 2
    assert all(int(seconds) < Settings.model_fields["keep_alive_seconds"].default for seconds in kept)
