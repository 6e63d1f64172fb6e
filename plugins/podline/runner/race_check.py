"""Stages side by side: refused, where one goes by what the other changed and no name shows.

From top to bottom, a stage would see the files, the generators and the settings that a stage
above it left, whatever their tags say. Side by side it does not:

    random.seed(1); a = random.random()     # stage left
    b = random.random()     # stage right: from top to bottom, the second number of that seed

So each stage notes what it changed and what it went by, and looks at the notes of those beside
it before it may succeed. It stores its own notes first: of two stages, at least the second to
look sees both notes, whichever of them is further up. That one fails, and with it the run.

It goes by what happened: two stages that write to different files or draw nothing run side by
side without a word. Only of files that libraries read by ways of their own, the code must tell.
"""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from podline.contract import Json, StagePlan, StageTask
from podline.exceptions import ArtifactError
from podline.runner import interpreter_state
from podline.runner.object_ids import name_of
from podline.store import ObjectMissing, Store, keys

NOTES = "beside.json"


@dataclass(frozen=True)
class Notes(Json):
    """What a stage did besides binding names.

    Attributes:
        notebook_sha256: the version of the notebook.
        stage, order, cell: the stage's name, its place, and the number of its last cell.
        source: the text of its cells and of the preamble; `cells`: that of its cells alone.
        reseeds: whether its cells seed the generators themselves.
        state: hashes of the states at its end, by kind; `changed`: the kinds that it changed.
        written: the files that it wrote or deleted; `read`: those that it opened to read, and the
            folders that it listed (with a slash at the end).
        objects: ids of the objects that it may have seen; `altered`: those that it changed.
    """

    notebook_sha256: str
    stage: str
    order: int
    cell: int
    source: str
    cells: str
    reseeds: bool
    state: dict[str, str]
    changed: tuple[str, ...]
    written: tuple[str, ...]
    read: tuple[str, ...]
    objects: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


def take(
    plan: StagePlan,
    before: interpreter_state.Snapshot,
    after: interpreter_state.Snapshot,
    written: Sequence[str],
    read: Sequence[str],
) -> Notes:
    """Note what a stage did.

    Args:
        plan: the stage's.
        before: the interpreter's states before its cells, by kind.
        after: those after its cells.
        written: the files that it wrote or deleted.
        read: the files that it read, and the folders that it listed.
    """
    carried = [statement.source for statement in plan.carried]
    own = "\n".join(cell.source for cell in plan.cells)
    changed = {
        name
        for name in interpreter_state.changed(before, after, own)
        if interpreter_state.deliberate(name, own)
    }
    return Notes(
        notebook_sha256=plan.notebook_sha256,
        stage=plan.stage,
        order=plan.order,
        cell=plan.last_cell,
        source="\n".join([*carried, own]),
        cells=own,
        reseeds=plan.reseeds,
        state={name: _hash(state.data) for name, state in after.items()},
        changed=tuple(sorted(changed)),
        written=tuple(sorted(written)),
        read=tuple(sorted(read)),
    )


def compare(task: StageTask, store: Store, mine: Notes) -> None:
    """Leave this stage's notes in the store, and compare them with those of the stages beside it.

    Tries of another version of the notebook do not count: their cells are not these.

    Args:
        task: the stage's.
        store: where notes are left.
        mine: this stage's notes.

    Raises:
        ArtifactError: the one further down goes by what the one above changed.
        StoreError: the store does not answer.
    """
    store.put_same(f"{task.prefix}/{NOTES}", mine.to_json().encode())
    for name in task.plan.beside:
        for other in _notes_of(task, store, name):
            earlier, later = sorted((mine, other), key=lambda notes: notes.order)
            if earlier.notebook_sha256 == later.notebook_sha256:
                check(earlier, later, seeded=task.plan.seeded)


def _notes_of(task: StageTask, store: Store, stage: str) -> Iterator[Notes]:
    """The notes of each try of another stage of the run."""
    map_index = task.prefix.split("/")[-2]
    for attempt in store.list_folders(
        f"{keys.run_of(task.prefix)}/{keys.quoted(stage)}/{map_index}"
    ):
        try:
            yield Notes.from_json(bytes(store.get(f"{attempt}/{NOTES}")))
        except ObjectMissing:
            continue


def check(earlier: Notes, later: Notes, seeded: bool) -> None:
    """Compare two stages that run side by side.

    Only the one further down can be wrong: from top to bottom, the other does not see it.

    Args:
        earlier: the one that stands further up in the notebook.
        later: the other one.
        seeded: whether any cell of the notebook seeds a generator.

    Raises:
        ArtifactError: `later` goes by what `earlier` changed.
    """
    for kind in earlier.changed:
        if interpreter_state.is_generator(kind):
            # Where nothing was seeded, the values differ by chance alone.
            if seeded and kind in later.changed and not later.reseeds:
                advice = f"seed it in {later.stage!r} as well"
                raise _conflict(earlier, later, f"draws from the generator {kind!r}", advice)
        elif _is_otherwise(kind, earlier, later):
            advice = "move that to an imports cell"
            raise _conflict(earlier, later, f"changes the state of {kind!r}", advice)
    for object_id in sorted(set(earlier.altered).intersection(later.objects)):
        what = f"changes {name_of(object_id)!r}"
        raise _conflict(earlier, later, what, "change a copy")
    for path in earlier.written:
        if _goes_by(later, PurePath(path)):
            advice = "use another file in one of them"
            raise _conflict(earlier, later, f"writes the file {path!r}", advice)


def _is_otherwise(kind: str, earlier: Notes, later: Notes) -> bool:
    """Whether a stage goes by a state that is not as another one set it: alike is set once."""
    alike = interpreter_state.is_alike(kind, earlier.cells, later.cells)
    if alike is not None:
        return not alike
    fresh = _hash(interpreter_state.FRESH.data)
    here = earlier.state.get(kind, fresh)
    if interpreter_state.is_item(kind):
        return later.state.get(kind, fresh) != here and interpreter_state.deliberate(
            kind, later.source
        )
    # What was never imported there does not matter there.
    return later.state.get(kind, here) != here


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _goes_by(notes: Notes, path: PurePath) -> bool:
    """Whether a stage read a file, listed a folder above it, or names it in its code."""
    listed = any(f"{folder}/" in notes.read for folder in path.parents)
    # Libraries read files by ways that Python does not report: their name gives them away.
    named = path.name in notes.source and str(path) not in notes.written
    return listed or named or str(path) in notes.read


def _conflict(earlier: Notes, later: Notes, what: str, advice: str) -> ArtifactError:
    return ArtifactError(
        f"the stage {earlier.stage!r} (up to cell {earlier.cell}) {what}, and the stage "
        f"{later.stage!r} (up to cell {later.cell}), which would go by that from top to bottom, "
        f"runs side by side with it. fix: tag {later.stage!r} prev:{earlier.stage}, or {advice}"
    )


# -- what cells read


@dataclass
class Reading:
    """The files below a folder that Python code opened to read, and the folders that it listed.

    A hook of the interpreter's audit events hears of them. It sees what goes through Python's own
    functions; libraries in C may open files by themselves (`_goes_by`).
    """

    folder: Path
    paths: set[str] = field(default_factory=set)
    active: bool = False

    def start(self) -> None:
        """Begin to watch; there is no way to end it but to set `active`."""
        self.active = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.listdir", "os.scandir") or not self.active:
            return
        path = "." if not arguments or arguments[0] is None else arguments[0]
        if not isinstance(path, str | bytes | PurePath):
            return  # a descriptor
        path = os.path.abspath(os.fsdecode(path))
        if not path.startswith(f"{self.folder}/") and path != str(self.folder):
            return
        name = os.path.relpath(path, self.folder)
        if event == "open":
            if not _only_writes(arguments[1], arguments[2]) and os.path.isfile(path):
                self.paths.add(name)
        # The import system lists each folder of sys.path.
        elif "importlib" not in sys._getframe(1).f_code.co_filename:
            self.paths.add(f"{name}/")


def _only_writes(mode: str | None, flags: int) -> bool:
    """Whether a file is opened for writing, with nothing of what was in it."""
    if mode is not None:
        return mode[:1] in ("w", "x") and "+" not in mode
    return bool(flags & os.O_WRONLY and flags & (os.O_TRUNC | os.O_EXCL))
