"""Rolling updates, scaling, crashes and restarts of the compose stack under load: no message is lost."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from serving import ROOT, until

from .readme import blocks, paste
from .stack import Stack, StackFailed, run
from .talk import Result, talk


def judge(result: Result, passing: tuple[str, ...] = ()) -> None:
    """Checks that every acknowledged message was delivered once and in order to every device."""
    print(json.dumps(result.figures(), indent=1))
    assert result.level
    assert not result.violations(passing)


def test_the_app_containers_are_replaced_under_load(stack: Stack) -> None:
    *_, change = blocks()
    _, roll = change.strip().splitlines()
    old = stack.containers("app")
    result = asyncio.run(talk(stack, lambda: paste(stack, roll), name="roll"))
    # A connection that the kernel had taken, and the app not yet, ends with its container: then the sender tries again.
    judge(result, passing=("502",))
    assert result.outcomes()["502"] <= 2
    assert len(stack.containers("app")) == 2
    assert not set(old) & set(stack.containers("app"))
    # Every stream was moved at least once, and nobody had to wait for long.
    assert len(result.gaps()) >= len(result.history.devices)
    assert max(result.gaps()) < 10


def test_a_new_version_that_never_gets_ready_replaces_one_container_and_no_more(stack: Stack, tmp_path: Path) -> None:
    old = stack.containers("app")
    good = stack.podman("image", "inspect", "--format", "{{.Id}}", stack.image).strip()
    (tmp_path / "Dockerfile").write_text(f'FROM {good}\nENTRYPOINT ["sleep"]\nCMD ["600"]\n')
    stack.podman("build", "-t", stack.image, str(tmp_path))

    def roll() -> None:
        with pytest.raises(StackFailed, match="is not well within 5 seconds"):
            run(str(ROOT / "deploy" / "roll"), env={**stack.environment, "PATIENCE": "5", "GRACE": "12"})

    try:
        result = asyncio.run(talk(stack, roll, name="bad"))
    finally:
        stack.podman("tag", good, stack.image)
        for container in stack.containers("app", everything=True):
            if container != old[1]:
                stack.podman("rm", "--force", container)
        stack.up("--no-recreate")
    judge(result, passing=("502",))
    assert old[1] in stack.containers("app")


def test_more_app_containers_come_while_people_chat_and_take_streams(stack: Stack) -> None:
    *_, change = blocks()
    scale, _ = change.strip().splitlines()
    old = stack.containers("app")

    def more() -> None:
        paste(stack, scale)
        stack.wait_ready()
        time.sleep(2)  # the front asks for the addresses every second

    result = asyncio.run(talk(stack, more, name="more"))
    judge(result)
    assert result.outcomes().keys() == {"201"}
    assert not result.gaps()
    assert len(stack.containers("app")) == 4
    assert set(old) < set(stack.containers("app"))
    with stack.client("more0") as reader:
        request = reader.build_request("GET", "/v1/events")
        streams = [reader.send(request, stream=True) for _ in range(8)]
        until(lambda: min(stack.connections()) >= 2)
        for stream in streams:
            stream.close()
    stack.remove_newest("app", 2)


def test_app_containers_that_are_killed_lose_nothing_and_come_back(stack: Stack) -> None:
    def crash_each() -> None:
        for container in stack.containers("app"):
            stack.crash(container)
            time.sleep(1)

    result = asyncio.run(talk(stack, crash_each, name="crash"))
    # A send that was under way is answered 502: the front cannot know what came of it, and its sender tries again.
    judge(result, passing=("502",))
    assert len(result.gaps()) >= len(result.history.devices) / 2


def test_the_stack_comes_back_with_every_message_and_every_session(stack: Stack) -> None:
    result = asyncio.run(talk(stack, lambda: None, people=3, writers=3, name="keep"))
    judge(result)
    stack.compose("up", "-d", "--scale", "app=3")
    stack.compose("down", "--remove-orphans")
    assert not stack.containers()
    stack.up()
    total = 0
    for conversation in result.history.members:
        user = result.history.members[conversation][0]
        with stack.client(user) as client:
            sent = {send.client_msg_id for send in result.history.sends if send.conversation == conversation}
            found, before = set(), ""
            while True:
                page = client.get(f"/v1/conversations/{conversation}/messages?limit=100{before}").json()
                found |= {message["client_msg_id"] for message in page["messages"]}
                if not page["has_more"]:
                    break
                before = f"&before={page['messages'][0]['seq']}"
        assert found == sent
        total += len(found)
    assert total == len(result.history.sends) > 0
    assert not stack.tls_changed()


def test_a_container_says_that_it_is_not_well_when_redis_is_away(stack: Stack) -> None:
    [redis] = stack.containers("redis")
    stack.podman("pause", redis)
    try:
        until(lambda: not any(map(stack.healthy, stack.containers("app"))), 30)
    finally:
        stack.podman("unpause", redis)
    stack.wait_ready()
