"""Runs of a notebook's DAG, as its tasks and the stages' own results tell of them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.report import summary
from podline.contract import StageResult
from podline.phases import STAGE_PHASES
from podline.settings import notebooks_folder
from podline.store import Store, keys
from tests.support.airflow_server import Airflow
from tests.support.notebooks import code_cell


def array_chain(*names: str, source: str = "x = x + 1") -> list[dict[str, Any]]:
    """The cells of a chain of stages that hand an array of 1 MB on, between a maker and a reader.

    Args:
        names: of the stages.
        source: what each of them runs.
    """
    cells = [code_cell("import time\nimport numpy as np", "imports")]
    cells.append(code_cell("x = np.zeros(125_000)", "step:make"))
    cells += [code_cell(source, f"step:{name}") for name in names]
    return [*cells, code_cell("assert x.shape == (125_000,)", "step:check")]


def copy_notebook(name: str, folder: Path, at_once: int) -> None:
    """Copy one of notebooks/ into a folder, where so many of its runs may go on at once."""
    notebook = json.loads((notebooks_folder() / f"{name}.ipynb").read_text())
    notebook["metadata"]["podline"]["max_active_runs"] = at_once
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook))


def trigger(
    airflow: Airflow, dag_id: str, seconds: float = 120, conf: Mapping[str, Any] | None = None
) -> str:
    """Trigger a run and wait for its end; returns its id."""
    run_id = airflow.trigger(dag_id, conf)
    if (state := airflow.wait(dag_id, run_id, seconds)) != "success":
        raise SystemExit(f"{dag_id} {run_id}: {state}\n{_why(airflow, dag_id, run_id)}")
    return run_id


def _why(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """The end of the log of each task that failed."""
    return "\n".join(
        f"{name}: {airflow.log(dag_id, run_id, name)[-3:]}"
        for name, task in airflow.tasks(dag_id, run_id).items()
        if task["state"] == "failed"
    )


def one_run(
    airflow: Airflow,
    store: Store,
    dag_id: str,
    seconds: float = 120,
    conf: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Trigger a run; returns what `stage_times` says of each task."""
    run_id = trigger(airflow, dag_id, seconds, conf)
    tasks = airflow.tasks(dag_id, run_id)
    return {
        name: stage_times(
            result_of(store, dag_id, run_id, name), task["start_date"], task["end_date"]
        )
        for name, task in tasks.items()
    }


def stage_times(result: StageResult, start: str, end: str) -> dict[str, Any]:
    """A stage's task from `start` to `end`, its process's own clock, and its cells, in seconds."""
    first, last = (datetime.fromisoformat(text).timestamp() for text in (start, end))
    return {
        "start": first,
        "end": last,
        "duration": last - first,
        "code": sum(cell.seconds for cell in result.cells),
        "phases": {phase.name: phase.seconds for phase in result.phases},
    }


def process_times(stages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The stages' phases in the median, and what is around their processes, for the last line.

    Args:
        stages: as `stage_times` tells of them.
    """
    around = [stage["duration"] - sum(stage["phases"].values()) for stage in stages]
    phases = {
        name: summary([stage["phases"].get(name, 0.0) for stage in stages])["median"]
        for name in STAGE_PHASES
    }
    return {"stage_phases_s": phases, "around_the_process_s": summary(around)}


def result_of(store: Store, dag_id: str, run_id: str, task_id: str) -> StageResult:
    """The result that a task of a run left in the store."""
    folder = keys.join("runs", dag_id, run_id, task_id)
    key = next(item.key for item in store.list(folder) if item.key.endswith("/result.json"))
    return StageResult.from_json(bytes(store.get(key)))
