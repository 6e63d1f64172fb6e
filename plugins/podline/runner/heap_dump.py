"""After a stage's cells: writes what later stages may read, as far as it is new or changed.

An object is written again only where its hash differs from the one taken before the cells, so
that what a stage merely reads costs nothing to hand on:

    table = load()            # stage 1 writes `table`
    total = table.sum()       # stage 2 writes `total`; `table` stays the artifact of stage 1
    table.drop(columns="a", inplace=True)    # would have it written again, under the same id

What has no identity, such as a number or a text, never changes: its name is bound anew.
"""

import json
import types
from dataclasses import dataclass, replace
from pathlib import Path

from podline.contract import Artifact, Binding
from podline.frameworks import is_keras_model
from podline.runner import array_views, figures, lifetimes, pickling, serializers, sharing
from podline.runner.heap import Memory
from podline.runner.object_graph import Graph
from podline.runner.pickling import Walk, has_identity, is_constant


@dataclass
class Pending:
    """A written file that becomes an artifact once it is uploaded.

    Attributes:
        name: a name that stands for the object.
        path: the file.
        objects: ids of the objects in it: more than one where they refer to each other in a circle.
        draft: the artifact, but for what is known after the upload.
        pictures: files for people, uploaded beside it.
    """

    name: str
    path: Path
    objects: tuple[str, ...]
    draft: Artifact
    pictures: tuple[Path, ...]

    def artifact(self, key: str, size: int, digest: str) -> Artifact:
        """Return the artifact that the uploaded file is.

        Args:
            key: its key in the store.
            size: in bytes.
            digest: its sha256 (hex).
        """
        return replace(self.draft, key=key, bytes=size, sha256=digest)


@dataclass
class Dumped:
    """What a stage leaves.

    Attributes:
        pending: the files to upload.
        relabelled: artifacts of frames that are as they were, but whose labels are now another
            object, by id.
        bindings: the new bindings by name.
    """

    pending: list[Pending]
    relabelled: dict[str, Artifact]
    bindings: dict[str, Binding]


def dump(memory: Memory, folder: Path) -> Dumped:
    """Write what later stages may read and what changed.

    Args:
        memory: the stage's objects.
        folder: where to.

    Raises:
        ArtifactError: an object cannot be stored, or cannot be kept one with another.
    """
    graph = Graph(memory)
    sharing.separate(graph)
    _keep_held(graph)
    changed = {object_id for object_id in graph.walks if _is_changed(graph, object_id)}
    memory.altered = memory.preamble.altered | (changed & memory.loaded.keys())
    components = graph.components(changed)
    pending = [_write(graph, c, folder, number) for number, c in enumerate(components)]
    relabelled = _relabelled(graph, {object_id for c in components for object_id in c})
    return Dumped(pending, relabelled, _bindings(graph))


def _keep_held(graph: Graph) -> None:
    """Hand on what objects hold weakly along with a name that keeps it.

    Raises:
        ArtifactError: no name that is handed on does, or a function is to be called at its end.
    """
    finalized = {id(value) for value in lifetimes.finalized()}
    for object_id, walk in graph.walks.items() if finalized else ():
        if finalized & {id(graph.values[object_id]), *walk.parts}:
            why = "weakref.finalize() has a function wait for its end, which is not handed on"
            raise graph.unstorable(object_id, TypeError(why), "call the function in this stage")
    weak = [(object_id, walk) for object_id, walk in graph.walks.items() if walk.weak]
    if not weak:
        return
    keeps = {name: lifetimes.reach([graph.values[o]]) for name, o in graph.names.items()}
    for object_id, walk in weak:
        for value in [value for one in walk.weak for value in lifetimes.held(one)]:
            if id(value) in graph.context.preamble or not has_identity(value):
                continue  # each stage has it
            keepers = [name for name, kept in keeps.items() if id(value) in kept]
            if not keepers:
                kind = type(value).__qualname__
                why = f"no variable that later stages read keeps the {kind} that it holds weakly"
                raise graph.unstorable(object_id, TypeError(why), "use a set, list or dict there")
            if graph.way_to(object_id) not in keepers:
                walk.names.add(keepers[0])


def _relabelled(graph: Graph, written: set[str]) -> dict[str, Artifact]:
    found = {}
    for object_id in graph.walks.keys() - written:
        before, labels = graph.memory.heap.objects[object_id], graph.walks[object_id].labels
        if not before.shares and before.part != labels:
            requires = {*before.requires} - before.part.keys() | labels.keys()
            found[object_id] = replace(before, part=labels, requires=tuple(sorted(requires)))
    return found


def _is_changed(graph: Graph, object_id: str) -> bool:
    """Whether an object is new, has other content, or is another part of a frame than before.

    It is also written again if it must refer to what is in its file, or if it is a frame whose
    labels are no longer the object that they were: those in its file are older.
    """
    memory, walk = graph.memory, graph.walks[object_id]
    if object_id not in memory.loaded:
        return True
    objects, before = memory.heap.objects, memory.heap.objects[object_id]
    moved = before.shares in memory.loaded and (
        graph.parts.get(object_id) != (before.shares, before.part)
    )
    new = walk.requires - walk.labels.keys() - {*before.requires}
    refers = any(o not in objects or objects[o].key != before.key for o in new)
    unlabelled = not before.shares and before.part.items() - walk.labels.items()
    unhashed = "" if is_constant(graph.values[object_id]) else None  # nobody below reads it
    other = memory.prints.get(object_id, unhashed) not in ("", walk.print)
    return bool(moved or refers or unlabelled or other)


def _write(graph: Graph, component: list[str], folder: Path, number: int) -> Pending:
    """Write an object, or several that refer to each other in a circle, to one file.

    Args:
        graph: of all objects.
        component: the ids.
        folder: where to.
        number: of the file, which makes its name unique.
    """
    first, values = component[0], [graph.values[object_id] for object_id in component]
    value, name = values[0], graph.name_of(first)
    stem = f"{number}-{name}" if name.isidentifier() and name.isascii() else f"{number}"
    pictures: tuple[Path, ...] = ()
    walks = [graph.walks[object_id] for object_id in component]
    if isinstance(value, types.ModuleType):
        kind, path = serializers.MODULE, folder / f"{stem}.json"
        path.write_text(json.dumps(value.__name__))
    elif first in graph.views:
        kind, path = serializers.VIEW, folder / f"{stem}.view.json"
        path.write_text(json.dumps(array_views.view_of(value, graph.values[graph.views[first]])))
    elif typed := _write_typed(graph, component, folder, stem):
        kind, path = typed
    else:
        kind, path = serializers.PICKLE, folder / f"{stem}.pickle"
        walks.append(_write_pickle(graph, component, path))
        pictures = figures.draw_figures(values, folder, stem)
    requires = {other for walk in walks for other in walk.requires} - set(component)
    names = {name for walk in walks for name in walk.names}
    shares, part = graph.parts.get(first, ("", graph.walks[first].labels))
    plan, type_name = graph.plan, type(value).__qualname__
    draft = replace(
        Artifact("", kind, 0, "", plan.stage, plan.last_cell, type_name),
        requires=tuple(sorted(requires)),
        names=tuple(sorted(names)),
        libraries=serializers.libraries_of(kind),
        shares=shares,
        part=part,
    )
    return Pending(name, path, tuple(component), draft, pictures)


def _write_typed(
    graph: Graph, component: list[str], folder: Path, stem: str
) -> tuple[str, Path] | None:
    """Write a single object in the format of its type; None: it must be pickled.

    Only a tree fits: the formats know no references, no part that is met twice, no path that
    moves with the working directory. A Keras model has no other form than Keras' own.

    Raises:
        ArtifactError: it cannot be written, or is a Keras model that would not come back alike.
    """
    object_id = component[0]
    value, walk = graph.values[object_id], graph.walks[object_id]
    model = is_keras_model(value)
    try:
        if model and graph.plan.seeded and not value.built:
            raise TypeError(
                "it is not built yet, and would draw its weights from other seeds; build it here"
            )
        inside = walk.requires - walk.labels.keys()
        tree = not (inside or walk.repeated or walk.placed) and (model or not walk.names)
        alone = tree and len(component) == 1
        stored = serializers.store_typed(value, folder, stem) if alone else None
        if model and not stored:
            raise TypeError("Keras does not bring it back alike")
        return stored
    except Exception as error:
        raise graph.unstorable(object_id, error) from error


def _write_pickle(graph: Graph, component: list[str], path: Path) -> Walk:
    values = {object_id: graph.values[object_id] for object_id in component}
    try:
        with path.open("wb") as file:
            return pickling.dump(values, graph.context, file)
    except Exception as error:
        raise graph.unstorable(component[0], error) from None


def _bindings(graph: Graph) -> dict[str, Binding]:
    """The names that stand for another object than before, and those that a cell deleted.

    A name counts as deleted only if this stage had it: what was never bound here is not missing.
    """
    plan, memory = graph.plan, graph.memory
    before = {name: binding.object for name, binding in memory.heap.names.items()}
    now: dict[str, str | None] = {
        name: object_id for name, object_id in graph.names.items() if before.get(name) != object_id
    }
    had = {name for name in plan.reads if before.get(name) in memory.loaded}
    now |= dict.fromkeys(had - memory.namespace.keys())
    return {n: Binding(o, plan.stage, plan.order, plan.last_cell) for n, o in now.items()}
