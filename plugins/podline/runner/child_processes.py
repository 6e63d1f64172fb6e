"""Processes that cells start and leave at work: a later stage would look for them in vain.

    server = subprocess.Popen(["node", "server.js"])    # stage 1
    requests.get("http://localhost:3000")               # stage 2: perhaps in another pod

What libraries keep for themselves, such as the workers of a pool that have nothing to do, is no
business of the notebook's: the next stage's library starts its own.
"""

import contextlib
import gc
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from podline.runner import lifetimes

_HELPERS = ("multiprocessing", "loky", "joblib")  # in the command line of what pools start


def running() -> set[int]:
    """The numbers of the child processes; on other systems than Linux, none is known."""
    numbers: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            numbers.update(map(int, file.read_text().split()))
    return {number for number in numbers if _state(number) not in ("", "Z")}


def _state(number: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _command(number: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_text().replace("\0", " ").strip()
    return ""


def left(namespace: Mapping[str, Any], scripts: Iterable[Any], before: set[int]) -> list[str]:
    """The commands of processes that cells started and that still run.

    Args:
        namespace: the notebook's names.
        scripts: what `%%bash --bg` started.
        before: those that ran before the cells.
    """
    found = running() - before
    if not found:
        return []
    import multiprocessing  # whose import takes as long as all of a stage's own modules
    import subprocess

    own: set[int | None] = {script.pid for script in scripts}
    started = [one for one in gc.get_objects() if isinstance(one, subprocess.Popen)]
    kept = lifetimes.reach(namespace.values())
    own |= {one.pid for one in subprocess._active}  # type: ignore[attr-defined]
    own |= {one.pid for one in started if id(one) in kept}
    theirs = set[int | None](one.pid for one in started) - own
    children = multiprocessing.active_children()
    own |= {child.pid for child in children if id(child) in kept or not child.daemon}
    theirs |= {child.pid for child in children} - own | _of_pools(children)
    # Of others the parent is gone, or a call of the system's made them.
    return [
        _command(number) or str(number)
        for number in sorted(found - theirs)
        if number in own or not any(word in _command(number) for word in _HELPERS)
    ]


def _of_pools(children: Iterable[Any]) -> set[int | None]:
    """The numbers of the children of `multiprocessing` that wait for work, and end with us."""
    executors = [t for t in threading.enumerate() if type(t).__name__ == "_ExecutorManagerThread"]
    of_executors = {number for thread in executors for number in getattr(thread, "processes", ())}
    return of_executors | {child.pid for child in children if "PoolWorker" in child.name}
