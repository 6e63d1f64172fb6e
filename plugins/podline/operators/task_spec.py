"""From a notebook to a stage's task, and from its result to what Airflow is told of it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from podline import settings
from podline.compiler.attachments import attached_files, unshipped
from podline.compiler.pipeline import Pipeline, Stage
from podline.contract import LONGEST_VARIABLE, Failure, StagePlan, StageResult, StageTask, pack
from podline.exceptions import StageError
from podline.files import digest_of
from podline.store import keys
from podline.store.keys import RESULT, TryKey

if TYPE_CHECKING:
    from pydantic import JsonValue

    from podline.store import Store, StoreConnection

Values = dict[str, "JsonValue"]  # for a notebook's parameters, by name


@dataclass(frozen=True)
class Shipment:
    """A version of a notebook: the files beside it by sha256, and the hash of all together."""

    files: dict[str, str]
    sha256: str


class Input(TypedDict):
    """What a stage must know of the result of one before it."""

    stage: str
    key: str
    sha256: str
    version: str
    files: dict[str, str]


def input_of(result: StageResult, key: str, digest: str) -> Input:
    """The reference of a result, for the stages that need it.

    Args:
        result: the stage's.
        key: where it lies in the store.
        digest: the sha256 that it must have.
    """
    version, files = result.notebook_sha256, result.files
    return Input(stage=result.stage, key=key, sha256=digest, version=version, files=files)


def ship(pipeline: Pipeline, store: "Store", run: str, values: Iterable[object] = ()) -> Shipment:
    """Put the files beside the notebook into a run's folder, by hash.

    Args:
        pipeline: the notebook.
        store: where to.
        run: the run's folder, of `keys.run_prefix`.
        values: of the run's parameters, which may name files too.

    Raises:
        NotebookError: they are larger than the setting allows.
    """
    document = pipeline.document
    folder = document.path.parent
    files = {}
    for path in attached_files(document, settings.files_limit(), values):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            files[f"{name}/"] = ""
            continue
        digest = files[name] = digest_of(path)
        store.put_if_absent(keys.file_key(run, digest), path)
    return Shipment(files, version_of(pipeline, files))


def version_of(pipeline: Pipeline, files: dict[str, str]) -> str:
    """The hash of a notebook together with the files that are shipped with it."""
    parts = [pipeline.document.sha256, files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def plan_stage(
    pipeline: Pipeline, stage: Stage, parameters: Values, shipment: Shipment
) -> StagePlan:
    """Return the plan of a stage, of the version that is shipped.

    Args:
        pipeline: the notebook.
        stage: one of its stages.
        parameters: values for the notebook's parameters, by name.
        shipment: the version.
    """
    plan = pipeline.plan(stage, parameters, shipment.files, settings.files_limit())
    return replace(plan, notebook_sha256=shipment.sha256)


def plan_baseline(pipeline: Pipeline, parameters: Values, shipment: Shipment) -> StagePlan:
    """Return the plan of the whole notebook in one kernel.

    Args:
        pipeline: the notebook.
        parameters: values for its parameters, by name.
        shipment: the version that is shipped.
    """
    plan = pipeline.baseline(parameters, shipment.files, settings.files_limit())
    return replace(plan, notebook_sha256=shipment.sha256)


def read_result(store: "Store", task: StageTask | TryKey, digest: str) -> StageResult:
    """Return the result that a try of a stage said it stored.

    Args:
        store: where it lies.
        task: the try.
        digest: the sha256 that it must have.

    Raises:
        StageError: it is another one.
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


def check_parameters(pipeline: Pipeline, given: Values) -> Values:
    """Return the given values, as the types of the notebook's parameters ask for.

    Raises:
        StageError: there is no such parameter, or a value has another type than its default, or is
            out of its bounds.
    """
    known = {parameter.name: parameter for parameter in pipeline.parameters}
    values = {}
    for name, value in given.items():
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise StageError(
                f"{pipeline.name} has no parameter {name!r}; it has: {names}", final=True
            )
        default, bounds = known[name].default, known[name].bounds
        if type(default) is float and type(value) is int:
            value = float(value)
        if default == "" and value is None:  # what the trigger form makes of an empty field
            value = ""
        if default is not None and type(value) is not type(default):
            raise StageError(
                f"the parameter {name!r} of {pipeline.name} is {value!r}, but its default "
                f"{default!r} is of type {type(default).__name__}: give one of that type",
                final=True,
            )
        if bounds and value is not default and not bounds.allow(value):
            raise StageError(
                f"the parameter {name!r} of {pipeline.name} is {value!r}, and must be {bounds}: "
                "give one within these bounds",
                final=True,
            )
        values[name] = value
    return values


def explained(result: StageResult, pipeline: Pipeline) -> StageResult:
    """The result, its failure with what is known of the paths that its cell missed.

    A stage does not see the notebook's folder: whether a path is there, is known here. One that
    is there, and of which the cells were told otherwise, is a failure.
    """
    failure = result.failure
    if failure is None:
        return _misled(result, pipeline)
    if not (said := unshipped(pipeline.document, failure.missing)):
        return result
    message = f"{failure.message.rstrip()}\n{said}"
    return replace(result, failure=replace(failure, message=message))


def _misled(result: StageResult, pipeline: Pipeline) -> StageResult:
    for path, where in result.missing.items():
        shipped = any(f"{name}/".startswith(f"{path}/") for name in result.files)
        if not shipped and (said := unshipped(pipeline.document, [path])):
            failure = Failure(f"{where}: was told that a file is not there. {said}")
            return replace(result, succeeded=False, failure=failure)
    return result


def told(failure: Failure) -> str:
    """A failure as the log shows it, the traceback first: a log is read from its end."""
    return "\n".join(filter(None, [failure.traceback, failure.message]))


def summary(result: StageResult) -> str:
    """One line for the log: where the stage's time went, and its metrics."""
    phases = ", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in result.phases)
    metrics = "".join(f"; {name} = {shown(value)}" for name, value in result.metrics.items())
    return f"{result.stage}: {phases}{metrics}"


def shown(value: float) -> str:
    """A metric as text: a whole number in full, another to six digits."""
    whole = value.is_integer() and abs(value) < 1e15
    return f"{value:.0f}" if whole else f"{value:g}"


def as_variable(text: str, prefix: str, connection: "StoreConnection") -> str:
    """A task or a plan as a variable, or where it lies in the store if it is too long for one.

    Args:
        text: its JSON.
        prefix: the folder of the try that passes it on.
        connection: of the store.
    """
    packed = pack(text)
    if len(packed) < LONGEST_VARIABLE - 1024:
        return packed
    from podline.store import open_store

    data = text.encode()
    key = f"{prefix}/task-{hashlib.sha256(data).hexdigest()[:12]}.json"
    return f"@{key} {open_store(connection).put_same(key, data)}"
