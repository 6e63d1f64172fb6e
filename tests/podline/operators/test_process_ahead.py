"""Processes that are begun ahead and kept for a task that another process will run."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from podline.contract import Preparation, ResultRef, StageResult, StageTask
from podline.exceptions import StageError
from podline.latency import stage_profile
from podline.operators import process_ahead, task_spec
from podline.operators.backend import ending
from podline.operators.dag_factory import notebook_dags
from podline.operators.process import environment
from podline.operators.process_ahead import claim, end, keep, private_folder
from podline.operators.successors import next_stages
from podline.store import Store, keys
from podline.store.keys import RESULT, TryKey
from tests.support.notebooks import write_cells
from tests.support.tries import PLAN
from tests.support.waiting import until

DIGEST = "d" * 64


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper of a busy machine may answer late; one test is about that."""
    monkeypatch.setattr(process_ahead, "_HANDED_OVER", 60.0)


@pytest.fixture
def variables(store: Store, tmp_path: Path) -> dict[str, str]:
    return environment(store.connection) | {"MINE": str(tmp_path)}


@pytest.fixture
def path(tmp_path: Path, variables: dict[str, str]) -> Iterator[Path]:
    """The socket of a process that was begun ahead; it has ended when the test has."""
    path = tmp_path / "socket"
    keep(path, DIGEST, Preparation(PLAN), variables)
    until(lambda: len(left(tmp_path)) == 2)
    yield path
    end(path)
    until(lambda: not left(tmp_path))
    assert not path.exists()


def left(folder: Path, word: bytes = b"podline.runner") -> list[int]:
    """The keepers and processes that have a test's own variable, and a word in their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables, command = (process / "environ").read_bytes(), process / "cmdline"
            mine = f"MINE={folder}\0".encode() in variables and word in command.read_bytes()
        except OSError:  # another's, or gone
            continue
        if mine:
            found.append(int(process.name))
    return found


@contextmanager
def claimed(path: Path) -> Iterator[Any]:
    """The process behind a socket, until the end of the block."""
    kept = claim(path, DIGEST)
    assert kept is not None
    assert kept.stdin is not None
    assert kept.stdout is not None
    with kept.stdin, kept.stdout:
        yield kept
        kept.kill()  # is no error where it has ended
        kept.wait(20)


def test_it_is_handed_over_once(path: Path) -> None:
    with claimed(path) as kept:
        assert not path.exists()
        assert claim(path, DIGEST) is None
        with pytest.raises(subprocess.TimeoutExpired):
            kept.wait(0.01)
        kept.kill()
        assert kept.wait(20) == -signal.SIGKILL


def test_its_exit_code_is_known(path: Path) -> None:
    """Its task is one of another version of podline."""
    task = json.loads(StageTask(PLAN, (), "runs/n", "abc").to_json())
    with claimed(path) as kept:
        kept.stdin.write(json.dumps(task | {"contract": 0}).encode())
        kept.stdin.close()
        assert b"speaks contract" in kept.stdout.read()
        assert kept.wait(20) == kept.returncode == 1


def test_one_that_is_another_thing_is_ended(path: Path, tmp_path: Path) -> None:
    assert claim(path, "e" * 64) is None
    until(lambda: not left(tmp_path))


def test_it_ends_with_who_has_it(path: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as task:
        task.settimeout(10)
        task.connect(str(path))
        task.sendall(DIGEST.encode())
        _, pipes, _, _ = socket.recv_fds(task, 256, 2)
    for pipe in pipes:
        os.close(pipe)
    until(lambda: not left(tmp_path))


def test_who_loses_the_keeper_loses_the_process(path: Path, tmp_path: Path) -> None:
    with claimed(path) as kept:
        (keeper,) = set(left(tmp_path)) - {kept.pid}
        os.kill(keeper, signal.SIGKILL)
        assert kept.wait(20) == -signal.SIGTERM
        until(lambda: not left(tmp_path))


def test_a_process_that_has_ended_is_not_waited_for(path: Path, tmp_path: Path) -> None:
    (process,) = {*left(tmp_path)} - {*waiting(tmp_path)}
    os.kill(process, signal.SIGKILL)
    until(lambda: not left(tmp_path))
    assert claim(path, DIGEST) is None


def test_two_who_begin_one_begin_one(path: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    before = left(tmp_path)
    keep(path, DIGEST, Preparation(PLAN), variables)
    assert left(tmp_path) == before


def test_it_ends_by_itself(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_ahead, "LONGEST_WAIT", 0.5)
    path = tmp_path / "socket"
    keep(path, DIGEST, Preparation(PLAN), variables)
    until(lambda: not left(tmp_path))
    assert not path.exists()
    assert claim(path, DIGEST) is None


def test_a_keeper_that_does_not_answer_is_not_waited_for(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_ahead, "_HANDED_OVER", 0.1)
    keepers = left(tmp_path)
    for pid in keepers:
        os.kill(pid, signal.SIGSTOP)
    assert claim(path, DIGEST) is None
    for pid in keepers:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not left(tmp_path))


def test_only_a_folder_of_our_own_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = private_folder()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o750)
    assert private_folder() is None
    folder.rename(tmp_path / "other")
    folder.symlink_to(tmp_path / "other")
    assert private_folder() is None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert private_folder() is None


# --- as the operators use them ------------------------------------------------------------------


# Whether it was there before the task came: the runner itself is imported later.
AHEAD = "[*sys.modules].index('colorsys') < [*sys.modules].index('podline.runner.runner')"


class Run:
    """A run of a notebook of two stages, `one` and `two`, as Airflow's tasks do it."""

    def __init__(self, folder: Path, store: Store, one: str, two: str) -> None:
        cells = ("imports", "import colorsys, sys"), ("step:one", one), ("step:two", two)
        write_cells(folder / "pair.ipynb", *cells)
        self.dag, self.store, self.began = (
            notebook_dags(folder, "pair")[0],
            store,
            datetime.now(UTC),
        )
        self.refs: tuple[ResultRef, ...] = ()

    def prepare(self, name: str) -> tuple[StageTask, Any]:
        """A task of the run, and its backend."""
        operator: Any = self.dag.task_dict[name]
        ids = {"dag_id": "pair", "run_id": "r", "task_id": name, "map_index": -1}
        ti = SimpleNamespace(**ids, try_number=1, max_tries=0)
        about = {"ti": ti, "dag_run": SimpleNamespace(start_date=self.began), "params": {}}
        where, pipeline = TryKey.of(ti), operator.pipeline
        shipment = task_spec.ship(pipeline, self.store, keys.run_of(where.prefix))
        plan_of = partial(task_spec.plan_stage, pipeline, parameters={}, shipment=shipment)
        backend = operator._open_backend("process", about)
        backend.expect(partial(next_stages, operator._try_context(about), plan_of))
        return StageTask(plan_of(operator.stage), self.refs, where.prefix, where.nonce), backend

    def run(self, name: str, log: Callable[[str], object] = lambda line: None) -> StageResult:
        """Run a stage; returns its result."""
        task, backend = self.prepare(name)
        with ending(backend):
            digest = backend.run(task, self.store.connection, log)
            found = task_spec.read_result(self.store, task, digest)
            if found.failure:
                raise StageError(found.failure.message)
        self.refs = (ResultRef(name, f"{task.prefix}/{RESULT}", digest),)
        assert (found.ahead is None) == (backend.seen.ahead is None)
        return found


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Marks the processes of a test, which begin their next stages ahead."""
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "1")
    monkeypatch.setenv("MINE", str(tmp_path))
    return tmp_path


def waiting(folder: Path) -> list[int]:
    """The keepers of a test's processes."""
    return left(folder, b"process_keeper")


def test_the_next_stage_gets_the_process_that_waits(ours: Path, store: Store) -> None:
    run = Run(ours, store, "print('up')\nx = 1", f"print(x + 1, {AHEAD})")
    assert run.run("one", lambda line: until(lambda: waiting(ours))).ahead is None
    lines: list[str] = []
    found = run.run("two", lines.append)
    assert lines == ["2 True"]
    assert found.ahead is not None
    assert (found.ahead.begun < found.started, found.ahead.void) == (True, "")
    until(lambda: not left(ours))


def test_it_imports_what_its_inputs_asked_for_in_an_earlier_run(ours: Path, store: Store) -> None:
    """The cells of `two` name no library: its input, of whatever kind, is of one."""
    known = stage_profile.Sample({}, 1.0, 0.5, ("colorsys",), "process")
    stage_profile.note(store, TryKey("pair", "r", "two", -1, 1, "-"), known)
    run = Run(ours, store, "print('up')\nx = 1", f"print({AHEAD})")
    run.run("one", lambda line: until(lambda: waiting(ours)))
    lines: list[str] = []
    run.run("two", lines.append)
    assert lines == ["True"]


def test_one_whose_environment_has_changed_is_of_no_use(
    ours: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(ours, store, "print('up')\nx = 1", "x")
    run.run("one", lambda line: until(lambda: waiting(ours)))
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    assert run.run("two").ahead is None
    until(lambda: not left(ours))


def test_a_stage_that_fails_ends_it(ours: Path, store: Store) -> None:
    run = Run(ours, store, "print('up')\nx = 1 / 0", "x")
    with pytest.raises(StageError, match="ZeroDivisionError"):
        run.run("one", lambda line: until(lambda: waiting(ours)))
    until(lambda: not left(ours))


def test_a_stage_begins_afresh_where_what_waits_has_died(ours: Path, store: Store) -> None:
    run = Run(ours, store, "print('up')\nx = 1", "print(x)")
    run.run("one", lambda line: until(lambda: waiting(ours)))
    for pid in waiting(ours):
        os.kill(pid, signal.SIGKILL)
    assert run.run("two").ahead is None
    until(lambda: not left(ours))
