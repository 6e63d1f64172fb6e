"""A program runs with the configured store, or else with the embedded one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from podline.store import Store, environment, seaweedfs

PROGRAM = [sys.executable, "-c"]
WRITE = "from podline.store import open_store; open_store().put('a', b'1')"


def test_the_command_has_a_store_while_it_runs(server_folder: Path) -> None:
    assert environment.run([*PROGRAM, WRITE], server_folder) == 0
    assert not seaweedfs.is_running(server_folder)
    with seaweedfs.running(server_folder) as connection:
        assert bytes(Store(connection).get("a")) == b"1"


def test_exit_codes_are_handed_on(store: Store, tmp_path: Path) -> None:
    assert environment.run([*PROGRAM, "raise SystemExit(3)"], tmp_path) == 3
    assert environment.run(["sh", "-c", "kill -9 $$"], tmp_path) == 128 + 9
    with pytest.raises(FileNotFoundError):
        environment.run(["no-such-program"], tmp_path)


def test_a_store_that_is_configured_is_used(store: Store, server_folder: Path) -> None:
    assert environment.run([*PROGRAM, WRITE], server_folder) == 0
    assert store.exists("a")
    assert not server_folder.exists()


def test_signals_reach_the_command_and_the_store_is_stopped(server_folder: Path) -> None:
    code = (
        "import pathlib, sys\nfrom podline.store import environment\n"
        "sys.exit(environment.run(['sh', '-c', 'echo up; exec sleep 60'], pathlib.Path(sys.argv[1])))"
    )
    with subprocess.Popen(
        [*PROGRAM, code, str(server_folder)], stdout=subprocess.PIPE, text=True
    ) as outer:
        assert outer.stdout
        assert outer.stdout.readline() == "up\n"
        outer.send_signal(signal.SIGTERM)
        assert outer.wait(20) == 128 + signal.SIGTERM
    assert not seaweedfs.is_running(server_folder)
