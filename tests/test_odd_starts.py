"""Odd ways to start the program: closed standard streams, no home folder, any data folder, in the background."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from serving import ROOT, Server, environment, interruptible, until
from ssechat.settings import Settings, flag, load_settings

CODES = {0, 1, 2, 130}


COMMANDS = {
    "version": "--version",
    "token": "token alice",
    "input": "send --server http://127.0.0.1:9 --user alice --timeout 0.2 bob -",
    "refused": "serve --port x",
}
CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full")


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_or_full_standard_stream_is_no_traceback(tmp_path: Path, command: str, closed: str) -> None:
    (tmp_path / "jwt.key").write_text("k" * 32)
    errors = tmp_path / "errors"
    # Python writes some errors to the real standard error, also if sys.stderr is replaced.
    line = f"{sys.executable} -m ssechat {COMMANDS[command]} </dev/null 2>>{errors} {closed}"
    result = subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, env=environment({"SSECHAT_DATA": str(tmp_path)}), timeout=60
    )
    said = errors.read_text() + result.stderr.decode()
    assert result.returncode in CODES, said
    for word in ("Traceback", "Exception ignored", "Fatal", "Warning"):
        assert word not in said
    if command == "version":
        assert result.returncode == (1 if ">/dev/full" in closed.split("2>")[0] else 0)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "</dev/null >/dev/full"])
def test_a_server_with_closed_standard_streams_serves(tmp_path: Path, closed: str) -> None:
    line = f'exec {sys.executable} -m ssechat "$@" {closed}'
    program = ("-c", f"import os, sys; os.execl('/bin/bash', 'bash', '-c', {line!r}, *sys.argv)", "serve")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/healthz/ready", trust_env=False).status_code == 200
        return False

    server = Server(tmp_path / "data", "--workers", "1", program=program, port=port)
    try:
        until(ready, 30)
        for worker in server.workers():
            # No socket must get the numbers 0 to 2, to which libraries write.
            for number in range(3):
                assert "socket" not in str(Path(f"/proc/{worker.pid}/fd/{number}").readlink())
        assert server.stop() == 0
    finally:
        server.close()


WITHOUT_HOME = (
    "import pwd, sys\n"
    "def unknown(*_): raise KeyError('no such user')\n"
    "pwd.getpwuid = unknown\n"
    "from ssechat.__main__ import run\n"
    "sys.exit(run())\n"
)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("--help",), 0),
        (("serve", "--help"), 0),
        (("token", "alice", "--data", "{data}"), 0),
        (("token", "alice", "--key-file", "{data}/jwt.key"), 2),
        (("token", "alice"), 2),
        (("token", "alice", "--data", "~/x"), 2),
        (("serve",), 2),
        (("listen", "--token", "t", "--server", "chat"), 2),
        (("send", "--token", "t", "--server", "http://127.0.0.1:9", "--timeout", "0.2", "bob", "hi"), 1),
    ],
)
def test_a_user_without_a_home_folder_is_served(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    (tmp_path / "jwt.key").write_text("k" * 32)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME, *(each.format(data=tmp_path) for each in arguments)],
        capture_output=True,
        env={"PYTHONPATH": str(ROOT / "src")},
        timeout=60,
    )
    said = result.stderr.decode()
    assert result.returncode == code, said
    assert "Traceback" not in said
    if code == 2 and "--server" not in arguments:
        assert said.startswith("ssechat: --data: ")
        assert said.count("\n") == 1


def extremes(largest: bool) -> dict[str, str]:
    """Each numeric setting at its limit, if any machine supports it."""
    found = {}
    for name, field in Settings.model_fields.items():
        schema = Settings.model_json_schema()["properties"][name]
        limit = schema.get("maximum" if largest else "minimum", schema.get("exclusiveMinimum"))
        if limit is not None and name not in ("port", "workers"):
            integer = schema["type"] == "integer"
            found[name] = str(limit if integer or largest or "minimum" in schema else limit + 0.001)
        assert field.description
    return found


@pytest.mark.parametrize("largest", [True, False])
def test_a_server_starts_with_every_number_at_its_limit(tmp_path: Path, largest: bool) -> None:
    chosen = extremes(largest)
    assert len(chosen) >= 10
    if not largest:
        chosen["redis_timeout"] = "2"  # Redis refuses a lower value
    given = [word for name, value in chosen.items() for word in (flag(name), value)]
    assert load_settings(chosen, {})
    with Server(tmp_path / "data", "--workers", "1", *given) as server:
        assert server.stop(seconds=90) == 0
        assert "Traceback" not in server.errors


FOLDERS = (
    'new\nline "quote"s\' per%cent%20 ha#sh?query back\\slash $(date)`x` ünï-💬 a*b[c] esc\x1b[31m semi;colon=@: {} ',
    "--dir",
    "x" * 200,
    "trailing/",
)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_data_folder_of_any_name_is_good(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with Server(Path(f"{folder}{'/' if name.endswith('/') else ''}"), "--workers", "1") as server:
        assert (folder / "jwt.key").is_file()
        assert (folder / "redis" / "redis.log").is_file()
        token = subprocess.run(
            [sys.executable, "-m", "ssechat", "token", "alice", "--create", "--data", str(folder)],
            capture_output=True,
            env=environment(),
        )
        assert token.returncode == 0
        assert server.stop() == 0
        assert server.errors == ""
        assert "\x1b" not in server.output
        assert [line.split()[0] for line in server.output.splitlines()] == [
            "ssechat",
            "data",
            "redis",
            "workers",
            "Ctrl-C",
        ]


@pytest.mark.parametrize(
    "name", ["file", "file/inside", "bad\udcff", "x" * 256, "unlockable", "keyless", "redisless", "metrics-file"]
)
def test_a_data_folder_that_cannot_be_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "unlockable" / "lock").mkdir(parents=True)
    (tmp_path / "keyless" / "jwt.key").mkdir(parents=True)
    (tmp_path / "redisless").mkdir()
    (tmp_path / "redisless" / "redis").touch()
    (tmp_path / "metrics-file").mkdir()
    (tmp_path / "metrics-file" / "metrics").touch()
    command = [
        sys.executable,
        "-m",
        "ssechat",
        "serve",
        "--port",
        "0",
        "--workers",
        "1",
        "--data",
        str(tmp_path / name),
    ]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        started = process.stdout.readline()
        if started:
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    said = err.decode()
    assert "Traceback" not in said
    if name == "metrics-file":
        assert started, "metrics are no reason not to serve"
        return
    assert process.returncode == 2
    assert said.startswith("ssechat: ")
    assert said.count("\n") == 1


INTERRUPTED_EARLY = (
    "import sys\n"
    "module = sys.argv.pop(1)\n"
    "class Interrupting:\n"
    "    def find_spec(self, name, *_):\n"
    "        if name == module: raise KeyboardInterrupt\n"
    "sys.meta_path.insert(0, Interrupting())\n"
    "from ssechat.__main__ import run\n"
    "sys.exit(run())\n"
)


@pytest.fixture(params=["in front", "in the background"])
def _started(request: pytest.FixtureRequest) -> Iterator[None]:
    """Started as from a terminal, and as in the background (`nohup`, some CI runners)."""
    before = signal.getsignal(signal.SIGINT)
    if request.param == "in the background":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_started")
@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (("send", "--token", "t", "--server", "http://127.0.0.1:9", "bob", "hi"), "retrying in"),
        (("listen", "--token", "t", "--server", "http://127.0.0.1:9"), "reconnecting in"),
        (("group", "list", "--token", "t", "--server", "http://127.0.0.1:9"), "retrying in"),
        (("send", "--token", "t", "--server", "http://127.0.0.1:9", "bob", "-"), ""),
        (("group", "join", "--token", "t", "--server", "http://127.0.0.1:9"), ""),
    ],
)
def test_sigint_is_quiet_while_a_command_waits(arguments: tuple[str, ...], first: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ssechat", *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=interruptible,
    ) as process:
        assert process.stderr is not None
        if first:
            assert first in process.stderr.readline()
        else:
            pipe = process.stdin
            assert pipe is not None
            pipe.write("half of")
            pipe.flush()
            until(lambda: not _unread(pipe))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read().strip() == ""


@pytest.mark.parametrize("end", ["interrupt", "end of input"])
def test_a_question_for_a_secret_can_be_left_quietly(end: str) -> None:
    ours, terminal = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "ssechat", "group", "join", "--token", "t", "--server", "http://127.0.0.1:9"],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,  # without the terminal of who runs the tests
            preexec_fn=interruptible,
        ) as process:
            assert process.stderr is not None
            asked = b"The invitation's secret:"
            assert process.stderr.read(len(asked)) == asked
            # Only then is what is typed not shown.
            until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO)
            if end == "interrupt":
                process.send_signal(signal.SIGINT)
            else:
                os.write(ours, b"\x04")
            assert process.wait(20) == 130
            assert process.stderr.read().strip() == b""
    finally:
        os.close(ours)
        os.close(terminal)


def _unread(pipe: IO[str]) -> bytes:
    """The number of unread bytes in a pipe as the kernel writes it; empty without any."""
    return fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)).strip(b"\0")


@pytest.mark.parametrize("module", ["click", "ssechat.cli.main", "ssechat.client", "httpx", "jwt"])
def test_sigint_is_quiet_while_modules_are_imported(tmp_path: Path, module: str) -> None:
    (tmp_path / "jwt.key").write_text("k" * 32)
    command = ["send", "--user", "alice", "--data", str(tmp_path), "--server", "http://127.0.0.1:9", "bob", "hi"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_EARLY, module, *command], capture_output=True, env=environment(), timeout=60
    )
    assert result.returncode == 130
    assert result.stderr.decode().strip() == ""


def test_a_start_on_data_of_another_format_is_one_sentence_and_changes_none_of_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data, "--workers", "1") as server:
        server.wait_ready()
        assert server.stop() == 0
    [log] = (data / "redis" / "appendonlydir").glob("*.incr.aof")
    known = b"ssechat:format\r\n$1\r\n"
    assert log.read_bytes().count(known + b"2") == 1
    log.write_bytes(log.read_bytes().replace(known + b"2", known + b"9"))
    kept = [data / "jwt.key", *(data / "redis" / "appendonlydir").iterdir()]
    before = [path.read_bytes() for path in kept]
    command = [sys.executable, "-m", "ssechat", "serve", "--port", "0", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "ssechat: the data in the data folder was written by another version (format '9')" in done.stderr
    assert [path.read_bytes() for path in kept] == before
