"""How many streams a browser may hold on one connection of HTTP/2, as the page /docs says it."""

import socket

from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged

from bench.fronting import HOST, NAME, Front


def test_a_front_takes_between_100_and_250_requests_at_a_time_on_a_connection(front: Front) -> None:
    talking = H2Connection()
    talking.initiate_connection()
    with (
        socket.create_connection((HOST, front.port), timeout=20) as plain,
        front.trust("h2").wrap_socket(plain, server_hostname=NAME) as connection,
    ):
        connection.sendall(talking.data_to_send())
        events: list[object] = []
        while not any(isinstance(event, RemoteSettingsChanged) for event in events):
            events += talking.receive_data(connection.recv(65536))
    assert 100 <= talking.remote_settings.max_concurrent_streams <= 250
