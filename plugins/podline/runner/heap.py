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

from podline.contract import Artifact, Carried, Heap, StagePlan
from podline.exceptions import ArtifactError
from podline.runner import array_views, object_walk, pandas_objects, pickling, serializers
from podline.runner.heap_needs import Needs, reached
from podline.runner.pickling import Namespace, Objects, has_identity


class Memory:
    """The objects of a running stage.

    Attributes:
        loaded: the objects that were loaded, by id.
        prints: a hash of each loaded object that later stages may see; "": it has no identity
            and so cannot change, "?": it cannot be hashed, which counts as a change.
        guards: the same of the names that this stage must not change.
        given: what the preamble bound: the value, its hash, and whether it was computed.
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
        self.loaded: Objects = {}
        self.prints: dict[str, str] = {}
        self.guards: dict[str, str] = {}
        self.given: dict[str, tuple[Any, str, bool]] = {}
        self._files: dict[str, Path] = {}
        self._wanted: set[str] = set()

    # -- before the cells

    def note_preamble(self, ran: Iterable[Carried]) -> None:
        """Note what the preamble's statements bound.

        A class or function among them is stored by its name alone: each stage makes its own, and
        an instance that was stored elsewhere is one of the class that is here.
        """
        for statement in ran:
            for name in statement.binds:
                value = self.namespace.get(name)
                definition = isinstance(value, type | types.FunctionType)
                if definition and value.__module__ == "__main__":
                    self.context.preamble[id(value)] = name
        # Only now: a hash may go through any of them.
        for statement in ran:
            for name in set(statement.binds) & set(self.namespace):
                value = self.namespace[name]
                if not isinstance(value, types.ModuleType):
                    self.given[name] = (value, self.print(value), statement.value)

    def load(self, needs: Needs, files: dict[str, Path]) -> None:
        """Load objects and bind the names.

        Args:
            needs: which.
            files: the fetched files, by their artifacts' keys.

        Raises:
            ArtifactError: an object cannot be loaded; the message names it and its stage.
        """
        self._files, self._wanted = files, needs.objects
        for object_id in sorted(needs.objects):
            self._load(object_id)
        for name in needs.names:
            binding = self.heap.names[name]
            assert binding.object is not None
            self.namespace[name] = self.loaded[binding.object]
        bundles = {o: v for o, v in self.loaded.items() if isinstance(v, pickling.Bundle)}
        for object_id, value in (bundles | self.loaded).items():
            if has_identity(value):
                self.context.refer(object_id, value)
        for object_id in self.watched():
            own = self.context.own({object_id: self.loaded[object_id]})
            self.prints[object_id] = self.print(self.loaded[object_id], own=own)
        for name in self.plan.guarded:
            if name in needs.names:
                self.guards[name] = self.print(self.namespace[name], whole=True)

    def _load(self, object_id: str) -> Any:
        if object_id in self.loaded:
            return self.loaded[object_id]
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
            return value
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
            self.loaded[object_id] = array_views.make_view(view, self._load(artifact.requires[0]))
        elif artifact.kind == serializers.MODULE:
            self.loaded[object_id] = serializers.load_module(path)
        else:
            own = {name: self._resolve_name(name) for name in artifact.names}
            self.loaded[object_id] = serializers.load_typed(artifact.kind, path, own)
        return self.loaded[object_id]

    def _resolve_name(self, name: str | None) -> Any:
        """What a name stands for while objects are loaded; None: the namespace itself.

        An object that is still to be loaded is loaded now: an instance needs its class first.
        """
        if name is None:
            return self.namespace
        binding = self.heap.names.get(name)
        if binding and binding.object and binding.object in self._wanted:
            return self._load(binding.object)
        return self.namespace[name]

    # -- what changed

    def watched(self) -> set[str]:
        """The loaded objects that later stages may see."""
        return reached(self.plan.hands_on, self.heap) & set(self.loaded)

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
        if not has_identity(value) and not isinstance(value, tuple | frozenset):
            return ""
        context = pickling.Context(self.namespace) if whole else self.context
        try:
            return object_walk.walk(value, context, own).print
        except Exception:  # nothing to compare with: it counts as changed
            return "?"

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

    def module_prints(self, folder: Path) -> dict[str, str]:
        """Hash the variables of the modules beside the notebook that later stages import too.

        A later stage imports such a module afresh, and so would miss what was changed in it. What
        these hashes are for is to refuse that.
        """
        prints = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            root = name.partition(".")[0]
            if root in self.plan.later_modules and file and Path(file).is_relative_to(folder):
                for variable, value in vars(module).items():
                    if not variable.startswith("__") and not _is_code(value):
                        prints[f"{name}.{variable}"] = self.print(value) or repr(value)
        return prints


def _is_code(value: Any) -> bool:
    return isinstance(value, types.ModuleType | types.FunctionType | type)
