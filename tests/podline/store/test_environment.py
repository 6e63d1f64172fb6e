"""A program runs with the configured store, or else with the embedded one.

That signals reach it, and the store is stopped then: tests/podline/cli/test_store.py.
"""

import sys
from pathlib import Path

import pytest

from podline.store import Store, environment, seaweedfs

PROGRAM = [sys.executable, "-c"]
WRITE = "from podline.store import open_store; open_store().put('a', b'1')"


def no_folder() -> Path:
    pytest.fail("the environment names a store, and nobody asks for the embedded one's folder")


def test_the_command_has_a_store_while_it_runs(server_folder: Path) -> None:
    assert environment.run([*PROGRAM, WRITE], lambda: server_folder) == 0
    assert not seaweedfs.is_running(server_folder)
    with seaweedfs.running(server_folder) as connection:
        assert bytes(Store(connection).get("a")) == b"1"


@pytest.mark.usefixtures("store")
def test_exit_codes_are_handed_on() -> None:
    assert environment.run([*PROGRAM, "raise SystemExit(3)"], no_folder) == 3
    assert environment.run(["sh", "-c", "kill -9 $$"], no_folder) == 128 + 9
    with pytest.raises(FileNotFoundError):
        environment.run(["no-such-program"], no_folder)


def test_a_store_that_is_configured_is_used(store: Store) -> None:
    assert environment.run([*PROGRAM, WRITE], no_folder) == 0
    assert store.exists("a")
