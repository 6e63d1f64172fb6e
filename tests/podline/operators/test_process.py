"""The backend `process`: the child's environment, its end, and what is said of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from podline.contract import StageTask
from podline.exceptions import StageError
from podline.operators import process
from podline.operators.process import ProcessBackend, environment
from podline.store import StoreConnection
from tests.support.tries import PLAN

CONNECTION = StoreConnection("podline_store", "bucket", "http://127.0.0.1:1", "key", "secret")


def test_the_environment_of_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "1")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://secret")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "secret")
    monkeypatch.setenv("_AIRFLOW_X", "secret")
    monkeypatch.setenv("AIRFLOW__PODLINE__FILES_LIMIT_MB", "7")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    found = environment(CONNECTION)
    assert found["MINE"] == "1"
    assert {name for name in found if "AIRFLOW" in name} == {
        "AIRFLOW_CONN_PODLINE_STORE",
        "AIRFLOW__PODLINE__AHEAD",
        "AIRFLOW__PODLINE__FILES_LIMIT_MB",
        "AIRFLOW__PODLINE__STORE_CONN_ID",
        "AIRFLOW__PODLINE__STORE_PATIENCE",
    }
    assert found["AIRFLOW__PODLINE__STORE_PATIENCE"] == "900"
    plugins, mine = found["PYTHONPATH"].split(os.pathsep)
    assert (Path(plugins) / "podline" / "contract.py").exists()
    assert mine == "/mine"
    assert found["PYTHONHASHSEED"] == "0"
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    assert environment(CONNECTION)["PYTHONHASHSEED"] == "5"


# --- how a process ended ------------------------------------------------------------------------


@pytest.fixture
def task() -> StageTask:
    return StageTask(PLAN, (), "runs/n", "abc")


def _ended(code: str) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-c", code])
    child.wait()
    return child


def test_an_exit_code(task: StageTask) -> None:
    assert process._death(task, _ended("raise SystemExit(3)"), 0, "the end") == (
        "the stage 'train' ended with exit code 3 and left no result; its last line: the end"
    )


def test_a_signal(task: StageTask) -> None:
    child = _ended("import os; os.kill(os.getpid(), 15)")
    assert (
        process._death(task, child, 0, "") == "the stage 'train' was killed by the signal SIGTERM"
    )


def test_whether_memory_was_the_reason(task: StageTask, monkeypatch: pytest.MonkeyPatch) -> None:
    child = _ended("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(process, "_memory_kills", lambda: 4)
    assert process._death(task, child, 4, "") == (
        "the stage 'train' was killed by the signal SIGKILL; memory was not the reason"
    )
    assert process._death(task, child, 3, "") == (
        "the stage 'train' was killed by the kernel because memory ran out (SIGKILL). fix: take "
        "fewer rows, free what is not needed, or give the machine more memory"
    )


def test_the_kernel_s_own_count_of_those_that_it_killed() -> None:
    assert process._memory_kills() >= 0
    told = Path("/proc/vmstat").read_text().split()
    assert process._machine_kills() == int(told[told.index("oom_kill") + 1])


# --- a backend with a child of the test's own ---------------------------------------------------


def _running(backend: ProcessBackend, code: str) -> "subprocess.Popen[bytes]":
    backend.process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert backend.process.stdout is not None
    assert backend.process.stdout.readline() == b"ready\n"
    return backend.process


def test_stop_asks_first() -> None:
    backend = ProcessBackend()
    child = _running(
        backend,
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *a: sys.exit(5))\n"
        "print('ready', flush=True)\ntime.sleep(60)",
    )
    backend.stop()
    assert child.returncode == 5
    backend.stop()  # a second time is no error
    ProcessBackend().stop()


def test_stop_ends_a_child_that_does_not_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_STOP_GRACE", 0.2)
    backend = ProcessBackend()
    child = _running(
        backend,
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(60)",
    )
    start = time.monotonic()
    backend.stop()
    assert child.returncode == -signal.SIGKILL
    assert time.monotonic() - start < 20  # the child would go on for a minute


def test_a_child_that_cannot_start_says_why(
    task: StageTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {"PYTHONPATH": "/nowhere"}
    monkeypatch.setattr(process, "environment", lambda connection: nowhere)
    backend = ProcessBackend()
    lines: list[str] = []
    with pytest.raises(StageError) as caught:
        backend.run(task, CONNECTION, lines.append)
    backend.close()
    assert "ended with exit code 78 and left no result; its last line: " in str(caught.value)
    assert caught.value.final
    assert "podline" in lines[-1]
