"""The notebook's objects in a stage: loaded from the heap before its cells, stored after them.

Names stand for objects, and objects may share parts. To keep that across stages, every object
that a program could tell from its equal is stored once, under an id; whatever refers to it
refers to the id. An object is stored again only where it changed, whoever changed it.
"""

import json
import re
import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from podline.contract import Artifact, Binding, Carried, Heap, StagePlan
from podline.exceptions import ArtifactError
from podline.frameworks import is_keras_model
from podline.runner import pickling, serializers
from podline.runner.pickling import Walk, has_identity

# A data frame plots with matplotlib, which its cell need not name.
_PLOTS = re.compile(r"\.(plot|hist|boxplot)\b")
_MOST_PARTS = 200  # shared parts of one stage that become objects of their own


@dataclass
class Needs:
    """What a stage needs: carried statements to run, names to bind, objects to load."""

    carried: list[Carried]
    names: set[str]
    objects: set[str]

    def artifacts(self, heap: Heap) -> list[Artifact]:
        """What must be fetched: all objects but those that are parts of others."""
        found = [heap.objects[object_id] for object_id in self.objects]
        return [artifact for artifact in found if artifact.shares not in self.objects]


@dataclass
class Pending:
    """A written file that becomes an artifact once it is uploaded; `beside`: files for people."""

    name: str
    kind: str
    path: Path
    objects: tuple[str, ...]
    type: str
    walk: Walk = field(default_factory=Walk)
    beside: tuple[Path, ...] = ()
    shares: str = ""
    part: dict[str, int] = field(default_factory=dict)


def needs_of(plan: StagePlan, heap: Heap) -> Needs:
    """Find what the stage's cells need, and what that needs in turn."""
    latest = {name: c.cell for c in plan.carried for name in c.binds}
    names: set[str] = set()
    objects: set[str] = set()
    run: set[int] = set()
    # A carried statement runs before objects are loaded: what it reads must be carried as well.
    # What is carried has no guard: each stage makes its own.
    queue = [(name, False) for name in (*plan.reads, *filter(heap.names.get, plan.guarded))]
    if any(_PLOTS.search(cell.source) for cell in plan.cells):
        queue.append(("matplotlib.", False))
    for index, carried in enumerate(plan.carried):
        if not carried.triggers:
            run.add(index)
            queue += [(name, True) for name in carried.reads]
    seen: set[tuple[str, bool]] = set()
    while queue:
        name, by_carried = queue.pop()
        if (name, by_carried) in seen:
            continue
        seen.add((name, by_carried))
        binding = heap.names.get(name)
        if binding and binding.cell > latest.get(name, -1):
            if binding.object:
                names.add(name)
                queue += [(n, False) for n in _require(binding.object, heap, objects)]
            if not by_carried:
                continue
        for index, carried in enumerate(plan.carried):
            if name in carried.triggers and index not in run:
                run.add(index)
                queue += [(n, True) for n in carried.reads]
    # A change of a data frame shows in the arrays that are parts of its memory.
    objects |= {o for o in _seen(plan.hands_on, heap) if heap.objects[o].shares in objects}
    return Needs([plan.carried[index] for index in sorted(run)], names, objects)


def _require(object_id: str, heap: Heap, objects: set[str]) -> list[str]:
    """Add an object and all that it refers to; return the names that its functions read."""
    names: list[str] = []
    queue = [object_id]
    while queue:
        current = queue.pop()
        if current not in objects:
            objects.add(current)
            artifact = heap.objects[current]
            names += artifact.names
            # What sets up a library is wanted wherever the library is.
            names += [f"{library.partition('.')[0]}." for library in artifact.libraries]
            queue += artifact.requires
    return names


def _seen(names: Iterable[str], heap: Heap) -> set[str]:
    """The objects that names stand for, with all that those refer to."""
    seen: set[str] = set()
    for name in names:
        if (binding := heap.names.get(name)) and binding.object:
            _require(binding.object, heap, seen)
    return seen


class Memory:
    """The objects of a running stage."""

    def __init__(
        self, plan: StagePlan, heap: Heap, namespace: dict[str, Any], folder: str = ""
    ) -> None:
        self.plan, self.heap, self.namespace = plan, heap, namespace
        self.context = pickling.Context(namespace, folder)
        self.loaded: dict[str, Any] = {}
        self.prints: dict[str, str] = {}
        self.guards: dict[str, str] = {}
        self.given: dict[str, tuple[Any, str, bool]] = {}  # carried: value, print, computed
        self._files: dict[str, Path] = {}
        self._wanted: set[str] = set()

    # -- before the cells

    def carry(self, ran: Iterable[Carried]) -> None:
        """Note what the carried statements bound."""
        for carried in ran:
            for name in carried.binds:
                value = self.namespace.get(name)
                if isinstance(value, type | types.FunctionType) and _is_own(value):
                    self.context.carried[id(value)] = name
        for carried in ran:
            for name in set(carried.binds) & set(self.namespace):
                value = self.namespace[name]
                if not isinstance(value, types.ModuleType):
                    self.given[name] = (value, self._print(value), carried.value)

    def load(self, needs: Needs, files: dict[str, Path]) -> None:
        """Load objects from their files (by the artifact's key) and bind the names."""
        self._files, self._wanted = files, needs.objects
        for object_id in sorted(needs.objects):
            self._load(object_id)
        for name in needs.names:
            binding = self.heap.names[name]
            assert binding.object is not None
            self.namespace[name] = self.loaded[binding.object]
        for object_id, value in self.loaded.items():
            if has_identity(value):
                self.context.roots[id(value)] = object_id
        for object_id in self._watched():
            self.prints[object_id] = self._print(self.loaded[object_id])
        for name in self.plan.guarded:
            if name in needs.names:
                self.guards[name] = self._print(self.namespace[name], whole=True)

    def _load(self, object_id: str) -> Any:
        if object_id in self.loaded:
            return self.loaded[object_id]
        artifact = self.heap.objects[object_id]
        try:
            if artifact.shares in self._wanted:
                frame = self._load(artifact.shares)
                self.loaded[object_id] = serializers.make_part(frame, artifact.part)
                return self.loaded[object_id]
            return self._load_file(object_id, artifact, self._files[artifact.key])
        except ArtifactError:
            raise
        except Exception as error:
            name = object_id.partition(":")[2]
            raise ArtifactError(
                f"the variable {name!r} ({artifact.type}) of the stage {artifact.stage!r} cannot "
                f"be loaded: {type(error).__name__}: {error}. fix: move the code that it needs "
                "to a cell tagged functions, or make it again where it is used"
            ) from error

    def _load_file(self, object_id: str, artifact: Artifact, path: Path) -> Any:
        if artifact.kind == serializers.PICKLE:
            with path.open("rb") as file:
                loaded = pickling.load(file, self._resolve_name, self._load, self.context.folder)
                for other, value in loaded.items():
                    self.loaded.setdefault(other, value)
        elif artifact.kind == serializers.VIEW:
            view = json.loads(path.read_text())
            self.loaded[object_id] = serializers.make_view(view, self._load(artifact.requires[0]))
        elif artifact.kind == serializers.MODULE:
            self.loaded[object_id] = serializers.load_module(path)
        else:
            own = {name: self._resolve_name(name) for name in artifact.names}
            self.loaded[object_id] = serializers.load_typed(artifact.kind, path, own)
        return self.loaded[object_id]

    def _resolve_name(self, name: str | None) -> Any:
        """What a name stands for while objects are loaded; None: the namespace itself."""
        if name is None:
            return self.namespace
        binding = self.heap.names.get(name)
        if binding and binding.object and binding.object in self._wanted:
            return self._load(binding.object)
        return self.namespace[name]

    def _watched(self) -> set[str]:
        """The loaded objects that later stages may see."""
        return _seen(self.plan.hands_on, self.heap) & set(self.loaded)

    def _print(self, value: Any, whole: bool = False) -> str:
        if not has_identity(value) and not isinstance(value, tuple | frozenset):
            return ""
        context = pickling.Context(self.namespace) if whole else self.context
        try:
            return pickling.walk(value, context).print
        except Exception:  # nothing to compare with: it counts as changed
            return "?"

    def check_guards(self, cell: int) -> None:
        """Refuse a change that a stage running side by side would have to see.

        Raises:
            ArtifactError: the cell changed such an object.
        """
        for name, before in self.guards.items():
            if name in self.namespace and self._print(self.namespace[name], whole=True) != before:
                others = " and ".join(map(repr, self.plan.guarded[name]))
                raise ArtifactError(
                    f"cell {cell} changes the variable {name!r}, which the stage {others} reads "
                    f"without waiting for {self.plan.stage!r}. fix: tag it "
                    f"prev:{self.plan.stage}, or change a copy"
                )

    def module_prints(self, folder: Path) -> dict[str, str]:
        """Hash the variables of the modules beside the notebook that later stages import too."""
        prints = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            root = name.partition(".")[0]
            if root in self.plan.later_modules and file and Path(file).is_relative_to(folder):
                for variable, value in vars(module).items():
                    if not variable.startswith("__") and not _is_code(value):
                        prints[f"{name}.{variable}"] = self._print(value) or repr(value)
        return prints

    # -- after the cells

    def dump(self, folder: Path) -> tuple[list[Pending], dict[str, Binding]]:
        """Write what later stages may read and what changed.

        Returns:
            The files to upload, and the new bindings by name.

        Raises:
            ArtifactError: an object cannot be stored, or cannot be kept one with another.
        """
        bound = self._bind()
        walks = self._walk_all(bound)
        self._separate(bound, walks)
        changed = {
            object_id
            for object_id, walk in walks.items()
            if object_id not in self.loaded
            or self.prints.get(object_id) not in ("", walk.print)
            or self._lies_elsewhere(object_id, bound)
        }
        pending: list[Pending] = []
        for component in _components(changed, walks):
            item = self._write(component, bound, walks, folder, len(pending))
            shares, part = bound.parts.get(component[0], ("", {}))
            pending.append(replace(item, shares=shares, part=part))
        return pending, self._bindings(bound)

    def _lies_elsewhere(self, object_id: str, bound: "_Bound") -> bool:
        """Whether an array that was a part of a frame's memory is another part now, or none."""
        before = self.heap.objects[object_id]
        place = before.shares, before.part
        return before.shares in self.loaded and bound.parts.get(object_id) != place

    def _bind(self) -> "_Bound":
        bound = _Bound(self.plan.stage)
        bound.values.update(self.loaded)
        for object_id, value in self.loaded.items():
            bound.ids[id(value)] = object_id
        queue = sorted(self.plan.hands_on)
        for name in queue:
            self._bind_name(name, bound)
        return bound

    def _bind_name(self, name: str, bound: "_Bound") -> None:
        if name in bound.names or name not in self.namespace:
            return
        value = self.namespace[name]
        if name in self.given:
            given, before, computed = self.given[name]
            if value is given and before == self._print(value):
                if not computed or id(value) in self.context.carried:
                    return
            else:
                self.context.carried.pop(id(value), None)
        elif isinstance(value, types.ModuleType) and self._is_carried(name):
            return
        bound.add(name, value)
        if has_identity(value):
            self.context.roots[id(value)] = bound.names[name]

    def _is_carried(self, name: str) -> bool:
        return any(name in carried.binds for carried in self.plan.carried)

    def _walk_all(self, bound: "_Bound") -> dict[str, Walk]:
        """Look through all that is handed on, and through what that refers to."""
        walks: dict[str, Walk] = {}
        queue = [*bound.names.values(), *sorted(self._watched())]
        while queue:
            object_id = queue.pop()
            if object_id in walks:
                continue
            walk = walks[object_id] = self._walk(object_id, bound)
            for name in sorted(walk.names - set(bound.names)):
                self._bind_name(name, bound)
                if name in bound.names:
                    queue.append(bound.names[name])
            queue += [other for other in walk.requires if other in bound.values]
        return walks

    def _walk(self, object_id: str, bound: "_Bound") -> Walk:
        value = bound.values[object_id]
        if isinstance(value, types.ModuleType):
            return Walk()
        carried = id(value) in self.context.carried
        try:
            return pickling.walk(value, self.context, frozenset() if carried else None)
        except Exception as error:
            raise self._unstorable(bound.name_of(object_id), value, error) from None

    def _unstorable(self, name: str, value: Any, error: Exception) -> ArtifactError:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        return ArtifactError(
            f"{self._where(name)}the variable {name!r} ({kind}) cannot be stored, and later "
            f"stages may read it: {type(error).__name__}: {error}. fix: store what it was made "
            "from and make it again where it is used, or put both into one stage"
        )

    def _where(self, name: str) -> str:
        for cell in reversed(self.plan.cells):
            if name.isidentifier() and name in cell.source:
                return f"cell {cell.number}: "
        return ""

    # -- shared parts

    def _separate(self, bound: "_Bound", walks: dict[str, Walk]) -> None:
        """Make objects of their own of the parts that several objects share."""
        for _ in range(_MOST_PARTS):
            shared = _shared_part(walks, _circles(walks))
            if shared is None:
                break
            part, owners = shared
            object_id = bound.promote(part)
            self.context.roots[id(part)] = object_id
            for owner in [*owners, object_id]:
                walks[owner] = self._walk(owner, bound)
        self._refuse_opaque(bound, walks)
        self._separate_views(bound, walks)
        self._note_parts(bound, walks)

    def _refuse_opaque(self, bound: "_Bound", walks: dict[str, Walk]) -> None:
        held = {id(value): object_id for object_id, value in bound.values.items()}
        for object_id, walk in walks.items():
            for part_id, part in walk.opaque.items():
                others = [held[part_id]] if held.get(part_id) in walks else []
                others += [o for o, w in walks.items() if part_id in w.parts]
                for other in others:
                    if other != object_id:
                        raise self._inseparable(bound, object_id, other, type(part).__name__)

    def _inseparable(self, bound: "_Bound", first: str, second: str, what: str) -> ArtifactError:
        one, other = bound.name_of(first), bound.name_of(second)
        return ArtifactError(
            f"{self._where(other)}the variables {one!r} and {other!r} share one {what}, and "
            "stored they would become two. fix: hand on only one of them and take the other "
            f"from it where it is used, or make {other!r} a copy"
        )

    def _separate_views(self, bound: "_Bound", walks: dict[str, Walk]) -> None:
        """Store arrays that share memory as views of the array that owns it."""
        circles = _circles(walks)
        arrays = [(o, array) for o, walk in walks.items() for array in walk.arrays]
        owners: dict[int, list[tuple[str, Any]]] = {}
        for object_id, array in arrays:
            owners.setdefault(id(_owner(array)), []).append((object_id, array))
        for group in owners.values():
            objects = {circles[object_id] for object_id, _ in group}
            if len(objects) < 2 or len({id(array) for _, array in group}) < 2:
                continue
            if not _overlap(group):
                continue
            owner = _owner(group[0][1])
            whole = all(bound.values[o] is array for o, array in group)
            if type(owner).__name__ != "ndarray" or owner.dtype.hasobject or not whole:
                first, second = sorted(objects)[:2]
                raise self._inseparable(bound, first, second, "array's memory")
            owner_id = bound.ids.get(id(owner)) or bound.promote(owner)
            self.context.roots[id(owner)] = owner_id
            walks[owner_id] = self._walk(owner_id, bound)
            for object_id, array in group:
                if array is not owner:
                    bound.views[object_id] = owner_id
                    walks[object_id].requires.add(owner_id)

    def _note_parts(self, bound: "_Bound", walks: dict[str, Walk]) -> None:
        """Note the arrays that are parts of a data frame's memory: `X = df.to_numpy()`."""
        frames = {o: bound.values[o] for o in walks if serializers.is_frame(bound.values[o])}
        arrays = [o for o, walk in walks.items() if any(a is bound.values[o] for a in walk.arrays)]
        for object_id in arrays if frames else ():
            for frame_id, frame in frames.items():
                part = serializers.part_of(bound.values[object_id], frame)
                if part is not None:
                    bound.parts[object_id] = frame_id, part
                    break

    # -- writing

    def _write(
        self,
        component: list[str],
        bound: "_Bound",
        walks: dict[str, Walk],
        folder: Path,
        number: int,
    ) -> Pending:
        object_id = component[0]
        value, walk = bound.values[object_id], walks[object_id]
        name = bound.name_of(object_id)
        stem = f"{number}-{name}" if name.isidentifier() and name.isascii() else f"{number}"
        kind = type(value).__qualname__
        if isinstance(value, types.ModuleType):
            path = folder / f"{stem}.json"
            path.write_text(json.dumps(value.__name__))
            return Pending(name, serializers.MODULE, path, (object_id,), kind)
        if object_id in bound.views:
            path = folder / f"{stem}.view.json"
            owner = bound.values[bound.views[object_id]]
            path.write_text(json.dumps(serializers.view_of(value, owner)))
            return Pending(name, serializers.VIEW, path, (object_id,), kind, walk)
        model = is_keras_model(value)
        if model and self.plan.seeded and not value.built:
            text = "it is not built yet, and would draw its weights from other seeds; build it here"
            raise self._unstorable(name, value, TypeError(text))
        tree = not (walk.requires or walk.repeated or walk.placed) and (model or not walk.names)
        if len(component) == 1 and tree:
            try:
                stored = serializers.store_typed(value, folder, stem)
            except Exception as error:
                raise self._unstorable(name, value, error) from error
            if stored:
                return Pending(name, stored[0].name, stored[1], (object_id,), kind, walk)
        if model:
            raise self._unstorable(name, value, TypeError("Keras does not bring it back alike"))
        path = folder / f"{stem}.pickle"
        values = {other: bound.values[other] for other in component}
        with path.open("wb") as file:
            try:
                pickling.dump(values, self.context, file)
            except Exception as error:
                raise self._unstorable(name, value, error) from None
        merged = Walk()
        for other in component:
            merged.requires |= walks[other].requires - set(component)
            merged.names |= walks[other].names
        pictures = serializers.draw_figures(values.values(), folder, stem)
        return Pending(name, serializers.PICKLE, path, tuple(component), kind, merged, pictures)

    def _bindings(self, bound: "_Bound") -> dict[str, Binding]:
        plan, bindings = self.plan, {}
        for name, object_id in bound.names.items():
            before = self.heap.names.get(name)
            if before is None or before.object != object_id:
                bindings[name] = Binding(object_id, plan.stage, plan.order, plan.last_cell)
        for name, binding in self.heap.names.items():
            was_bound = binding.object in self.loaded and name in self.plan.reads
            if was_bound and name not in self.namespace:
                bindings[name] = Binding(None, plan.stage, plan.order, plan.last_cell)
        return bindings


class _Bound:
    """The objects to look at: their values and ids, and the names that stand for them."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.ids: dict[int, str] = {}
        self.views: dict[str, str] = {}
        self.parts: dict[str, tuple[str, dict[str, int]]] = {}

    def add(self, name: str, value: Any) -> None:
        object_id = self.ids.get(id(value)) if has_identity(value) else self._same(value)
        if object_id is None:
            object_id = f"{self.stage}:{name}"
            self.values[object_id] = value
            self.ids[id(value)] = object_id
        self.names[name] = object_id

    def _same(self, value: Any) -> str | None:
        """The id of a loaded value without an identity, if it is that very object."""
        found = self.ids.get(id(value))
        return found if found is not None and self.values[found] is value else None

    def promote(self, part: Any) -> str:
        object_id = f"{self.stage}:#{len(self.values)}"
        self.values[object_id] = part
        self.ids[id(part)] = object_id
        return object_id

    def name_of(self, object_id: str) -> str:
        names = [name for name, other in self.names.items() if other == object_id]
        return names[0] if names else object_id.partition(":")[2]


def _is_code(value: Any) -> bool:
    return isinstance(value, types.ModuleType | types.FunctionType | type)


def _is_own(value: Any) -> bool:
    return getattr(value, "__module__", None) == "__main__"


def _shared_part(walks: dict[str, Walk], circles: dict[str, str]) -> tuple[Any, list[str]] | None:
    """Return a part that several objects hold, the outermost there is, and its holders.

    Objects that refer to each other in a circle are stored together, and so may share parts.
    """
    holders: dict[int, list[str]] = {}
    for object_id, walk in walks.items():
        for part in walk.parts:
            holders.setdefault(part, []).append(object_id)
    for walk in walks.values():
        for part, value in walk.parts.items():
            if len({circles[holder] for holder in holders[part]}) > 1:
                return value, holders[part]
    return None


def _owner(array: Any) -> Any:
    """Return the object that owns an array's memory."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def _overlap(group: list[tuple[str, Any]]) -> bool:
    """Whether arrays of different objects share an element that one of them can write."""
    import numpy as np

    for index, (first_id, first) in enumerate(group):
        for second_id, second in group[index + 1 :]:
            writeable = first.flags.writeable or second.flags.writeable
            if first_id == second_id or first is second or not writeable:
                continue
            try:
                if np.shares_memory(first, second, max_work=100_000):  # type: ignore[arg-type]
                    return True
            except np.exceptions.TooHardError:
                return True
    return False


def _components(changed: set[str], walks: dict[str, Walk]) -> list[list[str]]:
    """Group the objects to write: those that refer to each other in a circle go together.

    A circle is written whole, if one of its objects changed.
    """
    members: dict[str, list[str]] = {}
    for object_id, first in _circles(walks).items():
        members.setdefault(first, []).append(object_id)
    return [component for component in members.values() if changed & set(component)]


def _circles(walks: dict[str, Walk]) -> dict[str, str]:
    """Return, for each object, the first of the circle of references that it stands in."""
    reach = {object_id: _reachable(object_id, walks) for object_id in walks}
    first = {}
    for object_id in sorted(walks):
        circle = {o for o in reach[object_id] if object_id in reach[o]}
        first[object_id] = min(circle | {object_id})
    return first


def _reachable(object_id: str, walks: dict[str, Walk]) -> set[str]:
    seen: set[str] = set()
    queue = [*walks[object_id].requires]
    while queue:
        current = queue.pop()
        if current not in seen and current in walks:
            seen.add(current)
            queue += walks[current].requires
    return seen


def artifact_of(pending: Pending, key: str, size: int, digest: str, plan: StagePlan) -> Artifact:
    """Return the artifact that an uploaded file is."""
    return Artifact(
        key=key,
        kind=pending.kind,
        bytes=size,
        sha256=digest,
        stage=plan.stage,
        cell=plan.last_cell,
        type=pending.type,
        requires=tuple(sorted(pending.walk.requires)),
        names=tuple(sorted(pending.walk.names)),
        libraries=serializers.libraries_of(pending.kind),
        shares=pending.shares,
        part=pending.part,
    )
