"""The notebook's objects in a running stage: loaded from the heap before its cells, then watched.

Names stand for objects, and objects may share parts. To keep that across stages, every object
that a program could tell from its equal is stored once, under an id; whatever refers to it
refers to the id. So two names for one list are two names for one list in the next stage too:

    a = [1]; b = {"k": a}        # stage 1 stores the list once; the dict holds its id
    b["k"].append(2)             # stage 2
    a                            # stage 3 shows [1, 2], as the notebook run from the top does

Each loaded object's hash is taken before the cells run. By it, what the cells changed is known
after them, whoever changed it and by whatever name; only that is stored again
(`podline.runner.heap_dump`).
"""

import json
import sys
import types
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from podline.contract import Artifact, Heap, StagePlan
from podline.exceptions import ArtifactError
from podline.runner import (
    array_views,
    caches,
    lifetimes,
    object_walk,
    pandas_objects,
    pickling,
    process_bound,
    serializers,
)
from podline.runner.heap_needs import Needs, reachable, reached
from podline.runner.object_ids import is_made, made_id, name_of
from podline.runner.pickling import Bundle, Namespace, Objects, Walk, has_identity, is_constant
from podline.runner.preamble import Preamble


class Memory:
    """The objects of a running stage.

    Attributes:
        loaded: the objects that were loaded, by id.
        prints: a hash of each loaded object that later stages may see; "": it has no identity
            and so cannot change, "?": it cannot be hashed, which counts as a change.
        guards: the same of the names that this stage must not change.
        preamble: what its statements made.
        altered: ids of the objects that the cells changed, once these are stored.
    """

    def __init__(self, plan: StagePlan, heap: Heap, namespace: Namespace, folder: str = "") -> None:
        """Start with nothing loaded.

        Args:
            plan: the stage's.
            heap: what the stages before left.
            namespace: the notebook's names, in which the cells will run.
            folder: the working directory, which is another in each stage; "": paths stay.
        """
        self.plan, self.heap, self.namespace = plan, heap, namespace
        self.context = pickling.Context(namespace, folder)
        self.context.forget = bool(plan.beside) and not plan.counts_calls
        self.loaded: Objects = {}
        self.prints: dict[str, str] = {}
        self.guards: dict[str, str] = {}
        self.preamble = Preamble(self.context)
        self.altered: set[str] = set()
        self._files: dict[str, Path] = {}
        self._wanted: set[str] = set()

    # -- before the cells

    def load(self, needs: Needs, files: dict[str, Path]) -> None:
        """Load objects and bind the names.

        Args:
            needs: which.
            files: the fetched files, by their artifacts' keys.

        Raises:
            ArtifactError: an object cannot be loaded; the message names it and its stage.
        """
        self._check_overtaken()
        self._check_written()
        self.preamble.note(self.walk)
        self._files, self._wanted = files, needs.objects
        for object_id in sorted(needs.objects):
            self._load(object_id)
        self._check_divided()
        for name in needs.names:
            binding = self.heap.names[name]
            assert binding.object is not None
            self.namespace[name] = self.loaded[binding.object]
        for object_id, value in sorted(self.loaded.items(), key=_further):
            if has_identity(value) and id(value) not in self.context.preamble:
                self.context.refer(object_id, value)
        for object_id in self.watched():
            own = self.context.own({object_id: self.loaded[object_id]})
            self.prints[object_id] = self.print(self.loaded[object_id], own=own)
        for name in self.plan.guarded:
            if name in self.namespace and (name in needs.names or name in self.preamble.latest):
                self.guards[name] = self.print(self.namespace[name], whole=True)

    def _load(self, object_id: str) -> Any:
        if object_id in self.loaded:
            return self.loaded[object_id]
        if object_id not in self.heap.objects:
            return self.preamble.made[object_id].value
        artifact = self.heap.objects[object_id]
        try:
            if artifact.shares in self._wanted:
                frame = self._load(artifact.shares)
                self.loaded[object_id] = array_views.make_part(frame, artifact.part)
                return self.loaded[object_id]
            value = self._load_file(object_id, artifact, self._files[artifact.key])
            if artifact.part and not artifact.shares:
                labels = {axis: self._load(label) for label, axis in artifact.part.items()}
                pandas_objects.give_labels(value, labels)
            return self._alike(object_id, value)
        except ArtifactError:
            raise
        except Exception as error:
            name = name_of(object_id)
            raise ArtifactError(
                f"the variable {name!r} ({artifact.type}) of the stage {artifact.stage!r} cannot "
                f"be loaded: {type(error).__name__}: {error}. fix: move the code that it needs "
                "to a cell tagged functions, or make it again where it is used"
            ) from error

    def _alike(self, object_id: str, loaded: Any) -> Any:
        """Take the object that the preamble made here, if others made here hold it, for the one
        that it computed and another stage stored, as long as they are alike.
        """
        made = self.preamble.made.get(made_id(object_id)) if not is_made(object_id) else None
        artifact = self.heap.objects[object_id]
        if (
            made
            and not any(other in self.heap.objects for other in artifact.requires)
            and self.preamble.holders(made_id(object_id), made.value)
            and self.print(loaded) == made.walk.print
        ):
            self.loaded[object_id] = made.value
        return self.loaded[object_id]

    def _load_file(self, object_id: str, artifact: Artifact, path: Path) -> Any:
        if artifact.kind == serializers.PICKLE:
            with path.open("rb") as file:
                loaded = pickling.load(file, self._resolve_name, self._load, self.context.folder)
                for other, value in loaded.items():
                    self.loaded.setdefault(other, value)
        elif artifact.kind == serializers.VIEW:
            view = json.loads(path.read_text())
            self.loaded[object_id] = array_views.make_view(view, self._load(artifact.requires[0]))
        elif artifact.kind == serializers.MODULE:
            self.loaded[object_id] = serializers.load_module(path)
        else:
            own = {name: self._resolve_name(name) for name in artifact.names}
            self.loaded[object_id] = serializers.load_typed(artifact.kind, path, own)
        return self.loaded[object_id]

    def _resolve_name(self, name: str | None) -> Any:
        """What a name stands for while objects are loaded, or an id of the preamble; None: the
        namespace itself.

        An object that is still to be loaded is loaded now: an instance needs its class first.
        """
        if name is None:
            return self.namespace
        if is_made(name):
            return self._load(name)
        binding = self.heap.names.get(name)
        if binding and binding.object and binding.object in self._wanted:
            return self._load(binding.object)
        return self.namespace[name]

    def _check_overtaken(self) -> None:
        """Refuse that a stage above changed what a statement below it changes: that ran before.

        Raises:
            ArtifactError: it is so.
        """
        for name, object_id in self.preamble.latest.items():
            binding, made = self.heap.names.get(name), self.preamble.made[object_id]
            if not binding or not binding.object or not has_identity(made.value):
                continue
            artifact = self.heap.objects.get(binding.object)
            first = artifact and binding.object == f"{artifact.stage}:{object_id}"
            below = [c.cell for c in self.plan.carried if name in c.binds and c.cell > binding.cell]
            if artifact and below and made.cell < binding.cell and not first:
                raise ArtifactError(
                    f"the stage {artifact.stage!r} (up to cell {artifact.cell}) changes {name!r}, "
                    f"and cell {below[0]} changes it further; but that cell is run at the start of "
                    f"every stage that needs it, without the change. fix: move it above "
                    f"{artifact.stage!r}, or into a step"
                )

    def _check_written(self) -> None:
        """Refuse that the preamble writes to a database once more.

        Raises:
            ArtifactError: it does.
        """
        for object_id, made in self.preamble.made.items() if self.plan.ancestors else ():
            if made.written != process_bound.written(made.value):
                raise ArtifactError(
                    f"cell {made.cell} makes {name_of(object_id)!r}, and what cells tagged imports "
                    "or functions write to its database is written again in every stage. fix: "
                    "write it in a step"
                )

    def _check_divided(self) -> None:
        """Refuse that a statement made something of an object whose changed form was loaded.

        Raises:
            ArtifactError: it is so.
        """
        for object_id, holder in self.preamble.replace(self.loaded):
            name, stage = name_of(object_id), self.heap.objects[object_id].stage
            raise ArtifactError(
                f"cell {holder.partition('.')[0]} makes {name_of(holder)!r} of {name!r}, "
                f"which is as the stage {stage!r} left it; made here, it would be of another. "
                f"fix: make it above {stage!r} and name it there, or make it in a step"
            )

    # -- what changed

    def watched(self) -> set[str]:
        """The objects that later stages may see, as far as this stage loaded or changed them."""
        here = self.loaded.keys() | self.preamble.changed
        return reached(self.plan.hands_on, self.heap) & here

    def seen(self) -> set[str]:
        """The objects that the cells may have seen, whether loaded or made here.

        What is loaded for its guard alone is none of them.
        """
        made, stored = self.preamble.made, self.heap.objects

        def named(names: Iterable[str]) -> set[str]:
            found = {self.preamble.latest.get(name) for name in names}
            found |= {b.object for name in names if (b := self.heap.names.get(name))}
            return {object_id for object_id in found if object_id in made or object_id in stored}

        def requires(object_id: str) -> set[str]:
            about = made[object_id].walk if object_id in made else stored.get(object_id)
            return {*about.requires} | named(about.names) if about else set()

        return reachable(named(self.plan.reads), requires)

    def print(self, value: Any, whole: bool = False, own: Set[int] | None = None) -> str:
        """Hash an object: what is inside it, and of other stored objects only which they are.

        Args:
            value: the object.
            whole: hash through stored objects as well, as for a guard: whoever reads the name
                also sees a change further inside.
            own: Python's ids of what is inside it though it is known, by default its own.

        Returns:
            The hash (hex); "" of what cannot change, "?" of what cannot be hashed.
        """
        context = self.context
        if whole:
            context = pickling.Context(self.namespace)
            context.forget = self.context.forget
        return self.walk(value, context, own).print

    def walk(
        self, value: Any, context: pickling.Context | None = None, own: Set[int] | None = None
    ) -> Walk:
        """Look through an object, whatever it is: see `print`.

        Args:
            value: the object.
            context: what is known of the notebook, if not all that this stage knows.
            own: see `print`.
        """
        if is_constant(value):
            return Walk()
        try:
            return object_walk.walk(value, context or self.context, own, tolerant=True)
        except Exception:  # nothing to compare with: it counts as changed
            return Walk(print="?")

    def check_guards(self, cell: int) -> None:
        """Refuse a change that a stage running side by side would have to see.

        Args:
            cell: the number of the cell that was just run, for the message.

        Raises:
            ArtifactError: the cell changed such an object.
        """
        for name, before in self.guards.items():
            if name in self.namespace and self.print(self.namespace[name], whole=True) != before:
                others = " and ".join(map(repr, self.plan.guarded[name]))
                raise ArtifactError(
                    f"cell {cell} changes the variable {name!r}, which the stage {others} reads "
                    f"without waiting for {self.plan.stage!r}. fix: tag it "
                    f"prev:{self.plan.stage}, or change a copy"
                )

    def check_let_go(self) -> None:
        """Refuse that cells let go of an object whose end the notebook would notice.

        Raises:
            ArtifactError: they did.
        """
        source = "\n".join(cell.source for cell in self.plan.cells)
        preamble = "\n".join(statement.source for statement in self.plan.carried)
        gone = lifetimes.let_go(self.namespace, self.loaded.values(), source, preamble)
        if gone is None:
            return
        names = [name_of(o) for o, value in self.loaded.items() if value is gone and "#" not in o]
        what = repr(names[0]) if names else f"a {type(gone).__qualname__}"
        raise ArtifactError(
            f"the stage {self.plan.stage!r} (up to cell {self.plan.last_cell}) lets go of {what}, "
            "which a weak reference or its __del__ would notice; but what a stage loaded goes on "
            "until its end. fix: make it and let go of it in one stage, or hold it by a set, list "
            "or dict in place of weak references"
        )

    def module_prints(self, folder: Path) -> dict[str, str]:
        """Hash the variables of the modules beside the notebook that later stages import too.

        A later stage imports such a module afresh, and so would miss what was changed in it. What
        these hashes are for is to refuse that.
        """
        prints = {}
        context = pickling.Context(self.namespace)
        context.forget = not self.plan.counts_calls
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] not in self.plan.later_modules:
                continue
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(folder):
                for variable, value in vars(module).items():
                    if not variable.startswith("__") and not _is_code(value):
                        held = _content(value, context)
                        prints[f"{name}.{variable}"] = self.walk(held, context).print or repr(held)
        return prints


def _further(item: tuple[str, Any]) -> tuple[bool, bool]:
    """Sorts ids: of several for one object, those that come later are further names for it."""
    object_id, value = item
    return not isinstance(value, Bundle), not is_made(object_id)


def _content(value: Any, context: pickling.Context) -> Any:
    """Of a cached function of a module, what it remembers."""
    return [*caches.state_of(value, context.forget)[2:]] if caches.is_imported(value) else value


def _is_code(value: Any) -> bool:
    return isinstance(value, types.ModuleType | types.FunctionType | type)
