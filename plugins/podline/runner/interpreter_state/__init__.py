"""What a notebook changes that is no name: generators, the environment, where it stands.

In Jupyter one interpreter runs all cells, so what one sets, the next one goes by:

    random.seed(4); pd.set_option("display.max_rows", 7); os.chdir("data")    # stage 1
    print(random.random(), os.listdir())                                      # stage 2

`KINDS` is the table of such state: an entry for each library's says how to take it and how to put
it back in another process. A kind is stored only where the stage's cells changed it, which is told
by comparing the bytes of a snapshot before them with those after. A state as in a fresh process is
`{}` where that can be told, so that an import alone, or a generator that nobody has touched, is no
change. What cannot be made again in another process is refused where it is changed.

The order of putting back is the runner's: the environment before any import, settings after
the imports (which set them up), generators last of all (loading may draw).
"""

import pickle
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from podline.exceptions import ArtifactError
from podline.runner.interpreter_state import learning, loggers, plotting, shell, stdlib, tables
from podline.runner.interpreter_state.kind import FRESH as FRESH
from podline.runner.interpreter_state.kind import Kind, State, pickled

KINDS: tuple[Kind, ...] = (
    *stdlib.KINDS,
    *loggers.KINDS,
    *tables.KINDS,
    *plotting.KINDS,
    *learning.KINDS,
    *shell.KINDS,
)
_BY_NAME = {kind.name: kind for kind in KINDS}

# Set before anything is imported, which these may decide.
FIRST = frozenset({"environ", "sys.path"})

Snapshot = dict[str, State]


def snapshot(folder: Path) -> Snapshot:
    """Take every kind's state, as far as its module is imported.

    Args:
        folder: the stage's working directory, for paths in it.
    """
    taken: Snapshot = {}
    for kind in KINDS:
        if kind.module not in sys.modules:
            continue
        state = kind.take(folder)
        if kind.split:
            taken |= {f"{kind.name}:{item}": pickled(value) for item, value in state.items()}
        else:
            taken[kind.name] = pickled(state)
    return taken


def changed(before: Snapshot, after: Snapshot, source: str) -> set[str]:
    """Return the names of what cells changed; what is not there counts as in a fresh process.

    Args:
        before: the states before the cells.
        after: those after them.
        source: the cells' text.
    """
    return {
        name
        for name in before.keys() | after.keys()
        if before.get(name, FRESH).data != after.get(name, FRESH).data
        and _kind(name).own(_item(name), source)
    }


def changes(before: Snapshot, after: Snapshot, source: str) -> dict[str, bytes]:
    """Return what cells changed, to be put back in later stages.

    Args:
        before: the states before the cells.
        after: those after them.
        source: the cells' text.

    Raises:
        ArtifactError: it holds what cannot be made again in another process.
    """
    found = {name: after.get(name, FRESH) for name in sorted(changed(before, after, source))}
    for name, state in found.items():
        if state.foreign:
            raise ArtifactError(
                f"the cells change the state of {name!r}, and it holds {state.foreign}: that "
                "cannot be handed on to the next stages. fix: move the lines that set it up into "
                "an imports cell, which runs in every stage"
            )
    return {name: state.data for name, state in found.items()}


def deliberate(name: str, source: str) -> bool:
    """Whether cells of a text mean to change a kind of state, or it always counts.

    Args:
        name: the kind's.
        source: the cells' text.
    """
    return re.search(_kind(name).deliberate, source) is not None


def is_alike(name: str, earlier: str, later: str) -> bool | None:
    """Whether a stage need not mind how another set a kind of state; None: the state itself tells.

    Args:
        name: the kind's.
        earlier: the text of the cells that set it.
        later: that of the other stage's.
    """
    kind = _kind(name)
    if not kind.concerns:
        return None
    same = re.findall(kind.deliberate, earlier) == re.findall(kind.deliberate, later)
    return same or not re.search(kind.concerns, later)


def restore(name: str, data: bytes, folder: Path) -> None:
    """Set a kind's state, or an item of it, from the bytes of a snapshot.

    Args:
        name: the kind's, and the item's behind a colon.
        data: the bytes, a pickle: their hash must have been checked.
        folder: the stage's working directory.

    Raises:
        KeyError: there is no such kind.
    """
    kind, state = _kind(name), pickle.loads(data)
    kind.put({_item(name): state} if kind.split else state, folder)


def _kind(name: str) -> Kind:
    return _BY_NAME[name.partition(":")[0]]


def _item(name: str) -> str:
    return name.partition(":")[2]


def is_generator(name: str) -> bool:
    """Whether a kind of state is that of a random generator."""
    return name in _BY_NAME and _BY_NAME[name].generator


def is_item(name: str) -> bool:
    """Whether it is an item of a kind's state: in a process without it, it is as if fresh."""
    return _kind(name).split


def module_of(name: str) -> str:
    """The module that holds a kind's state."""
    return _kind(name).module


def is_used(name: str, sources: Sequence[str]) -> bool:
    """Whether a kind of state may matter to cells: whether its module is or will be imported.

    To put back the options of a library that a stage never uses would cost its import: seconds,
    with Keras.

    Args:
        name: the kind's.
        sources: the cells' texts.
    """
    kind = _kind(name)
    if not kind.words or kind.module in sys.modules:
        return True
    return any(word in source for word in kind.words for source in sources)
