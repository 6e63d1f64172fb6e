"""The heap at a stage's start: what its parents left, as the order of the notebook has it.

Stages that ran side by side saw nothing of each other. What they leave must be what running
their cells from top to bottom would have left:

    left:  n = 1; rows.append("l")     # `n` and `rows` are from the stage above both
    right: n = 2                       # further down in the notebook
    end:   n, rows                     # sees 2 from right, and the rows of left

Had right appended as well, each would hold a list with one more row, where from top to bottom
there is one list with two: no merge gives that, and the stage is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from podline.contract import Artifact, Binding, Heap, StagePlan
from podline.exceptions import ArtifactError
from podline.runner.heap_needs import reached_from

BY_THE_WAY = "by the way"  # of a state that no cell means to change


def merge(plan: StagePlan, heaps: Sequence[Heap]) -> Heap:
    """Merge the heaps of the stages that this one waits for.

    What only one of them changed is taken from that one. A name bound in two branches is what the
    later cell made it, and so is state that is no name (`podline.runner.race_check` sees to it
    that this is right). An object or a file that two branches changed has no value that running
    from top to bottom would give: it is refused, unless nobody reads it any more.

    Args:
        plan: of the stage that waits.
        heaps: of those that it waits for.

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

    live = _live(plan, names, _merge(plan, [heap.objects for heap in heaps], _later))

    def refuse_object(first: Artifact, second: Artifact, object_id: str) -> Artifact:
        """Refuse an object that two stages changed, if this stage or a later one may see it.

        Args:
            first: what one of them left.
            second: what the other left.
            object_id: the object's.

        Raises:
            ArtifactError: it may be seen.
        """
        if object_id in live:
            shown = [n for n, b in names.items() if b.object == object_id]
            what = f"the variable {shown[0]!r}" if shown else "an object that variables share"
            raise _conflict(plan, first, second, what, "change a copy in one of them")
        return _later(first, second, object_id)

    def refuse_file(first: Artifact, second: Artifact, path: str) -> Artifact:
        """Refuse a file that two stages changed.

        Args:
            first: what one of them left.
            second: what the other left.
            path: the file's, below the working directory.

        Raises:
            ArtifactError: it is a file, and not just an empty folder.
        """
        if not path.endswith("/"):  # whether a folder is empty
            what = f"the file {path!r}"
            raise _conflict(plan, first, second, what, "write to another file in one of them")
        return _later(first, second, path)

    return Heap(
        names,
        _merge(plan, [heap.objects for heap in heaps], refuse_object),
        _merge(plan, [heap.files for heap in heaps], refuse_file),
        _merge(plan, [heap.state for heap in heaps], _meant),
    )


def _merge(
    plan: StagePlan,
    parts: Sequence[Mapping[str, Artifact]],
    decide: Callable[[Artifact, Artifact, str], Artifact],
) -> dict[str, Artifact]:
    """Merge one part of the heaps, such as their files.

    Of two artifacts under one key, that of a stage counts over those of the stages before it: it
    knew them.

    Args:
        plan: says which stages came before which.
        parts: of each heap, artifacts by key.
        decide: gives the artifact that counts of two whose stages ran side by side, or raises.
    """
    merged: dict[str, Artifact] = {}
    for part in parts:
        for key, artifact in part.items():
            other = merged.get(key)
            if other is None or other.stage in plan.ancestors.get(artifact.stage, ()):
                merged[key] = artifact
            elif artifact.key == other.key:
                # Each of two stages may have found another object to be a frame's labels.
                requires = {*other.requires, *artifact.requires}
                both = replace(other, part=other.part | artifact.part)
                merged[key] = replace(both, requires=tuple(sorted(requires)))
            # Changed alike is no excuse: one after the other they would have changed it twice.
            elif artifact.stage not in plan.ancestors.get(other.stage, ()):
                merged[key] = decide(other, artifact, key)
    return merged


def _later(first: Artifact, second: Artifact, key: str) -> Artifact:
    return max(first, second, key=attrgetter("cell"))


def _meant(first: Artifact, second: Artifact, key: str) -> Artifact:
    """Of a state, the later one, but for what only a library changed when it was imported."""
    return max(first, second, key=lambda state: (state.type != BY_THE_WAY, state.cell))


def _live(
    plan: StagePlan, names: Mapping[str, Binding], objects: Mapping[str, Artifact]
) -> set[str]:
    """The objects that this stage or a later one may still see."""
    wanted = {*plan.reads, *plan.hands_on}
    starts = [b.object for name, b in names.items() if name in wanted and b.object]
    return reached_from(starts, Heap(objects=dict(objects)))


def _conflict(
    plan: StagePlan, first: Artifact, second: Artifact, what: str, advice: str
) -> ArtifactError:
    earlier, later = sorted((first, second), key=attrgetter("cell"))
    return ArtifactError(
        f"{what} was changed by the stage {earlier.stage!r} (up to cell {earlier.cell}) and "
        f"by the stage {later.stage!r} (up to cell {later.cell}), which ran side by "
        f"side and meet in {plan.stage!r}. fix: tag {later.stage!r} prev:{earlier.stage}, or "
        f"{advice}"
    )
