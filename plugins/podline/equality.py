"""Whether a value that was stored and read back is the same."""

import io
from typing import Any

import cloudpickle


def equal(first: Any, second: Any) -> bool:
    """Whether two objects are equal to the last type and bit, as far as pickling sees."""
    try:
        return _plain(first) == _plain(second)
    except Exception:
        return False


class _Comparing(cloudpickle.Pickler):  # type: ignore[misc]
    """Leaves out what lies between the fields of a structured array: any bytes at all."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__name__ == "ndarray" and obj.dtype.names:
            return tuple, ([obj.dtype, *(obj[name] for name in obj.dtype.names)],)
        return super().reducer_override(obj)


def _plain(value: Any) -> bytes:
    buffer = io.BytesIO()
    pickler = _Comparing(buffer, protocol=5)
    pickler.fast = True  # no memo: equal strings give equal bytes, one object or two
    pickler.dump(value)
    return buffer.getvalue()
