"""What several objects share becomes an object of its own, so that it is one in later stages too.

Stored each with its own copy, two objects that hold one list would hold two after loading, and a
change by one of them would no longer show in the other:

    rows = []; a = {"rows": rows}; b = [rows]     # `rows` is stored once; a and b refer to it
    x = np.arange(4); a = x[:3]; b = x[1:]        # a and b are stored as views of x's memory
    X = df.to_numpy()                             # X is stored, and loaded as a part of df

What cannot be taken apart in this way is refused with an error.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from podline.exceptions import ArtifactError
from podline.frameworks import is_keras_model
from podline.runner import array_views, serializers
from podline.runner.object_graph import Graph
from podline.runner.pickling import Bundle

# Shared parts of one stage that become objects of their own, each with a file; as many bundles.
_MOST = 100

_Parts = dict[int, Any]  # by Python's id


def separate(graph: Graph) -> None:
    """Make objects of their own of the parts that several objects share.

    Of many parts that the same objects share one bundle is made: a single object, with all that
    is in them.

    Raises:
        ArtifactError: two objects share what cannot be stored apart from them.
    """
    groups = _shared(graph)
    shared = {part for group in groups for part in group}
    holders = [o for o, walk in graph.walks.items() if not shared.isdisjoint(walk.parts)]
    few: _Parts = {}
    many = []
    for group in sorted(groups, key=len):
        if len(few) + len(group) <= _MOST:
            few |= group
        else:
            many.append(group)
    if len(many) > _MOST:
        many = [{part: value for group in many for part, value in group.items()}]
    bundles = [graph.promote(Bundle(group.values())) for group in many]
    promoted = [graph.promote(part) for part in few.values()]
    # The holders now refer to the parts, and what is in those is no longer theirs.
    for object_id in (*holders, *bundles, *promoted):
        graph.walk(object_id)
    _put_back(graph, promoted)
    _refuse_opaque(graph)
    _refuse_buffers(graph)
    _make_views(graph)
    _note_frame_parts(graph)


def _shared(graph: Graph) -> list[_Parts]:
    """Group the parts that several objects hold by who holds them, the outer before the inner.

    Objects that refer to each other in a circle are stored together, and so may share parts.
    What has a format of its own is not grouped with what has none.
    """
    circles = graph.circles()
    first: dict[int, str] = {}
    several: dict[int, frozenset[str]] = {}
    for object_id, walk in graph.walks.items():
        circle = circles[object_id]
        for part in walk.parts:
            if (other := first.setdefault(part, circle)) != circle:
                several[part] = several.get(part, frozenset([other])) | {circle}
    groups: dict[tuple[frozenset[str], bool], _Parts] = {}
    for walk in graph.walks.values():
        for part, value in walk.parts.items():
            if part in several:
                whole = serializers.is_frame(value) or is_keras_model(value)
                groups.setdefault((several[part], whole), {})[part] = value
    return list(groups.values())


def _put_back(graph: Graph, promoted: list[str]) -> None:
    """Let go of the objects that are but a part of one other of them, and store them in that."""
    users: dict[str, set[str]] = {object_id: set() for object_id in promoted}
    for object_id, walk in graph.walks.items():
        for used in walk.requires & users.keys():
            users[used].add(object_id)
    outer = {object_id: object_id for object_id in graph.walks}
    settled = False
    while not settled:
        settled = True
        for object_id in promoted:
            found = {outer[user] for user in users[object_id]} - {object_id}
            if outer[object_id] == object_id and len(found) == 1 and found <= users.keys():
                (into,) = found
                outer |= {o: into for o, other in outer.items() if other == object_id}
                settled = False
    inner = [object_id for object_id in promoted if outer[object_id] != object_id]
    for object_id in inner:
        graph.demote(object_id)
    for object_id in {outer[object_id] for object_id in inner}:
        graph.walk(object_id)


def _refuse_opaque(graph: Graph) -> None:
    """Refuse to share a part of what is stored whole, such as a layer of two Keras models."""
    held = {id(value): object_id for object_id, value in graph.values.items()}
    for object_id, walk in graph.walks.items():
        for part_id, part in walk.opaque.items():
            others = [held[part_id]] if held.get(part_id) in graph.walks else []
            others += [o for o, w in graph.walks.items() if part_id in w.parts]
            for other in others:
                if other != object_id:
                    raise _inseparable(graph, object_id, other, type(part).__name__)


def _refuse_buffers(graph: Graph) -> None:
    """Refuse an array in the memory of a buffer that is handed on too, as of a bytearray.

    An object of a library, such as a tree of scikit-learn's, makes its own arrays again.
    """
    holders = {part: object_id for object_id, walk in graph.walks.items() for part in walk.parts}
    holders |= {id(graph.values[object_id]): object_id for object_id in graph.walks}
    for object_id, walk in graph.walks.items():
        for array in walk.arrays:
            base = getattr(_owner(array), "base", None)
            buffer = getattr(base, "obj", base)
            other = holders.get(id(buffer))
            own = isinstance(buffer, bytearray) or type(buffer).__module__ in ("array", "mmap")
            if other is not None and own:
                raise _inseparable(graph, object_id, other, "buffer's memory")


def _inseparable(graph: Graph, first: str, second: str, what: str) -> ArtifactError:
    one, other = graph.way_to(first), graph.way_to(second)
    return ArtifactError(
        f"{graph.where(other)}the variables {one!r} and {other!r} share one {what}, and "
        "stored they would become two. fix: hand on only one of them and take the other "
        f"from it where it is used, or make {other!r} a deep copy (copy.deepcopy)"
    )


class _Place(NamedTuple):
    """An array in memory: where it begins and ends, whose it is, and whether it is a frame's."""

    start: int
    end: int
    object_id: str
    array: Any
    inner: bool
    alone: bool

    @property
    def changes(self) -> bool:
        """Whether it can be written to. Who writes to a frame's memory, writes to a copy."""
        return bool(self.array.flags.writeable) and not self.inner

    def shows_in(self, other: "_Place") -> bool:
        """Whether a change of one of the two shows in the other, if they meet."""
        frames = self.inner and other.inner and (self.alone or other.alone)
        return self.changes or other.changes or frames


def _make_views(graph: Graph) -> None:
    """Store arrays that share memory as views of the array that owns it.

    Arrays that lie in one memory but have no element in common are stored apart: no change of
    one shows in the other. Nor does a change of one frame in another, if pandas knows of it.

    Raises:
        ArtifactError: no plain memory owns such an array, or several frames have it.
    """
    circles = graph.circles()
    views: dict[int, dict[int, _Place]] = {}
    for one, other in _overlapping(graph):
        owner = _owner(one.array)
        if owner is _owner(other.array) and _can_own(owner, one.array, other.array):
            views.setdefault(id(owner), {}).update({id(place): place for place in (one, other)})
        # What a library makes of its own arrays is its own business.
        elif circles[one.object_id] != circles[other.object_id]:
            raise _inseparable(graph, one.object_id, other.object_id, "array's memory")
    for group in views.values():
        _own(graph, list(group.values()), circles)


def _own(graph: Graph, views: list[_Place], circles: dict[str, str]) -> None:
    """Have arrays refer to the one that owns their memory.

    Args:
        graph: of all objects.
        views: the arrays.
        circles: of each object, the first of those that it is stored with.

    Raises:
        ArtifactError: several frames have the memory.
    """
    owner, objects = _owner(views[0].array), [place.object_id for place in views]
    if len({id(place.array) for place in views if place.inner}) > 1:
        raise _inseparable(graph, objects[0], objects[-1], "array's memory")
    owner_id = graph.ids.get(id(owner), "")
    if not owner_id and len({circles[object_id] for object_id in objects}) > 1:
        owner_id = graph.promote(owner)
        graph.walk(owner_id)
        for object_id, walk in list(graph.walks.items()):
            if id(owner) in walk.parts:
                graph.walk(object_id).requires |= walk.requires
    for object_id, array in ((place.object_id, place.array) for place in views):
        walk = graph.walks[object_id]
        walk.repeated = True
        if array is not owner:
            graph.context.views[id(array)] = owner
        if owner_id and owner_id != object_id:
            walk.requires.add(owner_id)
            if graph.values[object_id] is array:
                walk.requires = {owner_id}
                graph.views[object_id] = owner_id


def _can_own(owner: Any, *arrays: Any) -> bool:
    """Whether arrays can be made again as views of another.

    None can that are of a class of their own, or of fields that are Python objects.
    """
    kinds = {type(array).__name__ for array in (owner, *arrays)}
    plain = owner.dtype == object or not owner.dtype.hasobject
    return kinds == {"ndarray"} and owner.flags.forc and plain


def _owner(array: Any) -> Any:
    """Return the array that owns an array's memory, or got it from what is no array."""
    owner = array
    while (array := getattr(array, "base", None)) is not None:
        owner = array if hasattr(array, "dtype") else owner
    return owner


def _bounds(array: Any) -> tuple[int, int]:
    """The addresses where an array begins and ends."""
    start = end = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        start += min(0, (length - 1) * stride)
        end += max(0, (length - 1) * stride)
    return start, end + array.itemsize


def _overlapping(graph: Graph) -> Iterator[tuple[_Place, _Place]]:
    """Yield arrays by twos where a change of one shows in the other; of many, not all such twos."""
    places = [
        _Place(*_bounds(array), object_id, array, inner, id(array) in walk.alone)
        for object_id, walk in graph.walks.items()
        for inner, arrays in ((False, walk.arrays), (True, walk.memory))
        for array in arrays
        if array.size
    ]
    known: set[int] = set()
    near: list[_Place] = []
    for place in sorted(places, key=attrgetter("start")):
        near = [other for other in near if other.end > place.start]
        for other in near:
            both = id(place) in known and id(other) in known
            if not both and place.shows_in(other) and _meet(place, other):
                known |= {id(place), id(other)}
                yield other, place
        near.append(place)


def _meet(one: _Place, other: _Place) -> bool:
    """Whether two arrays share an element, and are not one object that is known as such."""
    import numpy as np

    if one.array is other.array:
        return one.inner != other.inner
    try:
        return np.shares_memory(one.array, other.array, max_work=100_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _note_frame_parts(graph: Graph) -> None:
    """Note the arrays that are parts of a data frame's memory: `X = df.to_numpy()`."""
    values, walks = graph.values, graph.walks
    frames = {o: values[o] for o in walks if serializers.is_frame(values[o])}
    arrays = [
        object_id
        for object_id, walk in walks.items()
        if object_id not in graph.views and any(a is values[object_id] for a in walk.arrays)
    ]
    for object_id in arrays if frames else ():
        for frame_id, frame in frames.items():
            part = array_views.part_of(values[object_id], frame)
            if part is not None:
                graph.parts[object_id] = frame_id, part
                break
