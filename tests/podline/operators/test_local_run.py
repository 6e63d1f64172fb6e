"""A whole notebook by local processes: in order, with parameters, up to the stage that fails."""

import os
from pathlib import Path

import pytest

from podline.compiler.compiler import compile_notebook
from podline.exceptions import StageError
from podline.models.registry import Model
from podline.operators.local_run import LocalRun
from podline.operators.task_spec import Shipment
from podline.store import Store, team_keys
from tests.support.notebooks import write_cells


def notebook(folder: Path, *cells: tuple[str, str]) -> Path:
    return write_cells(folder / "example.ipynb", *cells)


CELLS = (
    ("parameters", "n = 1"),
    ("functions", "def double(x): return 2 * x"),
    ("step:load", "data = list(range(n))"),
    ("step:left prev:load", "left = double(len(data))"),
    ("step:right prev:load", "right = [*data, 'r']"),
    ("step:join prev:left prev:right", "print(left, right)"),
    ("pipeline-metrics", "print(left)"),
)


def test_a_run(tmp_path: Path, store: Store) -> None:
    run = LocalRun(compile_notebook(notebook(tmp_path, *CELLS)), store, {"n": 2})
    lines: list[tuple[str, str]] = []
    run.run(lambda stage, line: lines.append((stage, line)))
    assert lines == [("join", "4 [0, 1, 'r']"), ("join", "4")]
    assert list(run.results) == ["load", "left", "right", "join"]
    assert run.results["join"].metrics == {"left": 4.0}
    assert all(result.succeeded for result in run.results.values())
    for stage, seconds in run.seconds.items():
        assert seconds > sum(phase.seconds for phase in run.results[stage].phases) - 0.1
    prefixes = {item.key.split("/")[2] for item in store.list("runs/example")}
    assert prefixes == {run.run_id}


def test_the_baseline(tmp_path: Path, store: Store) -> None:
    run = LocalRun(compile_notebook(notebook(tmp_path, *CELLS)), store, {"n": 2})
    lines: list[str] = []
    run.run_baseline(lambda stage, line: lines.append(line))
    assert lines == ["4 [0, 1, 'r']", "4"]
    assert [cell.number for cell in run.results["notebook"].cells] == [1, 2, 3, 4, 5, 6, 7]
    assert run.results["notebook"].metrics == {"left": 4.0}


@pytest.mark.parametrize(
    ("source", "missed"),
    [
        ("open('vsc.naj/atad'[::-1])", "data/jan.csv"),  # what only the run can know
        ("import numpy\nnumpy.loadtxt('vsc.naj/atad'[::-1])", "data/jan.csv"),  # its own text
        (
            "import sqlite3\nname = 'vsc.naj'[::-1]\n"
            "def load(folder):\n"
            "    return sqlite3.connect(f'file:{folder}/{name}?mode=ro', uri=True)\n"
            "load('atad'[::-1])",
            "data/jan.csv",  # which names no path
        ),
        ("try: open('vsc.naj/atad'[::-1])\nexcept OSError: raise ValueError", "data/jan.csv"),
        ("import importlib\nimportlib.import_module('repleh'[::-1])", "helper.py"),
        (
            "import os\nos.mkdir('x'); os.chdir('x')\nopen('../' + 'vsc.naj/atad'[::-1])",
            "data/jan.csv",
        ),
        ("open('./' + 'vsc.pu/..'[::-1])", "../up.csv"),
    ],
)
def test_a_stage_that_misses_a_file_beside_the_notebook_says_so(
    tmp_path: Path, store: Store, source: str, missed: str
) -> None:
    folder = tmp_path / "inside"
    (folder / "data").mkdir(parents=True)
    for name in ("data/jan.csv", "helper.py", "../up.csv"):
        (folder / name).write_text("")
    run = LocalRun(compile_notebook(notebook(folder, ("step:a", source))), store, {})
    with pytest.raises(StageError) as caught:
        run.run(lambda stage, line: None)
    where = "is outside the notebook's folder" if ".." in missed else "is beside the notebook"
    assert str(caught.value).splitlines()[-1].startswith(f"{missed!r} {where}")
    assert " fix: " in str(caught.value)


def test_folders_beside_the_notebook_are_there(tmp_path: Path, store: Store) -> None:
    (tmp_path / "out/empty").mkdir(parents=True)
    path = notebook(
        tmp_path,
        ("step:a", "import os\nopen('out/a.csv', 'w').close()\nhere = sorted(os.listdir())"),
        ("step:b", "os.remove('out/a.csv')"),
        ("step:c", "print(here, os.listdir('out'))"),
    )
    lines: list[str] = []
    LocalRun(compile_notebook(path), store, {}).run(lambda stage, line: lines.append(line))
    assert lines == ["['example.ipynb', 'out'] ['empty']"]


def test_a_failing_stage_ends_the_run(tmp_path: Path, store: Store) -> None:
    path = notebook(tmp_path, ("step:a", "x = 1"), ("step:b", "x / 0"), ("step:c", "print(x)"))
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match=r"cell 2, line 1: ZeroDivisionError: division by zero"):
        run.run(lambda stage, line: None)
    assert {name: result.succeeded for name, result in run.results.items()} == {
        "a": True,
        "b": False,
    }


MEET = """
import pathlib, time
mine, other = pathlib.Path({folder!r}, {mine!r}), pathlib.Path({folder!r}, {other!r})
mine.touch()
while not other.exists():
    time.sleep(0.01)
"""


@pytest.mark.skipif(os.cpu_count() == 1, reason="a single processor runs one stage at a time")
def test_stages_side_by_side_run_at_once(tmp_path: Path, store: Store) -> None:
    """Each waits for the other, which one after the other they could not."""
    meet = [MEET.format(folder=str(tmp_path), mine=a, other=b) for a, b in ("ab", "ba")]
    path = notebook(
        tmp_path,
        ("step:first", "x = 1"),
        ("step:a prev:first", meet[0]),
        ("step:b prev:first", meet[1]),
        ("step:last prev:a prev:b", "print(x)"),
    )
    run = LocalRun(compile_notebook(path), store, {})
    run.run(lambda stage, line: None)
    assert list(run.results) == ["first", "a", "b", "last"]


def test_a_stage_is_tried_again_as_its_tag_says(tmp_path: Path, store: Store) -> None:
    source = f"""
import pathlib
counted = pathlib.Path({str(tmp_path / "tries")!r})
tries = len(counted.read_text()) if counted.exists() else 0
counted.write_text("x" * (tries + 1))
assert tries == 2
"""
    path = notebook(tmp_path, ("step:a retry:2:0.1s:2", source))
    run = LocalRun(compile_notebook(path), store, {})
    ended: list[bool] = []
    run.ended = lambda stage, seconds, succeeded: ended.append(succeeded)
    lines: list[str] = []
    run.run(lambda stage, line: lines.append(line))
    assert ended == [False, False, True]
    assert [line for line in lines if "tried again" in line] == [
        "it is tried again in 0.1 s",
        "it is tried again in 0.2 s",
    ]
    tries = {item.key.split("/")[5].partition("-")[0] for item in store.list("runs/example")}
    assert {"1", "2", "3"} <= tries


def test_the_last_try_tells_why(tmp_path: Path, store: Store) -> None:
    path = notebook(tmp_path, ("step:a retry:1:0.01s", "1 / 0"))
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match="ZeroDivisionError"):
        run.run(lambda stage, line: None)


def test_a_stage_is_stopped_when_its_time_is_over(tmp_path: Path, store: Store) -> None:
    path = notebook(tmp_path, ("step:a timeout:1s", "import time\nwhile True: time.sleep(1)"))
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match="'a' was stopped: its timeout of 1 s was over. fix: "):
        run.run(lambda stage, line: None)


def test_a_stage_that_fails_lets_those_beside_it_end(tmp_path: Path, store: Store) -> None:
    path = notebook(
        tmp_path,
        ("step:a prev:", "1 / 0"),
        ("step:b prev:", "import time\ntime.sleep(1)"),
        ("step:c prev:b", "print(1)"),
    )
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match="ZeroDivisionError"):
        run.run(lambda stage, line: None)
    assert {name: result.succeeded for name, result in run.results.items()} == {
        "a": False,
        "b": True,
    }


def test_an_error_of_the_log_stops_the_stage(tmp_path: Path, store: Store) -> None:
    path = notebook(tmp_path, ("step:a", "print('x')\nimport time\ntime.sleep(60)"))
    run = LocalRun(compile_notebook(path), store, {})

    def log(stage: str, line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(log)
    assert run.results == {}


def test_the_plan_may_be_changed(tmp_path: Path, store: Store) -> None:
    from dataclasses import replace

    path = notebook(tmp_path, ("step:a", "open('f', 'w').write('xx')"))
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match="files_limit_mb allows 1"):
        run.run(lambda stage, line: None, lambda plan: replace(plan, files_limit=1))


def test_in_order(tmp_path: Path) -> None:
    path = notebook(tmp_path, ("step:a prev:c", "1"), ("step:b prev:", "2"), ("step:c prev:b", "3"))
    assert [stage.name for stage in compile_notebook(path).in_order()] == ["b", "c", "a"]


# --- ahead --------------------------------------------------------------------------------------


# The runner itself is imported when the task has come.
IMPORTED_AHEAD = "[*sys.modules].index('colorsys') < [*sys.modules].index('podline.runner.runner')"


def run_ahead(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Run a notebook whose processes wait for their turn; returns what each stage printed."""
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "2")
    printed: dict[str, list[str]] = {}
    run = LocalRun(compile_notebook(path), store, {})
    run.run(lambda stage, line: printed.setdefault(stage, []).append(line))
    return printed


def test_the_next_stage_s_libraries_are_imported_meanwhile(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(
        tmp_path,
        ("imports", "import os, sys\nimport colorsys"),
        ("step:one", "x = os.getpid()"),
        ("step:two", f"y = colorsys.ONE_SIXTH\nprint(x != os.getpid(), {IMPORTED_AHEAD})"),
    )
    assert run_ahead(path, store, monkeypatch) == {"two": ["True True"]}


def test_what_a_stage_s_inputs_ask_for_is_imported_meanwhile_from_the_second_run_on(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That `two` needs pandas no cell of it says: its input does."""
    path = notebook(
        tmp_path,
        ("imports", "import sys\nimport pandas as pd"),
        ("step:one", "table = pd.DataFrame({'x': [1]})"),
        ("step:two", f"print(len(table), {IMPORTED_AHEAD.replace('colorsys', 'pandas')})"),
    )
    assert run_ahead(path, store, monkeypatch) == {"two": ["1 False"]}
    assert run_ahead(path, store, monkeypatch) == {"two": ["1 True"]}


def test_what_a_library_reads_at_import_may_be_set_by_the_stage_before(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(
        tmp_path,
        ("step:one", "import os\nos.environ['SKLEARN_ASSUME_FINITE'] = '1'"),
        ("imports", "import sklearn"),
        ("step:two", "print(sklearn.get_config()['assume_finite'])"),
    )
    anew = "libraries are imported anew, not ahead: the stages before changed environ"
    assert run_ahead(path, store, monkeypatch)["two"][-2:] == [anew, "True"]


def test_a_module_that_an_earlier_stage_writes_goes_before_an_installed_one(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(
        tmp_path,
        ("step:one", "open('six.py', 'w').write('text_type = 7')"),
        ("imports", "import six"),
        ("step:two", "print(six.text_type)"),
    )
    assert run_ahead(path, store, monkeypatch)["two"][-1] == "7"


def test_no_process_waits_after_a_run_that_failed(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "2")
    path = notebook(tmp_path, ("step:one", "1 / 0"), ("step:two", "2"), ("step:three", "3"))
    run = LocalRun(compile_notebook(path), store, {})
    with pytest.raises(StageError, match="ZeroDivisionError"):
        run.run(lambda stage, line: None)
    [waited] = run._ahead.values()
    assert waited.process
    assert waited.process.poll() is not None


def test_a_process_that_ended_while_it_waited_is_started_afresh(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "1")
    path = notebook(tmp_path, ("step:one", "x = 1"), ("step:two", "print(x)"))
    run, lines = LocalRun(compile_notebook(path), store, {}), []
    begin = run._begin_ahead

    def begin_and_kill(begun: set[str], shipment: Shipment) -> None:
        begin(begun, shipment)
        for backend in run._ahead.values():
            assert backend.process
            backend.process.kill()
            backend.process.wait()

    monkeypatch.setattr(run, "_begin_ahead", begin_and_kill)
    run.run(lambda stage, line: lines.append(line))
    assert lines == ["1"]


def test_a_run_with_a_teams_key(tmp_path: Path, teams_store: Store) -> None:
    """A whole run, with all that a notebook may ask of the store, and nothing of others."""
    store = teams_store  # where folders stay for a moment: the team has a name of its own
    others = "runs/forecasts.power/r/load/-1/1-ab12/result.json"
    store.put(others, b"theirs")
    store.put("data/shared.csv", b"rows")
    ask = "from podline.store import AccessDenied, open_store\nstore = open_store()\n"
    refused = f"try:\n    store.get({others!r})\nexcept AccessDenied:\n    seen = 'nothing'"
    path = write_cells(
        tmp_path / "power.ipynb",
        ("imports", "import podline\nfrom pathlib import Path"),
        ("step:load", "rows = list(range(300_000))"),
        ("step:shared prev:load", f"{ask}data = bytes(store.get('data/shared.csv'))\ndel store"),
        ("step:others prev:load", f"{ask}{refused}\ndel store"),
        (
            "step:publish prev:shared prev:others",
            "Path('model.skops').write_bytes(bytes(9_000_000))\n"
            "print(len(rows), data, seen, podline.publish('model.skops', 'sound.power').number)",
        ),
    )
    key = team_keys.new_key(store.connection, "sound")
    run = LocalRun(compile_notebook(path), Store(key), {})
    lines: list[str] = []
    run.run(lambda stage, line: lines.append(line))
    assert lines[-1] == "300000 b'rows' nothing 1"
    assert run.dag_id == "sound.power"
    assert {item.key.split("/")[1] for item in store.list("runs")} == {
        "sound.power",
        "forecasts.power",
    }
    assert Model(store, "sound.power").verify(1) == []
