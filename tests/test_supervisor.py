"""`ssechat serve` from outside: real processes, and an app of a few lines in the workers."""

import asyncio
import fcntl
import os
import re
import signal
import socket
import subprocess
import termios
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from serving import Server, accepts, environment, redis_binaries, until
from ssechat import __version__
from ssechat.backoff import Backoff
from ssechat.errors import SettingsError
from ssechat.server.folder import DataFolder
from ssechat.server.sockets import listen
from ssechat.server.supervised_worker import FIRST_PAUSE, LONGEST_PAUSE, SupervisedWorker
from ssechat.server.worker_process import WorkerFailed, WorkerOptions, WorkerProcess
from ssechat.settings import load_settings
from stub import WORKER_ARGUMENTS

STUB = ("-m", "stub", "serve")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The supervisor's loop: uvloop does not know some of subprocess.Popen's options."""
    return "asyncio"


def stub(data: Path, *arguments: str, how: str = "", port: int = 0) -> Server:
    return Server(data, *arguments, program=STUB, extra_environment={"STUB": how}, port=port)


def worker_pids(server: Server) -> set[int]:
    return {worker.pid for worker in server.workers()}


def answers(server: Server) -> int:
    """The process id of the worker that responds on a new connection."""
    with httpx.Client(trust_env=False, timeout=20) as client:
        return int(client.get(server.url + "/pid").text)


def refused(server: Server) -> tuple[int, str]:
    """The exit code and stderr of a server that must not start."""
    try:
        return server.process.wait(30), server.errors
    finally:
        assert not server.family()
        server.close()


def test_serve_stops_and_leaves_no_process_behind(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "2") as server:
        assert answers(server) in worker_pids(server)
        assert len(worker_pids(server)) == 2
        assert server.output.startswith(f"ssechat {__version__} is ready: http://127.0.0.1:")
        assert str(tmp_path / "data") in server.output
        groups = [os.getpgid(process.pid) for process in server.family()]
        assert len(set(groups)) == 3, "Ctrl-C must reach the supervisor only"
        assert os.getpgid(server.process.pid) not in groups
        assert server.stop() == 0
        assert server.errors == ""


def test_sigint_stops_the_server_without_a_traceback(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        assert server.stop(signal.SIGINT) == 0
        assert server.errors == ""


def test_sigint_during_the_start_stops_the_server(tmp_path: Path) -> None:
    server = stub(tmp_path / "data", "--workers", "1", how="slow start")
    try:
        until(server.workers, 20)
        assert server.stop(signal.SIGINT) == 0
        assert "Traceback" not in server.errors
    finally:
        server.close()


def test_a_second_sigint_does_not_wait_for_the_workers(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        stuck = threading.Thread(target=_ignore_errors, args=(server.url + "/stuck",))
        stuck.start()
        until(lambda: server.workers()[0].net_connections("tcp"))
        time.sleep(0.5)
        server.send_signal(signal.SIGINT)
        time.sleep(0.5)
        started = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < 4
        stuck.join()


def _ignore_errors(url: str) -> None:
    try:
        httpx.get(url, timeout=30, trust_env=False)
    except httpx.TransportError:
        return


def test_graceful_shutdown_answers_requests_under_way(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        statuses: list[int] = []
        url = server.url + "/slow"
        request = threading.Thread(
            target=lambda: statuses.append(httpx.get(url, timeout=20, trust_env=False).status_code)
        )
        request.start()
        time.sleep(0.5)
        assert server.stop() == 0
        request.join()
        assert statuses == [200]


@pytest.mark.anyio
async def test_a_worker_that_is_stuck_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    listening = listen("127.0.0.1", 0, 1)
    kind = WorkerOptions(load_settings({}, {}), arguments=WORKER_ARGUMENTS)
    worker = SupervisedWorker(kind, [each.fileno() for each in listening.of_workers[0]], grace=0.3)
    await worker.start()
    assert worker.current is not None
    stuck = psutil.Process(worker.current.pid)
    stuck.suspend()
    await worker.stop()
    assert not stuck.is_running()
    listening.close()


def test_sighup_of_a_closed_terminal_stops_the_server(tmp_path: Path) -> None:
    ours, its = os.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    with Server(tmp_path / "data", "--workers", "1", program=STUB, terminal=its, before_start=own_terminal) as server:
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart done" in server.errors, 20)
        os.close(its)
        os.close(ours)
        until(server.gone, 20)
        assert server.process.returncode == 0


def test_a_worker_that_dies_is_replaced_and_no_connection_is_refused(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        [old] = server.workers()
        old.kill()
        assert answers(server) != old.pid
        assert f"worker {old.pid} ended (SIGKILL); starting another" in server.errors


@pytest.mark.anyio
async def test_back_off_grows_for_workers_that_keep_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    worker = SupervisedWorker(WorkerOptions(load_settings({}, {})), listening_fds=[0], grace=1)

    async def start(**_: bool) -> None:
        if len(pauses) < 8:
            raise WorkerFailed("dead")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(worker, "start", start)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await worker._restart(Backoff(FIRST_PAUSE, LONGEST_PAUSE, at_once=True))
    assert pauses == [0, 0.5, 1, 2, 2, 2, 2, 2]


def test_a_worker_that_cannot_restart_is_retried_until_it_can(tmp_path: Path) -> None:
    dies = tmp_path / "dies"
    with stub(tmp_path / "data", "--workers", "1", how=f"file:{dies}") as server:
        dies.touch()
        server.workers()[0].kill()
        until(lambda: "trying again" in server.errors, 20)
        dies.unlink()
        assert answers(server)


def test_the_private_redis_is_started_again_when_it_dies(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        old = server.redis()
        old.kill()
        until(lambda: "the private Redis is back" in server.errors)
        assert server.redis().pid != old.pid


@pytest.mark.parametrize("how", ["settings", "die"])
def test_workers_that_cannot_start_stop_the_server_and_say_why(tmp_path: Path, how: str) -> None:
    code, errors = refused(stub(tmp_path / "data", "--workers", "2", how=how))
    assert code == 1
    if how == "settings":
        assert errors == "ssechat: the stub was told to refuse its settings\n"
    else:
        assert "RuntimeError: the stub was told to die" in errors
        assert errors.endswith("ssechat: a worker ended at start (exit code 1)\n")


def test_after_sigkill_no_process_is_left_and_another_server_may_start(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "2") as server:
        port = server.port
        server.kill()
        with stub(tmp_path / "data", "--workers", "1", port=port) as second:
            assert server.gone()
            assert answers(second) in worker_pids(second)


def test_a_second_server_in_one_folder_is_refused(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1") as server:
        code, errors = refused(stub(tmp_path / "data", "--workers", "1"))
        assert code == 2
        told = f"ssechat: another ssechat serve (process {server.process.pid}) is using {tmp_path / 'data'}"
        assert told in errors
        assert errors.count("\n") == 1
        assert answers(server)


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, errors = refused(stub(tmp_path / "data", port=other.getsockname()[1]))
    assert code == 2
    assert "is taken" in errors


@pytest.mark.anyio
async def test_a_data_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrongs = {
        "{}/file": "is not a folder",
        "{}/file/in": "is inside something that is not",
        "/proc/ssechat": "cannot write to /proc/ssechat",
    }
    for wrong, text in wrongs.items():
        with pytest.raises(SettingsError, match=text):
            await DataFolder.take(Path(wrong.format(tmp_path)), patience=0)


def test_rolling_restart_by_sighup_drops_no_request(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "2") as server:
        old = worker_pids(server)
        failures: list[Exception] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    answers(server)
                except Exception as error:
                    failures.append(error)
                time.sleep(0.01)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            server.send_signal(signal.SIGHUP)
            until(lambda: "rolling restart done" in server.errors, 40)
        finally:
            done.set()
            asking.join()
        assert failures == []
        assert len(worker_pids(server)) == 2
        assert worker_pids(server).isdisjoint(old)
        # The new workers are watched, too.
        server.workers()[0].kill()
        until(lambda: len(worker_pids(server)) == 2)
        assert "Traceback" not in server.errors


def test_a_rolling_restart_that_fails_keeps_the_old_workers(tmp_path: Path) -> None:
    dies = tmp_path / "dies"
    with stub(tmp_path / "data", "--workers", "1", how=f"file:{dies}") as server:
        old = worker_pids(server)
        dies.touch()
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart given up" in server.errors, 20)
        assert worker_pids(server) == old
        assert answers(server) in old


def test_an_external_redis_is_used_and_its_weak_durability_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "given.sock"
    command = [
        str(redis_binaries()["6.2"]),
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--dir",
        str(tmp_path),
        "--save",
        "",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as redis:
        until(lambda: accepts(path))
        url = f"unix://{path}"
        with stub(tmp_path / "data", "--workers", "1", "--redis-url", url) as server:
            assert f"Redis 6.2.14 at {url}" in server.output
            assert "no append-only file" in server.errors
            assert httpx.get(server.url + "/redis", trust_env=False).text == url
            assert len(server.family()) == 1
            server.stop()
            assert redis.poll() is None
        redis.terminate()


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise SystemExit('imported from the current folder')")
    (tmp_path / "sitecustomize.py").write_text("")
    script = tmp_path / "bin" / "ssechat"
    script.parent.mkdir()
    script.write_text("import sys, runpy\nsys.argv[0] = 'ssechat'\nrunpy.run_module('stub', run_name='__main__')\n")
    with Server(tmp_path / "data", "--workers", "1", program=(str(script), "serve")) as server:
        assert answers(server)


def hanging(data: Path, *arguments: str, missed: int, how: str = "") -> Server:
    """A server with the stub app, whose workers hang on SIGUSR1."""
    extra = {"HANGING": "stub", "MISSED_BEATS": str(missed), "STUB": how}
    return Server(data, *arguments, program=("-m", "hanging", "serve"), extra_environment=extra)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGSTOP])
def test_a_worker_that_hangs_is_replaced_and_the_log_says_where_it_hung(tmp_path: Path, number: signal.Signals) -> None:
    with hanging(tmp_path / "data", "--workers", "1", missed=2) as server:
        [old] = server.workers()
        old.send_signal(number)
        time.sleep(0.2)
        assert answers(server) != old.pid  # waits in the queue that the new worker shares
        until(lambda: not old.is_running())
        assert re.search(rf"worker {old.pid} has not answered for \d s; starting another in its place", server.errors)
        assert f"worker {old.pid} is aborted; the stacks of its threads, if it can still write them:" in server.errors
        if number == signal.SIGUSR1:
            assert "Fatal Python error: Aborted" in server.errors
            assert re.search(r'File ".*hanging.py", line \d+ in hang_in_the_loop', server.errors)
        else:  # a stopped process handles only SIGKILL
            assert f"worker {old.pid} does not stop; killing it" in server.errors
        assert len(worker_pids(server)) == 1


def test_a_worker_that_hangs_is_not_ended_before_another_serves(tmp_path: Path) -> None:
    dies = tmp_path / "dies"
    with hanging(tmp_path / "data", "--workers", "1", missed=2, how=f"file:{dies}") as server:
        [old] = server.workers()
        dies.touch()
        old.send_signal(signal.SIGUSR1)
        until(lambda: "trying again" in server.errors, 20)
        assert old.is_running()
        (tmp_path / "data" / "go-on").touch()
        assert answers(server) == old.pid  # which serves again
        dies.unlink()
        until(lambda: not old.is_running(), 20)
        assert "is aborted" not in server.errors, "it was able to stop in order"
        assert answers(server) in worker_pids(server) - {old.pid}


def test_a_supervisor_that_was_stopped_itself_takes_no_worker_for_one_that_hangs(tmp_path: Path) -> None:
    with hanging(tmp_path / "data", "--workers", "2", missed=3) as server:
        before = worker_pids(server)
        everybody = [psutil.Process(server.process.pid), *server.workers()]
        for stopped in (everybody, everybody[:1]):
            for process in stopped:
                process.suspend()
            time.sleep(5)
            for process in stopped:
                process.resume()
            time.sleep(2.5)
        assert worker_pids(server) == before
        assert server.errors == ""


@pytest.mark.anyio
async def test_a_worker_that_hangs_while_it_starts_is_aborted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setenv("STUB", "slow start")
    listening = listen("127.0.0.1", 0, 1)
    options = WorkerOptions(load_settings({}, {}), arguments=WORKER_ARGUMENTS)
    worker = await WorkerProcess.spawn(options, [each.fileno() for each in listening.of_workers[0]], checks_redis=False)
    with pytest.raises(WorkerFailed, match="not ready within 2 seconds"):
        await worker.ready(limit=2)
    assert await worker.wait() == "SIGABRT"
    assert "is aborted" in caplog.text
    listening.close()


def test_a_rolling_restart_without_redis_keeps_the_old_workers_and_says_why(tmp_path: Path) -> None:
    with stub(tmp_path / "data", "--workers", "1", "--redis-timeout", "1") as server:
        old = worker_pids(server)
        server.redis().suspend()
        try:
            server.send_signal(signal.SIGHUP)
            until(lambda: "rolling restart given up" in server.errors, 20)
        finally:
            server.redis().resume()
        assert "did not answer within 1 seconds" in server.errors
        assert worker_pids(server) == old
        assert answers(server) in old
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart done" in server.errors, 20)
        assert worker_pids(server).isdisjoint(old)
