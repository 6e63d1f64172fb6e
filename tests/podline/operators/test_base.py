"""A try of a stage whose store is away, or refuses: what Airflow is told, and when."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from podline.compiler.compiler import compile_notebook
from podline.operators import base
from podline.operators.stage import StageOperator
from podline.store import Store, StoreConnection, StoreUnavailable, client
from tests.support.notebooks import code_cell, notebook_text, write_cells
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _no_patience_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_patience", None)


@pytest.fixture
def operator(tmp_path: Path) -> StageOperator:
    pipeline = compile_notebook(write_cells(tmp_path / "example.ipynb", ("step:one", "x = 1")))
    (stage,) = pipeline.stages
    return StageOperator(task_id="one", pipeline=pipeline, stage=stage)


def context() -> Any:
    now = datetime.now(UTC)
    ids = {"dag_id": "example", "task_id": "one", "run_id": "r", "map_index": -1}
    ti = SimpleNamespace(**ids, try_number=1, max_tries=2, start_date=now)
    run = SimpleNamespace(start_date=now, run_after=now, clear_number=0, conf={})
    return {"ti": ti, "dag_run": run, "params": {"backend": "process"}}


def use(monkeypatch: pytest.MonkeyPatch, connection: StoreConnection) -> None:
    for name, value in connection.to_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(StoreConnection, "read", lambda: StoreConnection.from_env("podline_store"))


def test_a_wrong_key_is_not_tried_again(
    operator: StageOperator, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = store.connection
    wrong = StoreConnection(
        "podline_store", right.bucket, right.endpoint_url, right.access_key, "wrong"
    )
    use(monkeypatch, wrong)
    with pytest.raises(AirflowFailException, match="does not allow this: .* Check the connection"):
        operator.execute(context())


def test_pages_are_there_when_a_pod_of_the_tasks_own_ends(
    operator: StageOperator, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere they are made by a process that outlives the task."""
    monkeypatch.setenv("AIRFLOW_IS_K8S_EXECUTOR_POD", "True")
    operator.store, operator.prefix = store, "runs/example/r/one/-1/1-nonce"
    store.put(f"{operator.prefix}/executed.ipynb", notebook_text([code_cell("x = 1")]).encode())
    given: Any = {"task": operator, "ti": SimpleNamespace(state="success")}
    base._keep_pages(given)
    assert b"<html" in bytes(store.get(f"{operator.prefix}/executed.html"))


def test_a_task_that_is_killed_waits_no_more(
    operator: StageOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, StoreConnection("podline_store", "b", "http://127.0.0.1:9", "k", "s"))
    raised: list[BaseException] = []

    def execute() -> None:
        try:
            operator.execute(context())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    until(lambda: operator.patience is not None and operator.patience.waits)
    began = time.monotonic()
    operator.on_kill()
    thread.join(60)
    assert time.monotonic() - began < 30  # it would wait for a quarter of an hour
    assert isinstance(raised[0], StoreUnavailable)
