"""`podline run` runs a notebook's stages here, and tells where the time went and what failed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from podline.phases import STAGE_PHASES
from podline.store import Store, seaweedfs

from .conftest import Podline, Write

FAILS = (
    ("parameters", "rows = 3"),
    ("imports", "import json"),
    ("step:load", "text = '{' * rows"),
    ("step:parse", "value = text\nprint('parsing')\njson.loads(value)"),
    ("step:after", "print(value)"),
)


def figures(output: str, stage: str) -> list[str]:
    """The row of a stage in the breakdown."""
    rows = [line.split() for line in output.splitlines() if line.startswith(f"{stage} ")]
    return next(row[1:] for row in rows if "│" not in row)


def test_stages_run_and_their_time_is_told(podline: Podline, store: Store, notebooks: Path) -> None:
    result = podline("run", notebooks / "parallel_branches_join.ipynb")
    assert result.exit_code == 0
    assert f"store {store.connection}\n" in result.stdout
    for stage in ("load", "double", "triple", "names", "join"):
        assert re.search(rf"^{stage} +│ done in \d+\.\d\d s$", result.stdout, re.M)
        row = " ".join(figures(result.stdout, stage))
        *phases, total, overhead, share = map(float, row.replace("%", "").split())
        assert sum(phases) == pytest.approx(total, abs=0.05)
        assert 0 <= overhead <= total
        assert 0 <= share <= 100
    head = next(line for line in result.stdout.splitlines() if line.startswith("seconds"))
    assert head.split() == ["seconds", "launch", *STAGE_PHASES, "total", "overhead"]
    assert re.search(r"^double │ 2$", result.stdout, re.M)


def test_what_it_says_of_executed_notebooks_is_true(
    podline: Podline, store: Store, notebooks: Path, tmp_path: Path
) -> None:
    result = podline("run", notebooks / "kale_notebook.ipynb", "--quiet")
    keys = re.findall(r"^  (runs/\S+/executed\.ipynb)$", result.stdout, re.M)
    assert [key.split("/")[3] for key in keys] == ["load", "square", "sum"]
    assert all(store.exists(key) for key in keys)
    (command,) = re.findall(r"podline (notebook kale_notebook \S+ sum)$", result.stdout, re.M)
    path = tmp_path / "sum.ipynb"
    assert podline(*command.split(), "-o", path).exit_code == 0
    assert path.read_bytes() == bytes(store.get(keys[-1]))


@pytest.mark.usefixtures("store")
def test_parameters_and_metrics(podline: Podline, write: Write) -> None:
    path = write(
        "scored",
        ("parameters", "rows = 3\nname = 'a'"),
        ("step:score limit:memory:1Gi", "print(name, rows)"),
        ("pipeline-metrics", "score = rows / 2\nprint(score)"),
    )
    result = podline("run", path, "-p", "rows=5", "-p", "name=[b]")
    assert result.exit_code == 0
    assert "of scored, rows=5, name='[b]'" in result.stdout
    assert "not applied by local processes: limits of score" in result.stdout
    assert "score │ [b] 5" in result.stdout
    assert re.search(r"^score +2\.5$", result.stdout, re.M)


@pytest.mark.usefixtures("store")
def test_parameters_from_a_file(podline: Podline, write: Write, tmp_path: Path) -> None:
    path = write("filed", ("parameters", "rows = 3\nname = 'a'"), ("step:a", "print(name, rows)"))
    values = tmp_path / "values.yaml"
    values.write_text("rows: 7\nname: b\n")
    assert "a │ b 7" in podline("run", path, "-f", values).stdout.replace("  ", " ")
    values.write_text('{"rows": 7}')
    assert "of filed, rows=8" in podline("run", path, "-f", values, "-p", "rows=8").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: many", "'rows'"),
        ("row: 1", "fails has no parameter 'row'; it has: rows"),
        ("- 1", "holds no object. fix: write a line NAME: VALUE for each"),
        ("{", "is neither YAML nor JSON"),
        (None, "cannot be read: No such file or directory. fix: check -f"),
    ],
)
def test_a_wrong_parameters_file_runs_nothing(
    podline: Podline, store: Store, write: Write, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "v.yaml").write_text(text)
    result = podline("run", write("fails", *FAILS), "-f", tmp_path / "v.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert not list(store.list())


def test_the_whole_run_as_one_executed_notebook(
    podline: Podline, store: Store, write: Write, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.ipynb"
    assert podline("run", write("fails", *FAILS), "-q", "-o", whole).exit_code == 1
    notebook: Any = nbformat.read(whole, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [source for _, source in FAILS]
    assert notebook.cells[3].outputs[0].text == "parsing\n"
    assert notebook.cells[3].outputs[-1].ename == "JSONDecodeError"
    assert notebook.cells[2].metadata.tags == ["step:load"]
    assert not notebook.cells[4].outputs


@pytest.mark.usefixtures("store")
def test_how_it_went_as_json(podline: Podline, write: Write, notebooks: Path) -> None:
    result = podline("run", notebooks / "kale_notebook.ipynb", "--json")
    told = json.loads(result.stdout)
    assert (told["dag_id"], told["state"], told["failure"]) == ("kale_notebook", "success", None)
    assert [stage["stage"] for stage in told["stages"]] == ["load", "square", "sum"]
    assert set(told["stages"][0]["phases"]) == set(STAGE_PHASES)
    assert "sum    │ done in" in result.stderr
    failed = podline("run", write("fails", *FAILS), "--json")
    assert failed.exit_code == 1
    told = json.loads(failed.stdout)
    assert told["state"] == "failed"
    assert "JSONDecodeError" in told["failure"]
    assert [stage["succeeded"] for stage in told["stages"]] == [True, False]


@pytest.mark.usefixtures("store")
def test_quiet_leaves_out_what_cells_print(podline: Podline, notebooks: Path) -> None:
    result = podline("run", notebooks / "kale_notebook.ipynb", "-q")
    said = [line for line in result.stdout.splitlines() if "│" in line]
    assert [re.sub(r"[\d.]+", "N", line).split() for line in said] == [
        [stage, "│", *words]
        for stage in ("load", "square", "sum")
        for words in (["starts"], ["done", "in", "N", "s"])
    ]


@pytest.mark.usefixtures("store")
def test_the_baseline_is_one_process(podline: Podline, notebooks: Path) -> None:
    result = podline("run", notebooks / "kale_notebook.ipynb", "--baseline", "--cells")
    assert result.exit_code == 0
    assert "run   baseline__" in result.stdout
    assert "notebook │ done in" in result.stdout
    assert re.search(r"^notebook .* 6: \d+\.\d\d, 7: \d+\.\d\d", result.stdout, re.M)


@pytest.mark.usefixtures("store")
def test_a_failing_stage_is_told_with_its_line(podline: Podline, write: Write) -> None:
    result = podline("run", write("fails", *FAILS))
    assert result.exit_code == 1
    assert re.search(r"^parse │ failed after \d+\.\d\d s$", result.stdout, re.M)
    assert "\n-->   3 json.loads(value)\n" in result.stdout
    assert "Traceback (most recent call last)" in result.stdout
    assert "after │" not in result.stdout
    assert "–" in figures(result.stdout, "parse")  # it did not come to dump
    assert re.search(r"^  runs/fails/\S+/parse/\S+/executed\.ipynb$", result.stdout, re.M)
    head = "podline: error: the stage 'parse' of fails failed: cell 4, line 3: JSONDecodeError"
    assert result.stderr.startswith(head)
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("store", "enough_memory")
def test_a_stage_that_is_killed_is_told(podline: Podline, write: Write) -> None:
    path = write(
        "killed",
        ("step:load", "x = 1"),
        ("step:die", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    )
    result = podline("run", path)
    assert result.exit_code == 1
    assert figures(result.stdout, "load")
    assert "podline: error: the stage 'die' was killed by the signal SIGKILL" in result.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("rows=many", "the parameter 'rows' cannot be 'many': give a whole number"),
        ("row=1", "fails has no parameter 'row'; it has: rows"),
        ("rows", "the parameter 'rows' has no value: write -p rows=VALUE"),
    ],
)
def test_a_wrong_parameter_runs_nothing(
    podline: Podline, store: Store, write: Write, given: str, message: str
) -> None:
    result = podline("run", write("fails", *FAILS), "-p", given)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"podline: error: {message}" in result.stderr
    assert not list(store.list())


def test_a_notebook_with_errors_runs_nothing(
    podline: Podline, store: Store, notebooks: Path
) -> None:
    result = podline("run", notebooks / "invalid" / "undefined_name.ipynb")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cell 3, line 2: error: undefined name 'rowz'" in result.stderr
    assert not list(store.list())


def test_without_a_connection_the_embedded_store_serves(
    podline: Podline, home: Path, notebooks: Path
) -> None:
    result = podline("run", notebooks / "kale_notebook.ipynb", "-q")
    assert result.exit_code == 0
    assert f"(embedded: {home / 'store'})" in result.stdout
    assert not seaweedfs.is_running(home / "store")
    assert "AIRFLOW_CONN_PODLINE_STORE" not in os.environ
    assert "kale_notebook" in podline("runs").stdout


def test_the_embedded_store_waits_for_the_next_command(
    podline: Podline, home: Path, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_LINGER", "60")
    process = []
    for _ in range(2):
        assert podline("run", notebooks / "kale_notebook.ipynb", "-q").exit_code == 0
        process.append((home / "store" / "server.pid").read_text())
        assert seaweedfs.is_running(home / "store")
    assert process[0] == process[1]
    assert podline("store", "stop").stdout == "the store is stopped\n"


@pytest.mark.parametrize(
    ("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_stops_the_stage_and_the_store(
    home: Path, write: Write, sign: signal.Signals, code: int
) -> None:
    path = write(
        "slow",
        ("imports", "import os, time"),
        ("step:wait", "print('process', os.getpid())\ntime.sleep(60)"),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "podline.cli", "run", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said = next(match for line in process.stdout if (match := re.search(r"process (\d+)", line)))
    process.send_signal(sign)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[1]), 0)
    assert not seaweedfs.is_running(home / "store")


def test_executed_notebooks_are_kept_as_pages_too(
    podline: Podline, write: Write, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__HTML", "always")
    assert podline("run", write("pages", ("step:a", "print(6 * 7)"))).exit_code == 0
    (page,) = [item.key for item in store.list("runs/pages") if item.key.endswith(".html")]
    assert "42" in bytes(store.get(page)).decode()


def test_what_happens_is_told_to_a_program(
    podline: Podline, store: Store, write: Write, tmp_path: Path
) -> None:
    path = write("told", ("step:load", "x = 1\nprint('hello')"), ("step:add", "y = x + 1"))
    result = podline("run", path, "--events", "-o", tmp_path / "executed.ipynb")
    assert result.exit_code == 0
    first, *events, last = map(json.loads, result.stdout.splitlines())
    assert (first["event"], first["dag_id"], first["stages"]) == ("run", "told", ["load", "add"])
    assert (last["event"], last["state"], last["failure"]) == ("over", "success", None)
    told = [(event["event"], event["stage"]) for event in events if event["event"] != "line"]
    assert told == [("start", "load"), ("end", "load"), ("start", "add"), ("end", "add")]
    assert {"event": "line", "stage": "load", "text": "hello"} in events
    ended = next(event for event in events if event["event"] == "end")
    assert sum(ended["phases"].values()) == pytest.approx(ended["seconds"], abs=0.05)
    assert 0 <= ended["cells"]["1"] <= ended["seconds"]


def test_a_failure_is_told_with_its_cell(podline: Podline, store: Store, write: Write) -> None:
    result = podline("run", write("wrong", *FAILS), "--events")
    assert result.exit_code == 1
    *events, last = map(json.loads, result.stdout.splitlines())
    assert last["state"] == "failed"
    assert "JSONDecodeError" in last["failure"]
    failed = next(event for event in events if event["event"] == "end" and not event["succeeded"])
    assert failed["failure"]["cell"] == 4
    assert "JSONDecodeError" in failed["failure"]["traceback"]
