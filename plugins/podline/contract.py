"""What the control plane and a stage say to each other, as JSON. Standard library only.

A stage gets a `StagePlan` and the references of its parents' results; it writes a `StageResult`
into the store and names it, with its hash, in its last line of output.
"""

import base64
import hashlib
import hmac
import json
import zlib
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Self, get_args, get_type_hints

from podline.exceptions import ContractError
from podline.phases import StagePhase

# Raised by every change of what follows: images say which one they speak (`podline.contract`).
CONTRACT_VERSION = 5

# The environment variable in which a pod gets its task.
TASK_VARIABLE = "PODLINE_TASK"
# The one in which a local process gets the number of the process that it must not outlive.
PARENT_VARIABLE = "PODLINE_PARENT"
# The one that has a process wait for its task: an `Ahead` in a pod, else `ON_INPUT`.
AHEAD_VARIABLE = "PODLINE_AHEAD"
# The task comes on standard input, behind a line with its plan.
ON_INPUT = "stdin"
# Bytes that Linux allows in one variable, its name included.
LONGEST_VARIABLE = 128 * 1024

# The exit code of a stage for which another try can only come to the same (EX_CONFIG).
FINAL_EXIT = 78

# The runner's last line: MARK, nonce, sha256 of the result, and when that was stored (epoch).
RESULT_MARK = "podline-result"
# A line of its own at the end of each phase before: MARK, nonce, phase, and when that was (epoch).
PHASE_MARK = "podline-phase"
# A line of a process that waits for its task: MARK, and one of these words.
AHEAD_MARK = "podline-ahead"
BEGUN, READY, TAKEN = "begun", "ready", "taken"


class Json:
    """A dataclass that goes to JSON and back; unknown fields are an error, as is a missing one."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        value: Self = _build(cls, json.loads(text))
        return value

    @property
    def digest(self) -> str:
        """The sha256 of the JSON text, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _build(kind: Any, value: Any) -> Any:
    """Turn plain JSON into what a dataclass's annotations say: nested, in tuples and in dicts."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: _build(hints[name], item) for name, item in value.items()})
    arguments = get_args(kind)
    if value is None or not arguments:
        return value
    if isinstance(value, list):
        return tuple(_build(arguments[0], item) for item in value)
    if isinstance(value, dict) and len(arguments) == 2 and arguments[0] is str:
        return {name: _build(arguments[1], item) for name, item in value.items()}
    return _build(arguments[0], value)  # X | None


@dataclass(frozen=True)
class CellSource:
    """A cell that a stage runs.

    Attributes:
        number: its number in the notebook, from 1, all cells.
        source: its text.
        count: its place among the cells that run, from 1, as in the brackets beside it; 0: the
            next one.
        may_raise: whether its error does not end the stage.
    """

    number: int
    source: str
    count: int = 0
    may_raise: bool = False


@dataclass(frozen=True)
class Carried:
    """A statement that is run again in every stage that needs it: an import, a definition.

    Attributes:
        cell, line: where it stands in the notebook.
        source: the statement's text.
        binds: the names that it binds or changes.
        reads: the names that it reads, now or when what it defines is called.
        triggers: it runs where one of these names is needed: those that it binds, or the
            library that it sets up (``pandas.`` for any use of pandas); none: in every stage.
        value: it computes a value, which is made once in a run and handed on.
    """

    cell: int
    line: int
    source: str
    binds: tuple[str, ...]
    reads: tuple[str, ...]
    triggers: tuple[str, ...]
    value: bool = False


@dataclass(frozen=True)
class StagePlan(Json):
    """All that a stage must know, but the data.

    Attributes:
        notebook: the notebook's name.
        notebook_sha256: the hash of its file.
        stage: the stage's name; `order`: its place among the stages, from 0.
        ancestors: the stages that ended before this one starts, each with its own ancestors.
        cells: its own cells.
        reads: the names that its cells may read.
        hands_on: the names that later stages may read from here.
        guarded: names that a later stage reads which does not wait for this one: these must not
            change here unseen.
        beside: the stages that neither go on from this one nor it from them.
        reseeds: whether its cells seed the generators themselves; `seeded`: whether any cell does.
        counts_calls: whether any cell asks a cached function for its counts.
        carried: imports, definitions and parameters, in the notebook's order.
        later_modules: the modules that later stages import as well.
        metrics: the names that are the pipeline's metrics, as far as this stage binds them.
        parameters: values for the notebook's parameters, by name.
        files: what is shipped from beside the notebook: sha256 by path; none: a folder.
        files_limit: bytes that the files of the working directory may have in all.
        last: whether no stage stands below it in the notebook.
    """

    notebook: str
    notebook_sha256: str
    stage: str
    order: int
    ancestors: dict[str, tuple[str, ...]]
    cells: tuple[CellSource, ...]
    reads: tuple[str, ...]
    hands_on: tuple[str, ...]
    guarded: dict[str, tuple[str, ...]]
    carried: tuple[Carried, ...]
    later_modules: tuple[str, ...]
    metrics: tuple[str, ...]
    parameters: dict[str, Any]
    files: dict[str, str]
    files_limit: int
    beside: tuple[str, ...] = ()
    reseeds: bool = False
    seeded: bool = False
    counts_calls: bool = False
    last: bool = False

    @property
    def last_cell(self) -> int:
        """The number of the stage's last cell."""
        return self.cells[-1].number if self.cells else 0


@dataclass(frozen=True)
class ResultRef:
    """Where a stage's result lies in the store, and the hash that it must have."""

    stage: str
    key: str
    sha256: str


@dataclass(frozen=True)
class StageTask(Json):
    """What a stage's process gets: its plan, its inputs, and where to write.

    Attributes:
        inputs: the results of the stages that it waits for.
        prefix: the folder of this try in the store.
        nonce: a fresh word, which the result and the last line repeat.
    """

    plan: StagePlan
    inputs: tuple[ResultRef, ...]
    prefix: str
    nonce: str
    contract: int = CONTRACT_VERSION

    @property
    def work(self) -> str:
        """The sha256 of what is to be done, whichever try does it: plan and inputs."""
        references = [asdict(reference) for reference in self.inputs]
        text = json.dumps([self.plan.digest, references], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def read(cls, text: str) -> Self:
        """The task of a JSON text.

        Raises:
            ContractError: it is of another version of podline.
        """
        version = json.loads(text).get("contract")
        if version != CONTRACT_VERSION:
            raise ContractError(
                f"the podline of this image speaks contract {CONTRACT_VERSION}, and the one that "
                f"started it {version}. fix: build the image from the same version of podline"
            )
        return cls.from_json(text)


@dataclass(frozen=True)
class Ahead(Json):
    """What a pod gets that is made before its task is due.

    Attributes:
        plan: the stage's, as `pack` makes it or where it lies in the store.
        key: a secret that this pod's specification alone has, in hex: who may write to the store
            but not to the cluster cannot give it a task.
        run: the folder of its run in the store.
        seconds: for which it waits at most.
        libraries: modules that the stage's inputs asked for in earlier runs.
    """

    plan: str
    key: str
    run: str
    seconds: float
    libraries: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What names this pod where the key is not to be seen."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    def sealed(self, task: StageTask) -> bytes:
        """A task as it is handed to this pod."""
        text = task.to_json()
        return f"{self._seal(text)}\n{text}".encode()

    def opened(self, data: bytes) -> StageTask:
        """The task that was handed to this pod.

        Raises:
            ContractError: whoever wrote it does not know the key, or is of another version.
        """
        seal, _, text = data.decode().partition("\n")
        if not hmac.compare_digest(seal, self._seal(text)):
            raise ContractError("the task that came is not of who made this pod: its seal differs")
        return StageTask.read(text)

    def _seal(self, text: str) -> str:
        return hmac.new(self.key.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Preparation(Json):
    """What a local process gets on its standard input before its task is due.

    Attributes:
        plan: the stage's.
        libraries: as of `Ahead`.
    """

    plan: StagePlan
    libraries: tuple[str, ...] = ()


def pack(text: str) -> str:
    """A text of JSON for an environment variable."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(text: str) -> str:
    """The JSON of a text of `pack`, or of JSON."""
    if text.startswith("{"):
        return text
    return zlib.decompress(base64.b64decode(text)).decode()


@dataclass(frozen=True)
class Artifact:
    """A stored object or file.

    Attributes:
        key: its key in the store.
        kind: the format's name.
        bytes, sha256: of what is stored.
        stage, cell: which stage stored it, and the number of that stage's last cell.
        type: the Python type, for people.
        requires: ids of the objects that it refers to.
        names: global names that functions in it read.
        libraries: modules that loading it imports.
        shares: id of the data frame whose memory it is a part of; `part`: which part. Of a data
            frame itself, `part` says which objects are its labels, by their ids.
    """

    key: str
    kind: str
    bytes: int
    sha256: str
    stage: str
    cell: int
    type: str = ""
    requires: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    shares: str = ""
    part: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    """What a name stands for: an object's id (none: deleted), and who bound it last."""

    object: str | None
    stage: str
    order: int
    cell: int


@dataclass(frozen=True)
class Heap:
    """The state of the notebook after a stage: names, the objects they stand for, files, the rest.

    Attributes:
        names: bindings by name.
        objects: artifacts by object id.
        files: artifacts by path below the working directory (None: deleted).
        state: artifacts of what is not a name, by its name (``random``, ``environ`` …).
    """

    names: dict[str, Binding] = field(default_factory=dict)
    objects: dict[str, Artifact] = field(default_factory=dict)
    files: dict[str, Artifact] = field(default_factory=dict)
    state: dict[str, Artifact] = field(default_factory=dict)


@dataclass(frozen=True)
class CellTime:
    """How long a cell took, in seconds, from its start after the stage's start."""

    number: int
    start: float
    seconds: float


@dataclass(frozen=True)
class Phase:
    """A phase of a stage: seconds from the start of its process, and its length in seconds."""

    name: StagePhase
    start: float
    seconds: float


@dataclass(frozen=True)
class Failure:
    """Why a stage failed: the cell's number, where a cell is to blame, and the message.

    `stopped`: by a signal, whose reason is known outside. `missing`: paths, relative to the working
    directory, that the cell may have missed: whether the notebook has them is known outside, too.
    """

    message: str
    cell: int | None = None
    traceback: str = ""
    stopped: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedVersion:
    """A version of a model that a stage published."""

    name: str
    number: int


@dataclass(frozen=True)
class HeadNote:
    """What a stage's process did before its task came: when it began and was ready (epoch).

    `void`: why it had to begin anew all the same.
    """

    begun: float
    ready: float
    void: str = ""


@dataclass(frozen=True)
class StageResult(Json):
    """What a try of a stage did.

    `data`: the sha256 of each data set that was read by then in the run, by its name. `missing`:
    the paths that cells asked for and were told not to be there, each with the line that asked.
    `libraries`: the modules that its inputs asked for. `ahead`: what was done before its task came.
    """

    stage: str
    nonce: str
    plan_sha256: str
    notebook_sha256: str
    files: dict[str, str]  # shipped from beside the notebook
    succeeded: bool
    heap: Heap
    phases: tuple[Phase, ...]
    cells: tuple[CellTime, ...]
    metrics: dict[str, float]
    bytes_in: int
    bytes_out: int
    executed_notebook: str
    peak_memory: int  # bytes
    started: float  # wall clock, seconds since the epoch
    failure: Failure | None = None
    versions: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    published: tuple[PublishedVersion, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    ahead: HeadNote | None = None

    def seconds(self, phase: StagePhase) -> float:
        """The length of a phase, in seconds."""
        return sum(entry.seconds for entry in self.phases if entry.name == phase)
