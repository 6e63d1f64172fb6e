"""Objects that belong to their process, such as connections, clients, locks and pools.

None can be stored. Made by a cell tagged imports or functions, each stage makes its own, as it
does with modules; whatever holds it gets the one that is there:

    con = sqlite3.connect("prices.db")     # imports: each stage opens the file
    lock = threading.Lock()

That is right as long as the cells leave nothing in it that a new one would not have (`state_of`).
"""

import hashlib
import re
import sys
from typing import Any

_WORDS = (
    "barrier|bucket|channel|client|cluster|condition|connection|consumer|context|database|driver|"
    "elasticsearch|engine|event|executor|lock|pool|producer|redis|resource|semaphore|session|"
    "sessionmaker|socket"
)
_NAMES = re.compile(f"(?i)({_WORDS})$")

BOUND: dict[type, bool] = {}  # types seen so far: whether their names say so


def is_bound(value: Any) -> bool:
    """Whether an object is a connection or its like: of a library, and nothing pickles it."""
    kind = type(value)
    if kind not in BOUND:
        of_library = kind.__module__ not in ("__main__", "builtins")
        BOUND[kind] = of_library and any(_NAMES.search(base.__name__) for base in kind.__mro__)
    return BOUND[kind] and not _is_pickled(value)


def is_new(value: Any) -> bool:
    """Whether it is one that a new process makes again without a difference."""
    return is_bound(value) and not state_of(value)


def _is_pickled(value: Any) -> bool:
    import cloudpickle

    try:
        return bool(cloudpickle.dumps(value))
    except Exception:  # whatever refuses to be pickled, in words of its own
        return False


def state_of(value: Any) -> str:
    """What is in a connection or its like that a new one would not have; "": nothing."""
    if _is_database(value):
        return _state_of_database(value)
    locked = getattr(value, "locked", bool)
    inner = [getattr(value, name, None) for name in ("_flag", "_value")]  # events, semaphores
    return repr(inner) if any(inner) else "locked" if locked() is True else ""


def _is_database(value: Any) -> bool:
    return isinstance(value, getattr(sys.modules.get("sqlite3"), "Connection", ()))


def _state_of_database(connection: Any) -> str:
    """What of SQLite's is nowhere but in the process: databases in memory, rows not committed."""
    import sqlite3

    try:
        cursor = connection.cursor()
        cursor.row_factory = None
        names = [row[1] for row in cursor.execute("pragma database_list") if not row[2]]
        held = [
            connection.serialize(name=name)
            for name in names
            if cursor.execute(f'select count(*) from "{name}".sqlite_master').fetchone()[0]
        ]
    except sqlite3.Error:  # it is closed
        return "closed"
    about = [connection.in_transaction, connection.row_factory, connection.text_factory]
    new = [False, None, str]
    if about == new and not any(held):
        return ""
    return hashlib.sha256(repr((about, held)).encode()).hexdigest()


def written(value: Any) -> tuple[int, ...]:
    """What counts the writes of a connection to its database; (): nothing does."""
    if not _is_database(value):
        return ()
    import sqlite3

    try:
        cursor = value.cursor()
        cursor.row_factory = None
        return value.total_changes, cursor.execute("pragma schema_version").fetchone()[0]
    except sqlite3.Error:  # it is closed
        return ()


def advice(value: Any) -> str:
    """What to do about an object that cannot be stored."""
    if _is_database(value):
        return "connect to a file in a cell tagged imports, and commit what is written to it"
    if is_bound(value) and state_of(value):
        return "keep in a variable what it tells later stages, which have new ones"
    if is_bound(value):
        return "make it in a cell tagged imports, which each stage runs for itself"
    if type(value).__name__ == "TypeAliasType":
        return "define it in a cell tagged functions"
    if hasattr(value, "cache_clear"):
        return "call its cache_clear() at the end of this stage"
    return "store what it was made from and make it again where it is used"
