"""Compares the uses of connections in uvicorn's source with ssechat's protocols.

The protocol is ours; uvicorn runs it. Its next version may ask for more.
"""

import ast
import asyncio
import inspect
import signal
from importlib import metadata
from pathlib import Path

import uvicorn.config
import uvicorn.server
from packaging.requirements import Requirement

from ssechat.server.protocol import ChatProtocol
from ssechat.server.stream_protocol import StreamProtocol
from ssechat.server.worker import WorkerServer

ROOT = Path(__file__).parent.parent
SERVER = ast.parse(inspect.getsource(uvicorn.server))
PROTOCOL = ast.parse(inspect.getsource(inspect.getmodule(ChatProtocol) or ChatProtocol))


def attributes(tree: ast.AST, of: str) -> set[str]:
    """The names of all attributes that the code reads from this variable."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == of}


def loops_over(collection: str) -> dict[str, set[str]]:
    """For each loop over this attribute of the server's state, the attributes of the loop variable."""
    return {
        ast.unparse(node.target): attributes(node, ast.unparse(node.target))
        for node in ast.walk(SERVER)
        if isinstance(node, ast.For) and f"self.server_state.{collection}" in ast.unparse(node.iter)
    }


def test_uvicorn_is_of_the_range_that_was_read() -> None:
    [wanted] = [
        requirement
        for requirement in map(Requirement, metadata.requires("ssechat") or ())
        if requirement.name == "uvicorn"
    ]
    assert metadata.version("uvicorn") in wanted.specifier


def test_each_connection_has_what_the_server_calls_when_it_stops() -> None:
    loops = loops_over("connections")
    assert loops == {"connection": {"shutdown"}}
    for kind in (ChatProtocol, StreamProtocol):
        assert {name for name in loops["connection"] if not callable(getattr(kind, name, None))} == set()


def test_each_task_has_what_the_server_calls_when_it_stops() -> None:
    loops = loops_over("tasks")
    assert loops == {"t": {"cancel"}}
    assert callable(asyncio.Task.cancel)


def test_the_server_makes_a_connection_with_what_ours_takes() -> None:
    [call] = [
        node
        for node in ast.walk(SERVER)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "config.http_protocol_class"
    ]
    given = {keyword.arg for keyword in call.keywords}
    assert call.args == []
    parameters = inspect.signature(ChatProtocol).parameters
    assert given == set(parameters)


def test_the_servers_state_has_what_the_two_sides_share_and_no_more() -> None:
    state = set(vars(uvicorn.server.ServerState()))
    assert attributes(SERVER, "self.server_state") == state
    ours = attributes(PROTOCOL, "server_state") | attributes(PROTOCOL, "self._server_state")
    assert ours == state, "what uvicorn keeps of its connections, a connection must see to"


def test_the_configuration_has_what_ours_reads_of_it() -> None:
    read = attributes(PROTOCOL, "config")
    assert read == {"app", "timeout_keep_alive"}
    config = uvicorn.config.Config("x:y")
    assert {name for name in read if not hasattr(config, name)} == set()


def test_the_server_serves_within_the_handling_of_signals_that_ours_replaces() -> None:
    assert "with self.capture_signals():" in inspect.getsource(uvicorn.server.Server.serve)
    assert list(inspect.signature(uvicorn.server.Server.capture_signals).parameters) == ["self"]
    assert "capture_signals" in vars(WorkerServer)
    server = uvicorn.server.Server(uvicorn.config.Config("x:y"))
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
