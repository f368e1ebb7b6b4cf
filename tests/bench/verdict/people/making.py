"""Makes people."""

import secrets

from .http1 import CarelessPerson, Http1Person
from .http2 import Http2Person
from .matrix import MatrixPerson
from .mqtt import MqttPerson
from .nchan import NchanPerson, PushpinPerson
from .person import Person, Spec
from .polling import PollingPerson
from .socketio import SocketIoPerson
from .websocket import TextbookPerson
from .xmpp import XmppPerson

WAYS: dict[str, type[Person]] = {
    kind.__name__: kind
    for kind in (
        *(Http1Person, CarelessPerson, Http2Person, TextbookPerson, SocketIoPerson, PollingPerson),
        *(NchanPerson, PushpinPerson, MqttPerson, XmppPerson, MatrixPerson),
    )
}


def make_people(spec: Spec, count: int, sources: tuple[str, ...]) -> list[Person]:
    """Makes people of one scene with the numbers from 0; the local addresses are theirs in turns."""
    scene = secrets.token_hex(3)
    return [WAYS[spec.way](spec, number, sources[number % len(sources)], scene) for number in range(count)]
