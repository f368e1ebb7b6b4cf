"""ejabberd with its archive, and Matrix Synapse: servers with accounts."""

import contextlib
import hashlib
import hmac
import http.client
import json
import sqlite3
from pathlib import Path
from typing import Any

from ...dialects import user_name
from ...errors import BenchError
from ...fronting import HOST
from ...programs import Program, free_port
from ..people.person import Spec
from ..people.xmpp import DOMAIN, PASSWORD
from .rival import Rival

EJABBERD = Path("/usr/lib/x86_64-linux-gnu")
"""Where Debian has ejabberd's modules."""
EJABBERD_TABLES = Path("/usr/share/ejabberd/sql/lite.sql")
EJABBERD_SQLITE = Path("/usr/share/doc/erlang-p1-sqlite3")
EJABBERD_CONFIGURATION = """
hosts: [localhost]
loglevel: error
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{/ws: ejabberd_http_ws, /api: mod_http_api}}
auth_method: [internal]
{database}
auth_password_format: plain
api_permissions: {{all: {{who: all, what: [register]}}}}
modules:
  mod_mam: {{default: always, request_activates_archiving: false}}
  mod_offline: {{}}
  mod_stream_mgmt: {{}}
"""

SYNAPSE = Path("~/.cache/ssechat-bench/synapse/bin/python").expanduser()
SYNAPSE_CONFIGURATION = """
server_name: localhost
pid_file: {folder}/pid
listeners: [{{port: {port}, type: http, bind_addresses: ["127.0.0.1"], resources: [{{names: [client]}}]}}]
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
registration_shared_secret: bench
signing_key_path: {folder}/signing.key
media_store_path: {folder}/media
suppress_key_server_warning: true
trusted_key_servers: []
report_stats: false
bcrypt_rounds: 4
presence: {{enabled: false}}
rc_message: {{per_second: 100000, burst_count: 100000}}
rc_registration: {{per_second: 100000, burst_count: 100000}}
rc_login: {{address: {{per_second: 100000, burst_count: 100000}}, account: {{per_second: 100000, burst_count: 100000}}}}
rc_joins: {{local: {{per_second: 100000, burst_count: 100000}}}}
rc_invites:
  per_room: {{per_second: 100000, burst_count: 100000}}
  per_user: {{per_second: 100000, burst_count: 100000}}
"""


def _ask(address: tuple[str, int], method: str, path: str, body: Any = None, token: str = "") -> Any:
    connection = http.client.HTTPConnection(*address, timeout=60)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        found = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchError(f"{method} {path.partition('?')[0]} was answered {answer.status}: {found[:300]!r}")
    return json.loads(found)


class Ejabberd(Rival):
    """ejabberd with its archive and what waits for those who are offline: in Mnesia, its own database, which writes to
    the disk later, or in SQLite, which writes each message; people come over a WebSocket."""

    def __init__(self, name: str, *, sqlite: bool) -> None:
        super().__init__(name)
        self._sqlite = sqlite

    def start(self) -> None:
        port = free_port()
        configuration = self.folder / "ejabberd.yml"
        database = self._database() if self._sqlite else ""
        configuration.write_text(EJABBERD_CONFIGURATION.format(port=port, database=database))
        environment = (
            f"HOME={self.folder}", f"EJABBERD_CONFIG_PATH={configuration}",
            f"EJABBERD_LOG_PATH={self.folder}/log/ejabberd.log", f"ERL_LIBS={EJABBERD}",
            f"ERL_CRASH_DUMP={self.folder}/crash",
        )  # fmt: skip
        # Without a name of its own it needs no port mapper, which would stay behind.
        erlang = ("erl", "-noinput", "-mnesia", "dir", f'"{self.folder}/db"', "-s", "ejabberd")
        self.programs.append(Program(self.name, self.folder, ("env", *environment, *erlang)))
        self.address = (HOST, port)
        self.programs[0].wait_answering(self.address)

    def _database(self) -> str:
        """The settings of a database, which is made if it is not there."""
        file = self.folder / "archive.db"
        if not file.exists():
            with contextlib.closing(sqlite3.connect(file)) as made:
                made.executescript(EJABBERD_TABLES.read_text())
        return f"default_db: sql\nsql_type: sqlite\nsql_database: {file}"

    def prepare(self, people: int) -> None:
        for user in range(people):
            account = {"user": user_name(user), "host": DOMAIN, "password": PASSWORD}
            _ask(self.address, "POST", "/api/register", account)

    def spec(self) -> Spec:
        return Spec("XmppPerson", self.address, pids=self.workers)


class Synapse(Rival):
    """Matrix Synapse in one process, with SQLite, as its documentation begins; a room for each pair of people."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._room = ""

    def start(self) -> None:
        port = free_port()
        configuration = self.folder / "homeserver.yaml"
        configuration.write_text(SYNAPSE_CONFIGURATION.format(port=port, folder=self.folder))
        command = (str(SYNAPSE), "-m", "synapse.app.homeserver", "-c", str(configuration))
        if not (self.folder / "signing.key").exists():
            Program("keys", self.folder, (*command, "--generate-keys")).wait_ended()
        self.programs.append(Program(self.name, self.folder, command))
        self.address = (HOST, port)
        self.programs[0].wait_answering(self.address)

    def prepare(self, people: int) -> None:
        tokens, rooms = {}, {}
        register = "/_synapse/admin/v1/register"
        for user in range(people):
            nonce = _ask(self.address, "GET", register)["nonce"]
            name = user_name(user)
            said = b"\0".join(each.encode() for each in (nonce, name, PASSWORD, "notadmin"))
            mac = hmac.new(b"bench", said, hashlib.sha1).hexdigest()
            account = {"nonce": nonce, "username": name, "password": PASSWORD, "admin": False, "mac": mac}
            tokens[name] = _ask(self.address, "POST", register, account)["access_token"]
        for user in range(0, min(people, TALKERS), 2):
            one, other = user_name(user), user_name(user + 1)
            asked = {"preset": "private_chat", "invite": [f"@{other}:{DOMAIN}"]}
            room = _ask(self.address, "POST", "/_matrix/client/v3/createRoom", asked, tokens[one])["room_id"]
            _ask(self.address, "POST", f"/_matrix/client/v3/rooms/{room}/join", {}, tokens[other])
            rooms[one] = rooms[other] = room
        self._room = json.dumps({"rooms": rooms, "tokens": tokens})

    def spec(self) -> Spec:
        return Spec("MatrixPerson", self.address, room=self._room, pids=self.workers)


TALKERS = 20
"""People who have a room; the others only listen."""
