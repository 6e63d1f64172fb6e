"""The embedded store ends by itself: when nobody has used it for a while, and after a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from podline.store import caretaker, seaweedfs
from tests.support.waiting import until

pytestmark = pytest.mark.slow

USE = """
import pathlib, sys, time
from podline.store import seaweedfs
with seaweedfs.running(pathlib.Path(sys.argv[1])) as connection:
    print(connection.endpoint_url, flush=True)
    time.sleep(600)
"""


def test_it_goes_on_for_the_next_and_then_ends(server_folder: Path) -> None:
    with seaweedfs.running(server_folder, linger=6) as first:
        pass
    assert seaweedfs.is_running(server_folder)
    with seaweedfs.running(server_folder, linger=6) as second:
        assert second == first
    until(lambda: not seaweedfs.is_running(server_folder))


def test_a_user_that_is_killed_leaves_no_server(server_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USE, str(server_folder)], stdout=subprocess.PIPE
    ) as user:
        assert user.stdout
        assert user.stdout.readline()
        os.kill(user.pid, signal.SIGKILL)
    until(lambda: not seaweedfs.is_running(server_folder))


def test_a_server_that_is_used_or_kept_stays(server_folder: Path) -> None:
    with seaweedfs.running(server_folder):
        seaweedfs.stop_unused(server_folder)
        assert seaweedfs.is_running(server_folder)
    seaweedfs.start(server_folder)
    seaweedfs.stop_unused(server_folder)
    assert seaweedfs.is_running(server_folder)
    assert seaweedfs.stop(server_folder)
    caretaker.watch(server_folder, 600)  # comes to its end, since there is nothing to watch
