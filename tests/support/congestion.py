"""Which algorithm of congestion control a connection has."""

import socket

from podline.store.upload import tcp_info


def algorithm(connection: socket.socket) -> str:
    info = tcp_info.read(connection)
    assert info is not None
    return info.congestion


def systems() -> str:
    """The algorithm that the system gives a connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        return algorithm(connection)
