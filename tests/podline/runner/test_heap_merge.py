"""What branches left, put together as the order of the notebook's cells has it."""

from typing import Any

import pytest

from podline.contract import Artifact, Binding, Heap
from podline.exceptions import ArtifactError
from podline.runner.heap_merge import BY_THE_WAY, merge

from .conftest import make_plan

# load, then left (order 1) and right (order 2) side by side, then join.
ANCESTORS = {"load": (), "left": ("load",), "right": ("load",), "end": ("left", "load")}
CELLS = {"load": 1, "left": 2, "right": 3, "end": 4}


def artifact(stage: str, key: str = "", **more: Any) -> Artifact:
    return Artifact(
        key or f"{stage}/key", "json", 1, more.pop("sha256", stage), stage, CELLS[stage], **more
    )


def bound(stage: str, name: str = "x", deleted: bool = False) -> Binding:
    object_id = None if deleted else f"{stage}:{name}"
    return Binding(object_id, stage, list(CELLS).index(stage), CELLS[stage])


def join(*heaps: Heap, **plan: Any) -> Heap:
    return merge(make_plan("", name="join", ancestors=ANCESTORS, **plan), heaps)


def test_nothing_and_one() -> None:
    assert join() == Heap()
    heap = Heap({"x": bound("load")})
    assert join(heap) is heap


def test_each_branch_s_own() -> None:
    merged = join(
        Heap({"a": bound("left", "a")}, {"left:a": artifact("left")}, {"f": artifact("left")}),
        Heap({"b": bound("right", "b")}, {"right:b": artifact("right")}, {"g": artifact("right")}),
    )
    assert set(merged.names) == {"a", "b"}
    assert set(merged.objects) == {"left:a", "right:b"}
    assert set(merged.files) == {"f", "g"}


@pytest.mark.parametrize("swapped", [False, True])
def test_a_name_is_what_the_later_cell_made_it(swapped: bool) -> None:
    heaps = [Heap({"x": bound("left")}), Heap({"x": bound("right")})]
    merged = join(*(reversed(heaps) if swapped else heaps))
    assert merged.names["x"].stage == "right"


def test_a_deletion_counts_as_one_more_binding() -> None:
    deleted = Heap({"x": bound("right", deleted=True)})
    assert join(Heap({"x": bound("left")}), deleted).names["x"].object is None
    assert join(Heap({"x": bound("end")}), deleted).names["x"].object == "end:x"


@pytest.mark.parametrize("swapped", [False, True])
def test_a_change_in_one_branch_wins_over_what_the_other_inherited(swapped: bool) -> None:
    old = Heap({}, {"load:x": artifact("load")}, {"f": artifact("load")}, {"cwd": artifact("load")})
    new = Heap({}, {"load:x": artifact("left")}, {"f": artifact("left")}, {"cwd": artifact("left")})
    merged = join(*((old, new) if swapped else (new, old)))
    found = (merged.objects["load:x"], merged.files["f"], merged.state["cwd"])
    assert [item.stage for item in found] == ["left"] * 3


def test_a_descendant_s_change_is_no_conflict() -> None:
    first, second = ({"load:x": artifact(stage)} for stage in ("left", "end"))
    assert join(Heap({}, first), Heap({}, second)).objects["load:x"].stage == "end"


# --- conflicts ----------------------------------------------------------------------------------


def both(**heap: Any) -> list[Heap]:
    """A heap of each branch, with the same part changed by both."""
    (part, key) = heap["part"], heap["key"]
    names = {"x": bound("load")}
    parts: list[dict[str, Any]] = [
        {"names": names, part: {key: artifact(stage, **heap.get("more", {}))}}
        for stage in ("left", "right")
    ]
    return [Heap(**part) for part in parts]


def test_an_object_that_both_changed_is_refused() -> None:
    with pytest.raises(ArtifactError) as caught:
        join(*both(part="objects", key="load:x"), reads="x")
    assert str(caught.value) == (
        "the variable 'x' was changed by the stage 'left' (up to cell 2) and by the stage 'right' "
        "(up to cell 3), which ran side by side and meet in 'join'. fix: tag 'right' prev:left, "
        "or change a copy in one of them"
    )


def test_even_if_they_changed_it_alike() -> None:
    with pytest.raises(ArtifactError):
        join(*both(part="objects", key="load:x", more={"sha256": "same"}), reads="x")


def test_an_object_that_nobody_reads_any_more() -> None:
    assert join(*both(part="objects", key="load:x")).objects["load:x"].stage == "right"


def test_an_object_that_is_only_reached_through_another() -> None:
    heaps = both(part="objects", key="load:part")
    for heap in heaps:
        heap.objects["load:x"] = artifact("load", requires=("load:part",))
    with pytest.raises(ArtifactError, match="an object that variables share was changed"):
        join(*heaps, hands_on="x")


def test_a_file_that_both_wrote_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"the file 'f\.csv' was changed .* write to another"):
        join(*both(part="files", key="f.csv"))


def test_whether_a_folder_is_empty_is_no_conflict() -> None:
    assert join(*both(part="files", key="out/")).files["out/"].stage == "right"


def test_state_that_both_changed_is_what_the_later_cell_made_it() -> None:
    assert join(*both(part="state", key="random")).state["random"].stage == "right"


def test_three_branches() -> None:
    heaps = [Heap({"x": bound(stage)}) for stage in ("right", "load", "end")]
    assert join(*heaps).names["x"].stage == "end"


def test_a_state_that_a_library_changed_by_the_way_gives_way_to_what_was_meant() -> None:
    meant, by_the_way = artifact("left"), artifact("right", type=BY_THE_WAY)
    assert join(Heap(state={"w": meant}), Heap(state={"w": by_the_way})).state["w"] is meant
    later = artifact("right")
    assert join(Heap(state={"w": meant}), Heap(state={"w": later})).state["w"] is later
