"""The DAG files that docs/kubernetes.md shows: beside a folder of notebooks, and from git."""

import runpy
import subprocess
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.git.bundles.git import GitDagBundle
from airflow.sdk import DAG

from tests.support.code_blocks import DOCS, blocks
from tests.support.notebooks import write_notebook

DAG_FILES = [one.code for one in blocks(DOCS / "kubernetes.md") if one.language == "python"]
PREFIXES = {"alone": "", "team": "vision."}
CELLS = {"step:one": "x = 1", "step:two": "x + 1"}


@pytest.fixture(params=zip(PREFIXES, DAG_FILES, strict=True), ids=[*PREFIXES])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A DAG file of the page, and a notebook."""
    made = tmp_path / "bundle"
    (made / "notebooks").mkdir(parents=True)
    write_notebook(made / "notebooks", "example", CELLS)
    (made / "notebooks_dag.py").write_text(request.param[1])
    return made


@pytest.fixture
def dag_id(request: pytest.FixtureRequest, folder: Path) -> str:
    """The id of the notebook's DAG."""
    kind, _ = request.node.callspec.params["folder"]
    return f"{PREFIXES[kind]}example"


def test_it_makes_the_dags(folder: Path, dag_id: str) -> None:
    found = runpy.run_path(str(folder / "notebooks_dag.py"))
    names = {name for name, value in found.items() if isinstance(value, DAG)}
    assert names >= {dag_id, f"{dag_id}_baseline"}


def test_a_tasks_process_makes_its_own_alone(
    folder: Path, dag_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
    found = runpy.run_path(str(folder / "notebooks_dag.py"))
    assert dag_id in found
    assert f"{dag_id}_baseline" not in found


def test_airflow_reads_it_from_git(
    folder: Path, dag_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"  # by default all bundles are in one
    monkeypatch.setenv(own, str(tmp_path / "bundles"))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder)]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*git, *words], check=True)
    bundle = GitDagBundle(name=tmp_path.name, tracking_ref="main", repo_url=str(folder))
    bundle.initialize()
    bag = DagBag(str(bundle.path), bundle_path=bundle.path, bundle_name=bundle.name)
    assert bag.import_errors == {}
    assert {*bag.dags} == {dag_id, f"{dag_id}_baseline"}
