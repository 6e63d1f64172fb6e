"""The ids under which objects are stored and referred to.

- `load:rows`: what the stage `load` bound to `rows` first;
- `load:#7`: what it had only as a part of other objects;
- `2.1:limits`: what the preamble's statement of cell 2, line 1 made, in whatever stage;
- `3.1:Shop.Item`: a class in a class, or a member of an enum, that such a statement made;
- `2.1:limits.0`: what is first in such a constant, if it is a list, dict or set;
- `load:2.1:now`: what that statement computed in the stage `load`, once in a run.
"""

import re

_MADE = re.compile(r"\d+\.\d+:")


def is_made(object_id: str) -> bool:
    """Whether it is that of an object of the preamble, and of no stage."""
    return bool(_MADE.match(object_id))


def made_id(object_id: str) -> str:
    """`2.1:now` for itself and for `load:2.1:now`; of any other object, what is no such id."""
    return object_id if is_made(object_id) else object_id.partition(":")[2]


def name_of(object_id: str) -> str:
    """The name in it; of what is in a class or a constant, that one's."""
    return object_id.rpartition(":")[2].partition(".")[0]
