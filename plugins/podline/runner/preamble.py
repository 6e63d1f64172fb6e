"""What the preamble's statements made in this stage, and what of it the cells changed.

Each stage makes these objects by itself, so none of them is stored. What holds one refers to it
by the statement that made it, and by the name: a later statement may bind the name to another.

    def f(): return 1      # cell 1: `1.1:f`
    handlers = [f]         # a stage stores the list, which refers to `1.1:f`
    def f(): return 2      # cell 3: `3.1:f`; `handlers[0]()` stays 1

What a stage changes is stored under that same id, and so is whatever is made of it: a later stage
would make it of an object without the change.
"""

import contextlib
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from podline.contract import Carried
from podline.runner import object_walk, process_bound
from podline.runner.object_ids import made_id, name_of
from podline.runner.pickling import Context, Objects, Walk, has_identity

_MOST_PARTS = 100  # of a constant that get ids of their own: each is looked through


@dataclass
class Made:
    """An object that a statement made.

    Attributes:
        value: the object.
        cell: the number of the statement's cell.
        computed: it is made once in a run, and handed on.
        written: what was written to it when it was made, if it is a database.
        walk: what it was made of before the cells ran.
    """

    value: Any
    cell: int
    computed: bool
    written: tuple[int, ...] = ()
    walk: Walk = field(default_factory=Walk)

    def differs(self, print_now: str) -> bool:
        """Whether the object is another by now; of a generator nobody can tell."""
        unknown = print_now == "?" and hasattr(self.value, "__next__")
        return unknown or print_now != self.walk.print

    @cached_property
    def data(self) -> set[int]:
        """What is in it that a program could change, by Python's id."""
        return {key for key, part in self.walk.parts.items() if _is_data(part)}


class Preamble:
    """What the statements made.

    Attributes:
        made: the objects by id, also those whose name stands for another by now.
        latest: the id of the object that a name stood for when all statements were run.
        altered: ids of those that the cells changed.
        changed: ids of those that are stored: since they were changed, or what they hold.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.walk: Callable[[Any], Walk] = lambda value: Walk()
        self.made: dict[str, Made] = {}
        self.latest: dict[str, str] = {}
        self.altered: set[str] = set()
        self.changed: set[str] = set()

    def run(self, statements: Iterable[Carried], run: Callable[[Carried], object]) -> None:
        """Run statements, and note what each of them bound.

        Args:
            statements: in the notebook's order.
            run: runs one.
        """
        namespace = self.context.namespace
        for statement in statements:
            run(statement)
            for name in filter(namespace.__contains__, statement.binds):
                value, before = namespace[name], self.latest.get(name)
                if before and self.made[before].value is value:
                    continue  # it changed the object, if anything
                self.latest.pop(name, None)
                if not isinstance(value, types.ModuleType):
                    self.latest[name] = object_id = f"{statement.cell}.{statement.line}:{name}"
                    self._add(object_id, Made(value, statement.cell, statement.value))

    def _add(self, object_id: str, made: Made) -> None:
        """Add an object, and the classes in a class (`3.1:Shop.Item`) and members of an enum."""
        self.made[object_id] = made
        made.written = process_bound.written(made.value)
        for name, value in _members(made.value).items():
            self._add(f"{object_id}.{name}", Made(value, made.cell, computed=False))

    def note(self, walk: Callable[[Any], Walk]) -> None:
        """Note what the objects are made of, before the cells run.

        Args:
            walk: looks through an object.
        """
        self.walk = walk
        self._add_parts()
        for object_id, made in self.made.items():
            if _is_made_again(made):
                self.context.preamble.setdefault(id(made.value), object_id)
        # Only now: it may go through any of them.
        for made in self.made.values():
            made.walk = walk(made.value)

    def _add_parts(self) -> None:
        """Add the lists and dicts in the objects that are made again, each with an id of its own.

        So what a stage takes from a constant is a part of the one that the next stage makes.
        """
        known = {id(made.value) for made in self.made.values()}
        for object_id, made in [*self.made.items()]:
            parts = {} if made.computed else _parts(made.value, object_id)
            for part_id, part in parts.items() if len(parts) <= _MOST_PARTS else ():
                if id(part) not in known:
                    known.add(id(part))
                    self.made[part_id] = Made(part, made.cell, computed=False)

    # -- after the objects are loaded

    def replace(self, loaded: Objects) -> Iterator[tuple[str, str]]:
        """Take the loaded form of objects for what the statements made.

        Args:
            loaded: the loaded objects by id.

        Yields:
            The ids of an object, and of one that a statement made of it without its changes.
        """
        old = {o: self.made.pop(o) for o in self.made.keys() & {made_id(o) for o in loaded}}
        for made in old.values():
            self.context.preamble.pop(id(made.value), None)
        for object_id, value in loaded.items():
            replaced = old.get(made_id(object_id))
            if replaced and replaced.value is not value:
                holders = self.holders(made_id(object_id), replaced.value)
                yield from ((object_id, holder) for holder in holders)

    def holders(self, object_id: str, value: Any) -> list[str]:
        """The ids of what the statements made of an object; an annotation does not count.

        Args:
            object_id: the object's.
            value: the object.
        """
        plain = Context(self.context.namespace, annotations=False)
        found = []
        for other, made in self.made.items() if has_identity(value) else ():
            if made.value is value and other != object_id:
                found.append(other)
            elif object_id in made.walk.requires or id(value) in made.walk.parts:
                with contextlib.suppress(Exception):  # it cannot be stored, nor looked through
                    if id(value) in object_walk.walk(made.value, plain).parts:
                        found.append(other)
        return found

    # -- after the cells

    def stands_for(self, name: str, value: Any) -> str:
        """The id of what the preamble bound a name to, if the name still stands for it; else ""."""
        made = self.made.get(object_id := self.latest.get(name, ""))
        return object_id if made and made.value is value else ""

    def is_made_again(self, object_id: str) -> bool:
        """Whether each stage makes an object by itself: it is unchanged, and not computed."""
        made = self.made[object_id]
        again = not made.computed or id(made.value) in self.context.preamble
        return again and object_id not in self.changed

    def find_changed(self, names: set[str]) -> None:
        """Find what the cells changed.

        Args:
            names: that later stages may read.
        """
        self.altered = {
            object_id
            for object_id, made in self.made.items()
            if (not made.computed or name_of(object_id) in names)
            and made.differs(self.walk(made.value).print)
        }
        self.store(self.altered)

    def store(self, object_ids: Iterable[str]) -> None:
        """Have objects stored from now on, and what is made of them, which refers to the stored."""
        while new := set(object_ids) - self.changed:
            self.changed |= new
            values = {id(self.made[object_id].value) for object_id in new}
            for object_id in sorted(new):
                value = self.made[object_id].value
                first = self.context.preamble.pop(id(value), object_id)
                if has_identity(value):
                    self.context.refer(first, value)
            object_ids = [
                object_id
                for object_id, made in self.made.items()
                if (made.walk.requires & new or made.walk.parts.keys() & values)
                and made.differs(self.walk(made.value).print)
            ]

    def sharing(self, parts: set[int]) -> list[str]:
        """The unchanged objects that hold one of these parts, which stored objects hold as well."""
        return [
            object_id
            for object_id, made in self.made.items()
            if object_id not in self.changed and made.data & parts
        ]


def _members(kind: Any) -> dict[str, Any]:
    if not isinstance(kind, type) or kind.__module__ != "__main__":
        return {}
    if issubclass(kind, Enum):
        return dict(kind.__members__)
    names = {name: f"{kind.__qualname__}.{name}" for name in vars(kind)}
    inner = {name: value for name, value in vars(kind).items() if isinstance(value, type)}
    return {name: value for name, value in inner.items() if value.__qualname__ == names[name]}


def _parts(value: Any, object_id: str) -> Objects:
    """The lists and dicts in a constant or a class, by the id of their place in it."""
    found: Objects = {}
    queue = [(object_id, value)]
    while queue and len(found) <= _MOST_PARTS:
        place, holder = queue.pop()
        for number, part in enumerate(_items(holder)):
            inner = f"{place}.{number}"
            if type(part) in (list, dict, set) and not any(part is p for p in found.values()):
                found[inner] = part
                queue.append((inner, part))
            elif type(part) is tuple:
                queue.append((inner, part))
    return found


def _items(holder: Any) -> Iterable[Any]:
    if isinstance(holder, type):
        return vars(holder).values() if holder.__module__ == "__main__" else ()
    if type(holder) is dict:
        return holder.values()
    return holder if type(holder) in (list, tuple) else ()


def _is_data(part: Any) -> bool:
    kind = type(part)
    if isinstance(part, type | types.FunctionType):
        return False
    root = kind.__module__.partition(".")[0]
    return root in ("__main__", "builtins", "collections", "numpy", "pandas")


_TYPING = ("NewType", "ParamSpec", "TypeVar", "TypeVarTuple")


def _is_made_again(made: Made) -> bool:
    """Whether each stage makes an object by itself, and whatever holds it refers to that one."""
    value = made.value
    if isinstance(value, type | types.FunctionType):
        return value.__module__ == "__main__"
    if process_bound.is_bound(value) or type(value).__name__ in _TYPING:
        return True
    return has_identity(value) and not made.computed
