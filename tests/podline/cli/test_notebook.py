"""`podline notebook` fetches what a stage executed."""

import json
from pathlib import Path

import pytest

from podline.compiler.compiler import compile_notebook
from podline.operators.local_run import LocalRun
from podline.store import Store

from .conftest import Podline, Refused

DAG = "kale_notebook"


@pytest.fixture
def key(store: Store, notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of the executed notebook of the stage `sum`."""
    run = LocalRun(compile_notebook(notebooks / f"{DAG}.ipynb"), store, {})
    run.run(lambda stage, line: None)
    monkeypatch.chdir(tmp_path)
    return run.results["sum"].executed_notebook


def test_by_dag_run_and_stage(podline: Podline, store: Store, key: str) -> None:
    result = podline("notebook", DAG, "latest", "sum")
    assert (result.exit_code, result.stdout) == (0, f"{DAG}-sum.ipynb\n")
    assert Path(f"{DAG}-sum.ipynb").read_bytes() == bytes(store.get(key))


def test_by_key(podline: Podline, key: str) -> None:
    assert podline("notebook", key, "-o", "deep.ipynb").stdout == "deep.ipynb\n"
    assert json.loads(Path("deep.ipynb").read_text())["nbformat"] == 4
    assert podline("notebook", key).stdout == "executed.ipynb\n"


def test_to_standard_output(podline: Podline, store: Store, key: str) -> None:
    assert podline("notebook", key, "-o", "-").stdout_bytes == bytes(store.get(key))


@pytest.mark.usefixtures("key")
def test_as_a_page(podline: Podline) -> None:
    result = podline("notebook", DAG, "latest", "sum", "--html")
    assert (result.exit_code, result.stdout) == (0, f"{DAG}-sum.html\n")
    page = Path(f"{DAG}-sum.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "squares" in page


def test_a_file_is_replaced_only_when_named(podline: Podline, refused: Refused, key: str) -> None:
    Path("executed.ipynb").write_text("mine")
    said = refused("notebook", key)
    assert "executed.ipynb exists already: name the file to write with -o" in said
    assert Path("executed.ipynb").read_text() == "mine"
    assert podline("notebook", key, "-o", "executed.ipynb").exit_code == 0
    assert Path("executed.ipynb").read_text() != "mine"


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((DAG, "latest", "nope"), 1, "has no stage 'nope'; it has: load, square, sum"),
        ((DAG, "nope", "sum"), 1, "has no run with 'nope' in the id"),
        (("runs/a/b",), 1, "There is no object 'runs/a/b'"),
        ((DAG, "latest"), 2, "name a key, or a DAG, a RUN (or latest) and a STAGE"),
        ((DAG, "latest", "sum", "-o", "no/such/folder.ipynb"), 1, "cannot be written: No such"),
    ],
)
def test_what_there_is_not(
    podline: Podline, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = podline("notebook", *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
