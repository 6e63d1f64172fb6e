"""The heap at a stage's start: what its parents left, as the order of the notebook has it."""

from collections.abc import Callable, Mapping, Sequence

from podline.contract import Artifact, Binding, Heap, StagePlan
from podline.exceptions import ArtifactError


def merge(plan: StagePlan, heaps: Sequence[Heap]) -> Heap:
    """Merge the heaps of the stages that this one waits for.

    A name bound in two branches is what the later cell made it, and so is state that is no name
    (`podline.runner.race_check` sees to it that this is right). An object or a file that two
    branches changed has no value that running from top to bottom would give: it is refused,
    unless nobody reads it any more.

    Raises:
        ArtifactError: two branches changed the same thing.
    """
    if len(heaps) == 1:
        return heaps[0]
    names: dict[str, Binding] = {}
    for heap in heaps:
        for name, binding in heap.names.items():
            if name not in names or names[name].order < binding.order:
                names[name] = binding

    def later(first: Artifact, second: Artifact, key: str) -> Artifact:
        return max(first, second, key=_cell)

    merged = _merge(plan, [heap.objects for heap in heaps], later)
    live = _live(plan, names, merged)

    def refuse_object(first: Artifact, second: Artifact, object_id: str) -> Artifact:
        if object_id in live:
            shown = [n for n, b in names.items() if b.object == object_id]
            what = f"the variable {shown[0]!r}" if shown else "an object that variables share"
            raise _conflict(plan, first, second, what, "change a copy in one of them")
        return later(first, second, object_id)

    return Heap(
        names,
        _merge(plan, [heap.objects for heap in heaps], refuse_object),
        _merge(plan, [heap.files for heap in heaps], _refuse_file(plan)),
        _merge(plan, [heap.state for heap in heaps], later),
    )


Refuse = Callable[[Artifact, Artifact, str], Artifact]


def _merge(
    plan: StagePlan, parts: Sequence[Mapping[str, Artifact]], decide: Refuse
) -> dict[str, Artifact]:
    merged: dict[str, Artifact] = {}
    for part in parts:
        for key, artifact in part.items():
            other = merged.get(key)
            if other is None or other.stage in plan.ancestors.get(artifact.stage, ()):
                merged[key] = artifact
            elif artifact.key == other.key:
                continue
            # Changed alike is no excuse: one after the other they would have changed it twice.
            elif artifact.stage not in plan.ancestors.get(other.stage, ()):
                merged[key] = decide(other, artifact, key)
    return merged


def _cell(artifact: Artifact) -> int:
    return artifact.cell


def _live(
    plan: StagePlan, names: Mapping[str, Binding], objects: Mapping[str, Artifact]
) -> set[str]:
    """The objects that this stage or a later one may still see."""
    live: set[str] = set()
    wanted = {*plan.reads, *plan.hands_on}
    queue = [binding.object for name, binding in names.items() if name in wanted]
    while queue:
        current = queue.pop()
        if current is not None and current not in live and current in objects:
            live.add(current)
            queue += objects[current].requires
    return live


def _refuse_file(plan: StagePlan) -> Refuse:
    def refuse(first: Artifact, second: Artifact, path: str) -> Artifact:
        if path.endswith("/"):  # whether a folder is empty
            return max(first, second, key=_cell)
        what = f"the file {path!r}"
        raise _conflict(plan, first, second, what, "write to another file in one of them")

    return refuse


def _conflict(
    plan: StagePlan, first: Artifact, second: Artifact, what: str, advice: str
) -> ArtifactError:
    earlier, later = sorted((first, second), key=_cell)
    return ArtifactError(
        f"{what} was changed by the stage {earlier.stage!r} (up to cell {earlier.cell}) and "
        f"by the stage {later.stage!r} (up to cell {later.cell}), which ran side by "
        f"side and meet in {plan.stage!r}. fix: tag {later.stage!r} prev:{earlier.stage}, or "
        f"{advice}"
    )
