"""What is inside the objects of pandas: labels, cells and memory that other objects may hold too.

    idx = df.index; idx.name = "day"        # shows in df, whose index is that very object
    rows = [[1], [2]]; df["row"] = rows     # the cells are those lists
    kinds = df["kind"].array                # is the column's memory
    s = pd.Series(x, copy=False)            # so is x

That frames share memory with each other does not show, where pandas made one of the other: who
writes first, writes to a copy.
"""

import hashlib
import pickle
from collections.abc import Iterator
from typing import Any

from podline.runner.pickling import VALUES, Context, Walk, digest_array, has_identity


def digest(obj: Any, walk: Walk, context: Context) -> Any:
    """Hash an object of pandas; in the hash stands what others could share with it.

    Args:
        obj: the object.
        walk: notes the arrays that are its memory.
        context: knows the working directory, whose paths no array of pandas can hold.

    Returns:
        What to pickle in its place; None: the object itself.

    Raises:
        PicklingError: it holds such a path.
    """
    if hasattr(obj, "_mgr"):
        return _digest_frame(obj, walk)
    if type(obj).__name__.endswith("BlockManager"):
        return _digest_manager(obj, walk, context)
    if any(base.__name__ == "Index" for base in type(obj).__mro__):
        return _digest_index(obj, walk, context)
    if hasattr(obj, "_from_sequence"):
        if obj.dtype == object:
            return None
        if id(obj) in walk.inner:
            return ("column",)  # with the frame's hash
        walk.arrays += _arrays_of(obj)
        return _digest_extension(obj, context, inner=False)
    # What a grouping has worked out is nobody else's business.
    walk.inner |= {id(array) for array in _arrays_of(obj)}
    return None


def _digest_frame(frame: Any, walk: Walk) -> Any:
    about = (frame.flags.allows_duplicate_labels, getattr(frame, "_name", None))
    attrs = tuple(frame.attrs.items())
    if attrs:
        walk.opaque[id(frame.attrs)] = frame.attrs
    return ("pandas", type(frame).__name__, about, attrs, frame._mgr)


def _digest_manager(manager: Any, walk: Walk, context: Context) -> Any:
    """Hash labels and cells. A frame and its resampler have one manager, not only equal ones."""
    blocks = []
    for block in manager.blocks:
        values = block.values
        if not hasattr(values, "_from_sequence"):
            walk.memory.append(values)
            walk.alone |= set() if block.refs.has_reference() else {id(values)}
            cells = digest_array(values) or _cells(values, context)
        else:
            cells = _digest_extension(values, context), _column(block, walk, context)
        blocks.append((block.mgr_locs.as_array.tobytes(), cells))
    axes = manager.axes
    if manager is walk.manager:
        axes = [_digest_labels(axis, number, walk, context) for number, axis in enumerate(axes)]
    return ("manager", tuple(axes), tuple(blocks))


def _digest_labels(index: Any, axis: int, walk: Walk, context: Context) -> Any:
    """Hash labels of the frame that is looked through.

    It stays as it is stored, whoever else holds its labels: what they are is noted beside it.
    """
    known = context.roots.get(id(index), ())
    digest = _digest_index(index, walk, context)
    if digest is None or known[2:]:
        return index
    if known:
        walk.requires.add(known[1])
        walk.labels[known[1]] = axis
    else:
        walk.parts[id(index)] = index
    return digest


def give_labels(frame: Any, labels: dict[int, Any]) -> None:
    """Make indexes the labels of a frame, which has equal ones, by the manager's axis."""
    for axis, index in labels.items():
        frame._mgr.axes[axis] = index


def _digest_extension(array: Any, context: Context, inner: bool = True) -> Any:
    """Hash an extension array, and refer to its categories.

    The frames made of one frame have the same: only if these have a name of their own, it shows.

    Args:
        array: the array.
        context: knows what has a name.
        inner: whether it is a frame's.
    """
    labels = getattr(array.dtype, "categories", None)
    if inner and id(labels) not in context.roots:
        labels = None
    return ("array", type(array).__name__, _pickled(array, context), labels)


def _column(block: Any, walk: Walk, context: Context) -> Any:
    """The extension array that is a frame's memory, as what another variable may hold as well.

    Where another frame has the same memory, who writes first gets a copy: then it is nobody's.
    """
    array, shared = block.values, block.refs.has_reference()
    walk.inner.add(id(array))
    if id(array) in context.roots:
        return None if shared else array
    walk.memory += _arrays_of(array)
    walk.alone |= set() if shared else set(map(id, _arrays_of(array)))
    if shared:
        walk.apart.add(id(array))
    return array


def _cells(values: Any, context: Context) -> Any:
    """The hash of an array of Python objects, or these themselves if any could be shared."""
    if _has_only_values(values):
        return values.shape, _pickled(values, context)
    return values.shape, tuple(values.ravel())


def _digest_index(index: Any, walk: Walk, context: Context) -> Any:
    for labels in getattr(index, "levels", [index]):
        if labels.dtype == object and not _has_only_values(labels._data):
            walk.inner |= {id(array) for array in _arrays_of(labels)}
            return None
    return ("index", type(index).__name__, _pickled(index, context))


def _has_only_values(array: Any) -> bool:
    """Whether no object in an array could be told from its equal, by one of each type."""
    flat = array.ravel()
    examples = dict(zip(map(type, flat), flat, strict=True))
    return not any(
        kind is type or kind in VALUES or has_identity(value) for kind, value in examples.items()
    )


def _pickled(obj: Any, context: Context) -> str:
    data = pickle.dumps(obj, protocol=5)
    if context.folder and context.folder.encode() in data:
        raise pickle.PicklingError(
            "it holds paths of the working directory, which is another in each stage; use "
            "paths relative to it"
        )
    return hashlib.sha256(data).hexdigest()


def _arrays_of(obj: Any) -> list[Any]:
    """The arrays of numpy that are an object's attributes."""
    return [value for value in _attributes(obj) if type(value).__name__ == "ndarray"]


def _attributes(obj: Any) -> Iterator[Any]:
    yield from getattr(obj, "__dict__", {}).values()
    yield getattr(obj, "_ndarray", None)
    yield getattr(obj, "_data", None)
