"""A link's own programs, which end with the block that started them."""

import socket
from pathlib import Path

import pytest

from podline_studies.uploads.delay_link import LinkError, sink, subprocesses
from tests.support.airflow_server import free_port


def test_it_serves_until_the_end_of_the_block() -> None:
    port = free_port()
    with subprocesses.running(sink.__name__, "127.0.0.1", str(port)):
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(LinkError, match=r"(?s)delay_link\.sink did not start: .*no-address"),
        subprocesses.running(sink.__name__, "no-address", "0", log=tmp_path / "log"),
    ):
        pass
