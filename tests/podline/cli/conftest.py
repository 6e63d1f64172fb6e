"""The command line as its users call it, and notebooks to call it with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from podline.cli import app
from tests.support.notebooks import write_cells

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

Podline = Callable[..., Result]
Refused = Callable[..., str]
Write = Callable[..., Path]


@pytest.fixture
def podline(monkeypatch: pytest.MonkeyPatch) -> Podline:
    """Calls `podline` with arguments; an exception that it does not tell is the test's."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("AIRFLOW__PODLINE__HTML", "never")  # a page takes more than a second

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)

    return call


@pytest.fixture
def refused(podline: Podline) -> Refused:
    """Calls `podline` with arguments that it refuses; returns what it says."""

    def call(*arguments: object) -> str:
        result = podline(*arguments)
        assert result.exit_code == 1
        return result.stderr

    return call


@pytest.fixture
def notebooks() -> Path:
    """The folder of the test notebooks."""
    return NOTEBOOKS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the embedded store is, in an environment that names no other."""
    monkeypatch.delenv("AIRFLOW_CONN_PODLINE_STORE", raising=False)
    monkeypatch.setenv("AIRFLOW__PODLINE__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_LINGER", "0")
    return tmp_path / "home"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a notebook of cells, each its tags (separated by spaces) and its source."""

    def notebook(name: str, *cells: Sequence[str]) -> Path:
        return write_cells(tmp_path / f"{name}.ipynb", *cells)

    return notebook
