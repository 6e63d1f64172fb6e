"""When the other side has the last byte of an upload, which is not when the kernel took it."""

import socket
import time
from collections.abc import Iterator

import pytest

from podline_studies.uploads.acknowledgement import Acknowledgement

SIZE = 1_000_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A client, its server that holds few bytes, and that server's URL."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host, port = listener.getsockname()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SIZE)
            client.connect((host, port))
            with listener.accept()[0] as server:
                yield client, server, f"http://{host}:{port}"


def read(server: socket.socket, size: int) -> None:
    while size:
        size -= len(server.recv(min(size, 65536)))


def test_bytes_that_wait_in_the_socket_are_not_acknowledged(
    ends: tuple[socket.socket, socket.socket, str],
) -> None:
    client, server, url = ends
    found = Acknowledgement(url, SIZE)
    client.sendall(bytes(SIZE))
    written = time.perf_counter()
    found.wait()
    time.sleep(0.21)  # nobody reads; the kernel counts in milliseconds
    read(server, SIZE)
    answered = time.perf_counter()
    when = found.when(answered)
    assert when is not None
    assert written + 0.2 <= when <= answered


def test_what_was_acknowledged_before_does_not_count(
    ends: tuple[socket.socket, socket.socket, str],
) -> None:
    client, server, url = ends
    for _ in range(2):
        found = Acknowledgement(url, SIZE)
        found.wait()
        client.sendall(bytes(SIZE))
        assert found.when(time.perf_counter()) is None  # answered, and nothing was read
        read(server, SIZE)


def test_nobody_saw_it(ends: tuple[socket.socket, socket.socket, str]) -> None:
    *_, url = ends
    assert Acknowledgement(url, SIZE).when(time.perf_counter()) is None
