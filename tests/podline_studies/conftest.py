"""What the tests of more than one study ask for."""

import threading

import pytest

from podline_studies.uploads.delay_link import sink
from podline_studies.uploads.delay_link.sink import PORT


@pytest.fixture(scope="session")
def sinking() -> str:
    """The address of a sink on this machine: one a process, since its port is fixed."""
    threading.Thread(target=sink.serve, args=("127.0.0.1", PORT), daemon=True).start()
    return "127.0.0.1"
