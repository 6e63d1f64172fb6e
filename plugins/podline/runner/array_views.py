"""Arrays that are no memory of their own: views of another array, parts of a data frame.

What is written to one shows in the other, in later stages as well:

    x = np.zeros((2, 3)); column = x[:, 0]    # column is stored as where it lies in x
    X = df.to_numpy()                         # where df is loaded too, X is made from it again
    x[0, 0] = 5; df.iloc[:, :] = 5            # shows in `column`, and in X
"""

from typing import Any, TypedDict


class View(TypedDict):
    """Where an array lies in its owner's memory: offset and strides in bytes, dtype as numpy's."""

    offset: int
    shape: list[int]
    strides: list[int]
    dtype: Any
    writeable: bool


def view_of(array: Any, owner: Any) -> View:
    """Describe an array as a part of the memory of its owner."""
    start = owner.__array_interface__["data"][0]
    return {
        "offset": array.__array_interface__["data"][0] - start,
        "shape": list(array.shape),
        "strides": list(array.strides),
        "dtype": array.dtype.descr if array.dtype.fields else array.dtype.str,
        "writeable": bool(array.flags.writeable),
    }


def make_view(view: View, owner: Any) -> Any:
    """Make the array that `view_of` described, in the memory of the loaded owner."""
    import numpy as np

    dtype = view["dtype"]
    if isinstance(dtype, list):
        dtype = [tuple(field) for field in dtype]
    array = np.ndarray(
        tuple(view["shape"]), np.dtype(dtype), owner, view["offset"], tuple(view["strides"])
    )
    array.flags.writeable = view["writeable"]
    return array


def part_of(array: Any, frame: Any) -> dict[str, int] | None:
    """Which part of a data frame's (or series') memory a read-only array is, as `to_numpy` gives.

    Returns:
        first row, number of `rows` and the step between them, first column, number of `columns`
        (0: the array has one dimension) and the step between them; `flat` where it is a single
        row and has one dimension. None: it is no part of it.
    """
    part = _rows_of(array, frame)
    if part is None and array.ndim == 1 and frame.ndim == 2:
        row = _rows_of(array[None], frame)
        part = row and row | {"flat": 1}
    return part


def _rows_of(array: Any, frame: Any) -> dict[str, int] | None:
    if array.flags.writeable or array.base is None or not array.size or array.ndim > 2:
        return None
    columns = [frame] if frame.ndim == 1 else [frame.iloc[:, i] for i in range(frame.shape[1])]
    memory = [c.to_numpy().__array_interface__ if c.dtype == array.dtype else None for c in columns]
    start, across = array.__array_interface__["data"][0], (*array.strides, 0)[1]
    number = array.shape[1] if array.ndim == 2 else 0
    places = [_place(start + i * across, memory, len(frame)) for i in range(max(number, 1))]
    (column, row), step = places[0] or (-1, 0), 1
    if number > 1 and places[1]:
        step = places[1][0] - column
    expected = [(column + i * step, row) for i in range(len(places))]
    if column < 0 or step < 1 or places != expected:
        return None
    del columns
    if _is_shared(frame, column):
        return None
    apart = ((memory[column] or {})["strides"] or (array.itemsize,))[0]
    every = array.strides[0] // apart if len(array) > 1 else 1
    part = {
        "row": row,
        "rows": array.shape[0],
        "every": every,
        "column": column,
        "columns": number,
        "step": step,
    }
    return part if every > 0 and _lies(make_part(frame, part)) == _lies(array) else None


def _lies(array: Any) -> tuple[Any, ...]:
    """Where an array lies in memory."""
    strides = [stride for n, stride in zip(array.shape, array.strides, strict=True) if n > 1]
    return array.__array_interface__["data"], array.shape, strides


def _is_shared(frame: Any, column: int) -> bool:
    """Whether a column's memory is another frame's too: who writes first, writes to a copy."""
    manager = frame._mgr
    block = manager.blocks[manager.blknos[column] if frame.ndim == 2 else 0]
    return bool(block.refs.has_reference())


def _place(address: int, memory: list[Any], rows: int) -> tuple[int, int] | None:
    """The column and the row that lie at an address."""
    for column, about in enumerate(memory):
        if about is not None:
            stride = (about["strides"] or (int(about["typestr"][2:] or 8),))[0]
            row, rest = divmod(address - about["data"][0], stride)
            if 0 <= row < rows and not rest:
                return column, row
    return None


def make_part(frame: Any, part: dict[str, int]) -> Any:
    """Take the part of a loaded data frame that `part_of` described."""
    row, column = part["row"], part["column"]
    rows = slice(row, row + part["rows"] * part["every"], part["every"])
    if frame.ndim == 1:
        return frame.iloc[rows].to_numpy()
    if not part["columns"]:
        return frame.iloc[rows, column].to_numpy()
    across = slice(column, column + part["columns"] * part["step"], part["step"])
    made = frame.iloc[rows, across].to_numpy()
    return made[0] if "flat" in part else made
