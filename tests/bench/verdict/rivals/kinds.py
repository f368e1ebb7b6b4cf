"""All rivals, ssechat first."""

from ... import nchan, pushpin
from ..stacks import APT, NPM, SOCKET_IO
from .large import EJABBERD, EJABBERD_SQLITE, SYNAPSE, Ejabberd, Synapse
from .rival import Kind
from .simple import Mosquitto, NchanRival, OurRival, PushpinRival, SocketIoRival

KINDS = (
    Kind("ssechat", "ssechat", "on disk, before the answer", OurRival),
    Kind(
        "nchan", "nchan, Redis", "in Redis, on disk", NchanRival, nchan.PROGRAMS, (nchan.MODULE,), nchan.INSTALL
    ),
    Kind(
        "pushpin", "Pushpin", "nothing", PushpinRival, pushpin.PROGRAMS, (pushpin.INTERNAL,), pushpin.INSTALL, pairs=1,
        idle=300,
    ),
    Kind(
        "socketio", "socket.io, Redis streams", "in Redis, for sessions that were there", SocketIoRival,
        ("node", "redis-server"), (SOCKET_IO / "node_modules",), NPM,
    ),
    Kind(
        "ejabberd", "ejabberd, Mnesia", "in its archive, later on disk",
        lambda: Ejabberd("ejabberd", sqlite=False), ("erl", "ejabberdctl"), (EJABBERD,), f"{APT} ejabberd",
    ),
    Kind(
        "ejabberd-sqlite", "ejabberd, SQLite", "in its archive, on disk", lambda: Ejabberd("ejabberd", sqlite=True),
        ("erl", "ejabberdctl"), (EJABBERD, EJABBERD_SQLITE), f"{APT} ejabberd erlang-p1-sqlite3", rate=20.0,
    ),
    Kind(
        "mosquitto", "mosquitto, QoS 1", "in memory, on disk after 1,000 changes", lambda: Mosquitto("mosquitto"),
        ("mosquitto",), (), f"{APT} mosquitto",
    ),
    Kind(
        "synapse", "Matrix Synapse", "in SQLite", lambda: Synapse("synapse"), (), (SYNAPSE,),
        "D=~/.cache/ssechat-bench/synapse; python3 -m venv $D && $D/bin/pip install matrix-synapse",
        idle=60, rate=5.0,
    ),
)  # fmt: skip
