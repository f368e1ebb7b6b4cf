"""The list of needed Redis commands, keys and channels is complete, and is checked at the start."""

import ast
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ssechat
from redises import RedisProcess
from serving import ROOT
from ssechat.errors import SettingsError
from ssechat.redis import keys
from ssechat.redis.checks import check_key, check_redis
from ssechat.redis.refusals import parse_refusal
from ssechat.redis.rights import CHANNELS, COMMANDS, KEYS, NOBODY, OF_A_START, SCRIPT, TRIALS, WORDS

pytestmark = pytest.mark.anyio
SOURCES = Path(ssechat.__file__).parent
CALLED_IN_LUA = re.compile(r"""(?:(?<![\w.])(?:redis\.p?)?call|optional)\(\s*'([A-Za-z]+)'|= \{'([A-Z]+)',""")
SENDING = {"call", "send", "each", "write", "_call", "pipeline"}
"""Methods that send commands to Redis."""


def in_lua(text: str) -> set[str]:
    return {(found[1] or found[2]).upper() for found in CALLED_IN_LUA.finditer(text)}


def sent_by(source: str) -> set[str]:
    """The commands that a module sends: the first constant arguments of these methods."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING:
            given = [node.args, *(each.elts for each in ast.walk(node) if isinstance(each, ast.Tuple))]
            for arguments in given:
                first = arguments[0] if arguments else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.isupper():
                    found.add(first.value)
    return found


def modules() -> Iterator[tuple[Path, str]]:
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if path.name not in ("rights.py", "client.py") and "redis" in text:
            yield path, text


def test_every_command_of_the_code_and_of_its_scripts_is_on_the_list() -> None:
    in_scripts = set().union(*(in_lua(path.read_text()) for path in SOURCES.rglob("*.lua")))
    in_scripts |= set().union(*(in_lua(text) for _, text in modules()))
    in_code = set().union(*(sent_by(text) for _, text in modules()))
    assert in_scripts > {"HSET", "XADD", "PUBLISH", "EXPIRE"}
    assert in_code > {"GETDEL", "SUBSCRIBE", "EVALSHA", "PING"}
    assert in_lua(SCRIPT) >= in_scripts, "a script uses what the trial's script does not"
    tried = {str(command) for command, *_ in (*TRIALS, *OF_A_START)}
    of_our_own_redis = {"DBSIZE"}
    assert tried >= (in_code | in_scripts) - of_our_own_redis, "the code uses what is not tried"
    assert tried - in_code - in_scripts <= {"INFO"}, "something is asked for that nobody needs"


def test_every_key_and_channel_is_of_a_pattern_on_the_list() -> None:
    named = [
        *keys.of_conversation("x"),
        *keys.of_group("x"),
        keys.reactions("x"),
        keys.sent("x", 1)[1],
        *keys.of_group("x"),
        keys.reactions("x"),
        *keys.of_user("x"),
        keys.user("x"),
        keys.blocks("x"),
        keys.conversation("x"),
        keys.watch_lists("x"),
        *keys.of_feed("x"),
        *(
            keys.sessions("x"),
            keys.ticket("x"),
            keys.quota("x", "y"),
            keys.places("x"),
            keys.directory("x"),
            keys.KEY_FINGERPRINT,
            keys.FORMAT,
            keys.GROUPS,
            keys.FEEDS,
            keys.ROLLS,
            keys.roll("x"),
        ),
    ]
    makers = {name for name, value in vars(keys).items() if callable(value) and value.__module__ == keys.__name__}
    assert makers == {
        *("ConversationKeys", "UserKeys", "bucket", "of_conversation", "of_user", "sent", "user", "user_of"),
        *("quota", "places", "directory", "sessions", "ticket", "live", "GroupKeys", "of_group", "reactions"),
        *("blocks", "conversation", "watch_lists", "FeedKeys", "of_feed", "feed", "live_feed", "is_of_a_feed"),
        "roll",
    }, "a new kind of key: is its pattern on the list, and is it tried?"
    for key in named:
        assert any(key.startswith(pattern[:-1]) for pattern in KEYS), key
    for channel in (keys.live("x"), keys.live_feed("x"), keys.CONTROL):
        assert any(channel.startswith(pattern[:-1]) for pattern in CHANNELS), channel
    tried = [str(word) for trial in TRIALS for word in trial[1:]]
    for pattern in KEYS:
        assert any(word.startswith(pattern[:-1]) for word in tried), pattern


def test_the_readme_of_deploy_has_the_words_that_give_exactly_what_is_needed() -> None:
    assert f"ACL SETUSER chat on >PASSWORD {' '.join(WORDS)}" in (ROOT / "deploy" / "README.md").read_text()


def as_user(redis: RedisProcess, *words: str) -> str:
    """The URL of a user with exactly the needed rights, changed by these words of ACL SETUSER."""
    redis.set_rights("reset", "on", ">s3cret", *WORDS, *words)
    return redis.url.replace("unix://", "unix://chat:s3cret@")


async def refused(url: str) -> str:
    with pytest.raises(SettingsError) as caught:
        await check_redis(url, 5)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


async def test_a_user_with_exactly_what_is_needed_is_taken_and_nothing_of_the_trials_stays(redis: RedisProcess) -> None:
    url = as_user(redis)
    facts = await check_redis(url, 5)
    await check_key(url, "one", 5)
    with redis.client() as client:
        assert client.keys() == [b"ssechat:key"]
    assert "CONFIG" in facts.warnings[-1]
    assert not any("CONFIG" in warning for warning in (await check_redis(as_user(redis, "+config|get"), 5)).warnings)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_that_a_user_may_not_call_is_named_with_the_words_that_allow_it(
    redis: RedisProcess, command: str
) -> None:
    whole = command.partition("|")[0]
    said = await refused(as_user(redis, f"-{whole}"))
    assert f"its user may not call {command.upper()}" in said
    assert f"ACL SETUSER chat +{command} (NOPERM)" in said
    with redis.client() as client:  # data that the check could not remove expire soon
        assert all(0 < client.ttl(key) <= 60 for key in client.keys("*")) or command == "expire"


async def test_all_that_a_user_may_not_is_named_at_once(redis: RedisProcess) -> None:
    said = await refused(as_user(redis, "-hset", "-publish", "-info"))
    assert said.count("may not call") == 1
    assert "ACL SETUSER chat +hset +publish +info (NOPERM)" in said
    of_all = await refused(as_user(redis, "-@all"))
    assert set(re.findall(r"\+([\w|]+)", of_all)) == set(COMMANDS)


@pytest.mark.parametrize("pattern", KEYS)
async def test_keys_that_a_user_may_not_use_are_named(redis: RedisProcess, pattern: str) -> None:
    url = as_user(redis, "resetkeys", *(f"~{other}" for other in KEYS if other != pattern))
    if pattern == "ssechat:*":
        with pytest.raises(SettingsError) as caught:
            await check_key(url, "one", 5)
        said = str(caught.value)
    else:
        said = await refused(url)
    assert re.search(rf"use keys {re.escape(pattern)}\. .*ACL SETUSER chat ~{re.escape(pattern)} \(NOPERM\)", said)


@pytest.mark.parametrize("pattern", CHANNELS)
async def test_channels_that_a_user_may_not_use_are_named(redis: RedisProcess, pattern: str) -> None:
    url = as_user(redis, "resetchannels", *(f"&{other}" for other in CHANNELS if other != pattern))
    said = await refused(url)
    assert re.search(rf"use channels {re.escape(pattern)}.*ACL SETUSER chat &{re.escape(pattern)}", said)


async def test_a_user_without_channels_as_redis_7_makes_it_is_told(redis: RedisProcess) -> None:
    assert "ACL SETUSER chat &{u* &{f* &ssechat:* (NOPERM)" in await refused(as_user(redis, "resetchannels"))


async def test_a_database_that_may_not_be_selected_or_is_not_there_is_told(redis: RedisProcess) -> None:
    url = as_user(redis)
    assert "(NOPERM)" in await refused(f"{url}?db=3")
    assert "(DATABASE)" in await refused(f"{as_user(redis, '+select')}?db=99")
    assert await check_redis(f"{url}?db=3", 5)


@pytest.mark.parametrize(("setting", "code"), [("maxmemory", "OOM"), ("min-replicas-to-write", "NOREPLICAS")])
async def test_a_redis_that_takes_no_writes_is_refused_with_its_reason(
    redis: RedisProcess, setting: str, code: str
) -> None:
    with redis.client() as client:
        client.config_set(setting, "1")
        try:
            said = await refused(redis.url)
        finally:
            client.config_set(setting, "0")
    assert f"{parse_refusal(code).advice} ({code})" in said


@pytest.mark.parametrize("command", ["GETDEL", "EVALSHA", "PUBLISH", "HSET", "SUBSCRIBE", "INFO", "EXPIRE"])
async def test_a_command_that_was_renamed_is_named(release: str, command: str) -> None:
    process = RedisProcess(release, ("--rename-command", command, ""))
    try:
        said = await refused(process.url)
    finally:
        process.close()
    assert f"it does not know {command}, which ssechat needs; take the rename-command" in said


async def test_an_error_that_quotes_the_password_is_not_quoted(release: str) -> None:
    process = RedisProcess(release, ("--rename-command", "AUTH", ""))
    try:
        assert "(UNKNOWN)" in await refused(process.url.replace("unix://", "unix://:s3cret@"))
    finally:
        process.close()


@pytest.fixture(params=["7.0", "6.2"])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_what_others_publish_on_the_trials_channel_is_no_reply(redis: RedisProcess) -> None:
    """Two servers start at once."""
    with redis.client() as client:
        pipe = client.pipeline(transaction=False)
        for _ in range(20_000):
            pipe.publish(keys.live(NOBODY), "tried")
        flood = threading.Thread(target=pipe.execute)
        flood.start()
        try:
            for _ in range(10):
                await check_redis(redis.url, 5)
        finally:
            flood.join()


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM", ""),
        ("@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.", "OOM", ""),
        ("-@user_script: 1: @user_script: 1: -NOREPLICAS Not enough good replicas to write.", "NOREPLICAS", ""),
        (
            "ERR Error running script (call to f_e5): @user_script:1: @user_script: 1: -READONLY You can't",
            "READONLY",
            "",
        ),
        ("ERR The user executing the script can't run this command or subcommand", "NOPERM", ""),
        ("@user_script: 1: The user executing the script can't publish to the channel mentioned", "NOPERM", "channel"),
        ("NOPERM this user has no permissions to run the 'hset' command or its subcommand", "NOPERM", "hset"),
        ("NOPERM User chat has no permissions to run the 'get' command", "NOPERM", "get"),
        ("NOPERM No permissions to access a key", "NOPERM", "key"),
        ("NOPERM No permissions to access a channel", "NOPERM", "channel"),
        ("NOPERM this user has no permissions to access one of the keys used as arguments", "NOPERM", "key"),
        ("ERR unknown command 'hset', with args beginning with: 'secret' ", "UNKNOWN", "hset"),
        ("ERR unknown command `secret`, with args beginning with: `a`", "UNKNOWN", ""),
        ("ERR max number of clients reached", "MAXCLIENTS", ""),
        ("MISCONF Redis is configured to save RDB snapshots, but", "MISCONF", ""),
        ("NEWCODE something of a later release", "NEWCODE", ""),
        ("secret", "ERR", ""),
        ("", "ERR", ""),
    ],
)
def test_of_an_error_only_its_code_and_a_command_that_we_know_are_kept(text: str, code: str, what: str) -> None:
    refusal = parse_refusal(text, COMMANDS)
    assert (refusal.code, refusal.what) == (code, what)
    assert "secret" not in refusal.advice
