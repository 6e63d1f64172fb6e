"""After a stage's cells: the objects that later stages may see, and which refers to which.

The graph starts at the names that later stages read, and at the loaded objects that others may
reach without this stage's names. From each object it follows what the object refers to and the
global names that its functions read:

    data = [1, 2]
    def mean(): return sum(data) / len(data)    # to hand on `mean` is to hand on `data`
"""

import tempfile
import types
from pathlib import Path
from typing import Any

from podline.exceptions import ArtifactError
from podline.files import full_disk, is_full
from podline.runner import object_walk, process_bound
from podline.runner.heap import Memory
from podline.runner.heap_needs import reachable, reached
from podline.runner.object_ids import is_made, name_of
from podline.runner.pickling import Bundle, Objects, Walk, has_identity


class Graph:
    """Objects with their ids, the names that stand for them, and what each is made of.

    An object has the id that it was loaded under, else the stage's name and the first name that
    stands for it (`train:model`), or a number if it is only a part of others (`train:#7`).

    Attributes:
        carried: the names that the preamble binds.
        handed_on: the names that stages below may read, also by functions that they get.
        names: object ids by the names that stand for them.
        values: the objects by id. They are held here, so that no other takes their Python id.
        walks: what each object is made of.
        views: of arrays that share memory, the id of the array that owns it.
        parts: of arrays that are parts of a data frame's memory, the frame's id and which part.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory, self.plan, self.context = memory, memory.plan, memory.context
        self.carried = {name for statement in self.plan.carried for name in statement.binds}
        self.names: dict[str, str] = {}
        self.values: Objects = dict(memory.loaded)
        by_id = sorted(self.values.items(), key=lambda item: is_made(item[0]))
        self.ids = {id(value): object_id for object_id, value in by_id}
        self.walks: dict[str, Walk] = {}
        self.views: dict[str, str] = {}
        self.parts: dict[str, tuple[str, dict[str, int]]] = {}
        self._promoted = 0
        self.handed_on = {*self.plan.hands_on, *self._read_by_kept()}
        if self.plan.hands_on or self.plan.beside:
            names = map(name_of, memory.preamble.made) if self.plan.beside else self.plan.hands_on
            memory.preamble.find_changed(set(names))
        while not self._is_complete():
            pass

    def _is_complete(self) -> bool:
        """Look through what is handed on; False: of the preamble, more is to be stored with it.

        That is what shares a part with it, such as a list in a dict that each stage makes again.
        """
        preamble = self.memory.preamble
        for object_id in preamble.changed:
            value = preamble.made[object_id].value
            self._add(self.context.id_of(value) or object_id, value)
        self.walks = {}
        for name in sorted(self.handed_on):
            self._bind(name)
        self._walk_all()
        parts = [{id(self.values[o]), *walk.parts} for o, walk in self.walks.items()]
        shared = preamble.sharing(set().union(*parts))
        preamble.store(shared)
        return not shared

    def _read_by_kept(self) -> set[str]:
        """The names that functions read which stages above stored, and stages below may get."""
        objects = self.memory.heap.objects
        kept = reached(self.plan.hands_on, self.memory.heap) & objects.keys()
        return {name for object_id in kept for name in objects[object_id].names}

    def _bind(self, name: str) -> None:
        """Add the object that a name stands for, unless each stage makes it by itself.

        That is what the preamble bound, as long as it is unchanged; a value that it
        computed is made once in a run, and handed on.
        """
        namespace, preamble = self.memory.namespace, self.memory.preamble
        if name in self.names or name not in namespace:
            return
        value = namespace[name]
        new = f"{self.plan.stage}:{name}"
        if made := preamble.stands_for(name, value):
            if preamble.is_made_again(made):
                return
            new = made if made in preamble.changed else f"{self.plan.stage}:{made}"
        elif isinstance(value, types.ModuleType) and name in self.carried:
            return
        object_id = self.ids.get(id(value)) or self.context.id_of(value) or new
        self._add(object_id, value)
        self.names[name] = object_id

    def _add(self, object_id: str, value: Any) -> None:
        self.values[object_id] = value
        self.ids[id(value)] = object_id
        if has_identity(value):
            self.context.refer(object_id, value)

    def promote(self, part: Any) -> str:
        """Make an object of its own of a part of others, which from now on refer to it."""
        self._promoted += 1
        object_id = f"{self.plan.stage}:#{self._promoted}"
        self._add(object_id, part)
        return object_id

    def demote(self, object_id: str) -> None:
        """Undo `promote`."""
        part = self.values.pop(object_id)
        del self.walks[object_id], self.ids[id(part)], self.context.roots[id(part)]

    def _walk_all(self) -> None:
        """Look through all that is handed on, and through what that refers to."""
        queue = [*self.names.values(), *sorted(self.memory.watched())]
        while queue:
            object_id = queue.pop()
            if object_id in self.walks:
                continue
            walk = self.walk(object_id)
            for name in sorted(walk.names - set(self.names)):
                self._bind(name)
                if name in self.names:
                    queue.append(self.names[name])
            queue += [other for other in walk.requires if other in self.values]

    def walk(self, object_id: str) -> Walk:
        """Look through an object, again if it was looked through before.

        Raises:
            ArtifactError: it cannot be stored.
        """
        value, walk = self.values[object_id], Walk()
        if not isinstance(value, types.ModuleType):
            try:
                walk = object_walk.walk(value, self.context, self.context.own({object_id: value}))
            except Exception as error:
                raise self.unstorable(object_id, error) from None
        self.walks[object_id] = walk
        return walk

    def circles(self) -> dict[str, str]:
        """Return, for each object, the first of the circle of references that it stands in.

        Objects that refer to each other in a circle cannot be loaded one after the other: they
        are stored together.
        """
        walks = self.walks

        def requires(object_id: str) -> set[str]:
            return walks[object_id].requires & walks.keys()

        reach = {object_id: reachable(requires(object_id), requires) for object_id in walks}
        return {
            one: min([one, *(other for other in reach[one] if one in reach[other])])
            for one in sorted(walks)
        }

    def components(self, changed: set[str]) -> list[list[str]]:
        """Group the objects to write: a circle is written whole, if one of its objects changed."""
        members: dict[str, list[str]] = {}
        for object_id, first in self.circles().items():
            members.setdefault(first, []).append(object_id)
        return [component for component in members.values() if changed & set(component)]

    # -- words for people

    def name_of(self, object_id: str) -> str:
        """A name that stands for an object, or its id's second half."""
        names = [name for name, other in self.names.items() if other == object_id]
        return names[0] if names else object_id.partition(":")[2]

    def way_to(self, object_id: str) -> str:
        """A name that stands for an object, or for one that leads to it."""

        def requires(other: str) -> set[str]:
            return self.walks[other].requires if other in self.walks else set()

        ways = [n for n, other in self.names.items() if object_id in reachable([other], requires)]
        name = self.name_of(object_id)
        return name if name in self.names or not ways else ways[0]

    def where(self, name: str) -> str:
        """The last cell that mentions a name, as the head of a message; "": there is none."""
        for cell in reversed(self.plan.cells):
            if name.isidentifier() and name in cell.source:
                return f"cell {cell.number}: "
        return ""

    def unstorable(self, object_id: str, error: Exception, advice: str = "") -> ArtifactError:
        """The error for an object that cannot be stored.

        Args:
            object_id: the object's.
            error: why.
            advice: what to do about it, if the object's kind does not tell.
        """
        name, kind = self.way_to(object_id), type(self.values[object_id])
        if is_full(error):
            why = full_disk(Path(tempfile.gettempdir()))
            return ArtifactError(f"the variable {name!r} cannot be written: {why}")
        shown = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        advice = advice or process_bound.advice(self.values[object_id])
        if kind is Bundle:
            shown = "what it shares with others"
        return ArtifactError(
            f"{self.where(name)}the variable {name!r} ({shown}) cannot be stored, and later "
            f"stages may read it: {type(error).__name__}: {error}. fix: {advice}, or put both "
            "into one stage"
        )
