"""Python's cyclic garbage collector, which rests while libraries are imported.

An import makes many objects that stay, and the collector goes through them again and again: a
fifth of the time that `import keras` takes, measured in the stages' image. Nothing that a notebook
can see goes by it: the collector rests while statements run that are imports and no more.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Have no collection begin by itself in the block.

    It goes by the thresholds, not by `gc.disable`: a library that switches the collector off or
    on when it is imported, or sets thresholds of its own, has what it asked for afterwards.
    """
    before = gc.get_threshold()
    ours = (0, *before[1:])
    gc.set_threshold(*ours)
    try:
        yield
    finally:
        if gc.get_threshold() == ours:
            gc.set_threshold(*before)
