"""What is told of the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from podline_studies import machine


def test_what_there_is_to_say() -> None:
    found = machine.about()
    assert 0 < found["processors"] <= (os.cpu_count() or 1)
    assert found["memory_bytes"] > 2**30
    assert found["versions"]["apache-airflow"].startswith("3.")
    assert machine.boot_id() == machine.boot_id() != ""


@contextmanager
def work() -> Iterator[None]:
    """Have all processors at work, until the end of the block."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_busy_machine_is_busier() -> None:
    with work():
        busy = machine.busy_share(1.0)
    assert busy is not None
    assert machine.QUIET < busy <= 1
    assert machine.disturbance(busy, machine.QUIET).startswith("disturbed: ")


def test_a_machine_that_is_busy_is_waited_for_though_not_for_ever() -> None:
    with work():  # which goes on for as long as it is waited for
        assert machine.disturbance(machine.settle(seconds=0.0), machine.QUIET)


@pytest.mark.parametrize("busy", [None, 0.0, machine.QUIET])
def test_what_began_on_a_quiet_machine_counts(busy: float | None) -> None:
    assert machine.disturbance(busy, machine.QUIET) == ""


def test_what_did_not_says_by_how_much() -> None:
    said = "disturbed: 83% of the processors were taken in the second before it"
    assert machine.disturbance(0.83, machine.QUIET) == said
    assert machine.disturbance(0.83, 1.0) == machine.disturbance(0.83, None) == ""
