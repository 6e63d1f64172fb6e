"""From a compiled notebook to a stage's task: what is shipped, which version, which plan."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.compiler.attachments import attached_files, digest_of
from podline.compiler.pipeline import Pipeline, Stage
from podline.contract import ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import StageError
from podline.store import keys
from podline.store.keys import RESULT, TryKey

if TYPE_CHECKING:
    from podline.store import Store


@dataclass(frozen=True)
class Shipment:
    """A version of a notebook: the files beside it by sha256, and the hash of all together."""

    files: dict[str, str]
    sha256: str


def ship(pipeline: Pipeline, store: "Store", run: str) -> Shipment:
    """Put the files beside the notebook into a run's folder, by hash.

    Args:
        pipeline: the notebook.
        store: where to.
        run: the run's folder, of `keys.run_prefix`.

    Raises:
        NotebookError: they are larger than the setting allows.
    """
    document = pipeline.document
    folder = document.path.parent
    files = {}
    for path in attached_files(document, settings.files_limit()):
        digest = digest_of(path)
        store.put_if_absent(keys.file_key(run, digest), path)
        files[path.relative_to(folder).as_posix()] = digest
    return Shipment(files, version_of(pipeline, files))


def version_of(pipeline: Pipeline, files: dict[str, str]) -> str:
    """The hash of a notebook together with the files that are shipped with it."""
    parts = [pipeline.document.sha256, files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_version(
    pipeline: Pipeline, shipment: Shipment, inputs: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse to go on with another notebook than the run began with.

    Args:
        pipeline: the notebook as it is now.
        shipment: what the run began with.
        inputs: what the stages before returned.

    Raises:
        StageError: the notebook, or what is shipped with it, differs.
    """
    versions = {shipment.sha256, version_of(pipeline, shipment.files)}
    if versions | {entry["version"] for entry in inputs} != {shipment.sha256}:
        raise StageError(
            f"the notebook {pipeline.document.path.name} was edited during this run: a stage "
            "before this one ran another version of it, and a run never mixes two. fix: trigger a "
            "new run, or clear this one from its first stage on"
        )


def make_task(plan: StagePlan, inputs: Sequence[ResultRef], where: TryKey) -> StageTask:
    """Return the task of one try; `where` says which."""
    return StageTask(plan, tuple(inputs), where.prefix, where.nonce)


def plan_stage(
    pipeline: Pipeline, stage: Stage, parameters: dict[str, Any], shipment: Shipment
) -> StagePlan:
    """Return the plan of a stage, of the version that is shipped."""
    plan = pipeline.plan(stage, parameters, shipment.files, settings.files_limit())
    return replace(plan, notebook_sha256=shipment.sha256)


def plan_baseline(pipeline: Pipeline, parameters: dict[str, Any], shipment: Shipment) -> StagePlan:
    """Return the plan of the whole notebook in one kernel."""
    plan = pipeline.baseline(parameters, shipment.files, settings.files_limit())
    return replace(plan, notebook_sha256=shipment.sha256)


def read_result(store: "Store", task: StageTask | TryKey, digest: str) -> StageResult:
    """Return the result that a try of a stage said it stored.

    Raises:
        StageError: it is not there, is another one, or says that the stage failed.
    """
    key = f"{task.prefix}/{RESULT}"
    data = bytes(store.get(key))
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise StageError(f"the result {key} has the sha256 {found}, and the stage said {digest}")
    result = StageResult.from_json(data)
    if result.nonce != task.nonce:
        raise StageError(f"the result {key} is of another try: its nonce is {result.nonce!r}")
    return result


def check_parameters(pipeline: Pipeline, given: dict[str, Any]) -> dict[str, Any]:
    """Return the given values, as the types of the notebook's parameters ask for.

    Raises:
        StageError: there is no such parameter, or a value has another type than its default.
    """
    known = {parameter.name: parameter for parameter in pipeline.parameters}
    values = {}
    for name, value in given.items():
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise StageError(f"{pipeline.name} has no parameter {name!r}; it has: {names}")
        default = known[name].default
        if type(default) is float and type(value) is int:
            value = float(value)
        if default == "" and value is None:  # what the trigger form makes of an empty field
            value = ""
        if default is not None and type(value) is not type(default):
            raise StageError(
                f"the parameter {name!r} of {pipeline.name} is {value!r}, but its default "
                f"{default!r} is of type {type(default).__name__}: give one of that type"
            )
        values[name] = value
    return values


def summary(result: StageResult) -> str:
    """One line for the log: where the stage's time went, and its metrics."""
    phases = ", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in result.phases)
    metrics = "".join(f"; {name} = {shown(value)}" for name, value in result.metrics.items())
    return f"{result.stage}: {phases}{metrics}"


def shown(value: float) -> str:
    """A metric as text: a whole number in full, another to six digits."""
    whole = value.is_integer() and abs(value) < 1e15
    return f"{value:.0f}" if whole else f"{value:g}"
