"""Makes DAGs from notebooks: each notebook's pipeline, its baseline, or the place of its errors."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param, get_parsing_context

from podline import settings
from podline.airflow_compat import set_params
from podline.compiler.compiler import compile_notebook
from podline.compiler.dag_id import BASELINE, dag_id
from podline.compiler.parameters import AHEAD_PARAM, BACKEND_PARAM, Parameter
from podline.compiler.pipeline import Pipeline, Stage
from podline.exceptions import NotebookError
from podline.operators.base import tried_once
from podline.operators.stage import (
    KeptNotebookOperator,
    KeptStageOperator,
    NotebookOperator,
    StageOperator,
)
from podline.operators.team import ALL, Team

INVALID_TAG = "invalid"
_WRITING = 1.0  # seconds for which a notebook that was just changed may be half-written


def notebook_dags(folder: Path, only: str | None = None, team: Team = ALL) -> list[DAG]:
    """Make the DAGs of a folder's notebooks: two for each, NAME and NAME_baseline.

    A notebook that does not compile harms no other: Airflow would make every DAG of a file stale
    if the file raised. It gives a DAG of its name that is not scheduled and says what is wrong.

    Args:
        folder: where the notebooks are.
        only: the one DAG that is wanted, as a task's process knows it; None: all.
        team: whose notebooks they are, which says where their stages run.
    """
    with _no_garbage_collection():
        dags = [
            dag
            for path in sorted(folder.glob("*.ipynb"))
            if only in (None, (name := dag_id(path, team.prefix)), name + BASELINE)
            for dag in _dags_of(path, team)
        ]
    found = [dag for dag in dags if only in (None, dag.dag_id)]
    process = get_parsing_context()
    task_id = process.task_id if process.dag_id == only else None
    if only is None or task_id is None or any(dag.has_task(task_id) for dag in found):
        return found
    # Airflow would reschedule it again and again, and then fail it without a word.
    return [_kept_dag(folder, only, task_id, team)]


def _dags_of(path: Path, team: Team) -> list[DAG]:
    while True:
        try:
            return _make(compile_notebook(path), team)
        except Exception as error:  # whatever it is, it is this notebook's alone
            if not _is_being_written(path):
                return [_invalid_dag(path, error, team)]
            time.sleep(_WRITING / 5)


def _is_being_written(path: Path) -> bool:
    """Whether a file was just changed: not every editor saves in one step."""
    with suppress(OSError):
        return abs(time.time() - path.stat().st_mtime) < _WRITING
    return False


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Syntax trees are many objects and no garbage: collecting meanwhile takes a quarter more."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Nor does a process that parses a DAG file live long enough to collect them later.
        gc.freeze()
        if enabled:
            gc.enable()


def _make(pipeline: Pipeline, team: Team) -> list[DAG]:
    dags = [_pipeline_dag(pipeline, team), _baseline_dag(pipeline, team)]
    params = {**notebook_params(pipeline), BACKEND_PARAM: _backend(team)}
    params.setdefault(AHEAD_PARAM, _ahead())
    for dag in dags:
        set_params(dag, params)
    return dags


def _pipeline_dag(pipeline: Pipeline, team: Team) -> DAG:
    about = pipeline.settings
    with DAG(
        dag_id(pipeline.document.path, team.prefix),
        schedule=about.schedule,
        start_date=datetime.fromisoformat(about.start_date) if about.start_date else None,
        catchup=about.catchup,
        tags={"podline", "notebook", *about.tags, *team.tags},
        **_common(pipeline, team),
    ) as dag:
        add_stages(pipeline, partial(_stage_task, pipeline, team))
    return dag


def add_stages(pipeline: Pipeline, make: Callable[[Stage], BaseOperator]) -> None:
    """Add a task for each stage to the DAG that is being made, in the order of the stages."""
    tasks = {stage.name: make(stage) for stage in pipeline.stages}
    for stage in pipeline.stages:
        for parent in stage.parents:
            tasks[parent] >> tasks[stage.name]


def _stage_task(pipeline: Pipeline, team: Team, stage: Stage) -> StageOperator:
    doc = _stage_doc(stage.parents)
    return StageOperator(
        task_id=stage.name, pipeline=pipeline, stage=stage, doc_md=doc, **team.of_stages()
    )


def _baseline_dag(pipeline: Pipeline, team: Team) -> DAG:
    tags = {"podline", "baseline", *team.tags}
    name = dag_id(pipeline.document.path, team.prefix) + BASELINE
    with DAG(name, schedule=None, tags=tags, **_common(pipeline, team)) as dag:
        NotebookOperator(task_id="notebook", pipeline=pipeline, **team.of_stages())
    return dag


def _common(pipeline: Pipeline, team: Team) -> dict[str, Any]:
    about = pipeline.settings
    said = {
        "pool": about.pool or team.pool or None,
        "priority_weight": about.priority_weight,
        "max_active_tis_per_dag": about.max_active_tis_per_dag,
    }
    said = {name: value for name, value in said.items() if value is not None}
    doc = pipeline.document.description or f"The notebook {pipeline.document.path.name}."
    return {
        "doc_md": _readable(doc),
        "default_args": {"owner": about.owner, "retries": about.retries, **said},
        "max_active_runs": about.max_active_runs,
        "auto_register": False,  # a notebook has both of its DAGs, or the invalid one alone
    }


def _readable(text: str) -> str:
    """A DAG's documentation: Airflow takes a text that ends in `.md` for the name of a file."""
    return text.encode(errors="replace").decode() + "\n"  # a file's name may be no Unicode


def notebook_params(pipeline: Pipeline) -> dict[str, Param]:
    """The notebook's parameters as a DAG's, which the trigger form asks for."""
    return {parameter.name: _param(parameter) for parameter in pipeline.parameters}


def _param(parameter: Parameter) -> Param:
    """What the trigger form asks for a parameter of the notebook."""
    kinds: dict[str, Any] = {"null": ["null", "string", "number", "boolean"]}
    if parameter.default == "":
        kinds["string"] = ["string", "null"]  # or the form would ask for a text
    kind = kinds.get(parameter.type, parameter.type)
    about = parameter.description or None
    return Param(parameter.default, type=kind, description=about, **_bounds_of(parameter))


def _bounds_of(parameter: Parameter) -> dict[str, Any]:
    """A parameter's bounds in the words of JSON Schema."""
    if (bounds := parameter.bounds) is None:
        return {}
    if bounds.choices:
        return {"enum": [*bounds.choices, *([None] if parameter.default is None else [])]}
    ends = {"minimum": bounds.least, "maximum": bounds.most}
    return {word: end for word, end in ends.items() if end is not None}


def _backend(team: Team) -> Param:
    # Who runs a team's DAG must not choose a backend that has Airflow's own key to the store.
    choice = [settings.backend()] if team.name else sorted(b.value for b in settings.Backend)
    return Param(
        settings.backend(),
        type="string",
        enum=choice,
        description="Where the stages run; the default is the setting [podline] backend.",
        section="podline",
    )


def _ahead() -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern="^(auto|off|[0-9]{1,3})$",
        description="How many stages are begun ahead: auto, off or a number; the default is what "
        "tags and the setting [podline] ahead say.",
        section="podline",
    )


def _stage_doc(parents: dict[str, str]) -> str:
    if not parents:
        return "Waits for no other stage."
    reasons = {"prev": "its tag says so", "order": "it stands above"}
    lines = [f"- `{name}`: {reasons.get(why, why)}" for name, why in parents.items()]
    return "Waits for:\n" + "\n".join(lines)


def _invalid_dag(path: Path, error: Exception, team: Team) -> DAG:
    text = str(error) if isinstance(error, NotebookError) else f"{type(error).__name__}: {error}"
    with DAG(
        dag_id(path, team.prefix),
        schedule=None,
        tags={"podline", INVALID_TAG},
        doc_md=_readable(f"**{path.name} does not compile:**\n\n```\n{text}\n```"),
        default_args={"owner": "podline", "retries": 0},
        auto_register=False,
    ) as dag:
        _Refuse(task_id="errors", text=text)
    return dag


def _kept_dag(folder: Path, dag_id: str, task_id: str, team: Team) -> DAG:
    """A DAG for the process of a task that its notebook does not have, as the notebook is now."""
    whole = dag_id.endswith(BASELINE)
    name = dag_id.removesuffix(BASELINE).removeprefix(team.prefix)
    path = folder / f"{name}.ipynb"
    with DAG(dag_id, schedule=None) as dag:
        if why := _why_unreadable(path):
            kind = KeptNotebookOperator if whole else KeptStageOperator
            later: Any = None  # what its run has kept
            task = kind(task_id=task_id, pipeline=later, **team.of_stages())
            task.notebook, task.why = name, why
        else:
            _Refuse(
                task_id=task_id,
                text=f"the notebook {path.name} has no stage {task_id!r} any more: it was edited "
                "since this run began. fix: trigger a new run",
            )
    return dag


def _why_unreadable(path: Path) -> str:
    """What is wrong with a notebook; empty: nothing."""
    if not path.exists():
        return (
            f"the notebook {path.name} is no longer in {path.parent}. fix: put it back: without it "
            "Airflow soon schedules no more tasks of this run"
        )
    try:
        compile_notebook(path)
    except NotebookError as error:
        return str(error)
    return ""


class _Refuse(BaseOperator):
    """Fails with the errors of a notebook."""

    def __init__(self, *, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    @tried_once
    def execute(self, context: Any) -> None:
        """Say what is wrong.

        Raises:
            NotebookError: always.
        """
        raise NotebookError(self.text)
