"""Executed notebooks as pages: made when a run has ended, so that none of its stages waits."""

import os
import subprocess
import sys
from collections.abc import Mapping

from podline.contract import PARENT_VARIABLE
from podline.signals import end_with
from podline.store import open_store
from podline.store.keys import EXECUTED

PAGE = "executed.html"
_COMMAND = (sys.executable, "-m", "podline.runner.html_export")


def make_pages(run: str) -> None:
    """Put beside each executed notebook of a run the same as one self-contained HTML file.

    Args:
        run: the run's folder in the store.
    """
    import nbformat
    from nbconvert import HTMLExporter

    store = open_store()
    there = {item.key for item in store.list(run)}
    for key in sorted(there):
        folder, _, name = key.rpartition("/")
        if name != EXECUTED or f"{folder}/{PAGE}" in there:
            continue
        text = bytes(store.get(key)).decode()
        notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        page, _ = HTMLExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]
        store.put_if_absent(f"{folder}/{PAGE}", page.encode())


def make_pages_apart(run: str, env: Mapping[str, str]) -> None:
    """Make the pages in a process of its own, and wait for it; see `make_pages`.

    Args:
        run: the run's folder in the store.
        env: the environment of a stage's process.
    """
    mine = {PARENT_VARIABLE: str(os.getpid())}
    subprocess.run([*_COMMAND, run], env={**env, **mine}, capture_output=True, check=False)


def make_pages_later(run: str, env: Mapping[str, str]) -> None:
    """Make the pages in a process of its own that outlives this one; see `make_pages`.

    Args:
        run: the run's folder in the store.
        env: the environment of a stage's process, which says how to reach the store.
    """
    subprocess.Popen(
        [*_COMMAND, run],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


if __name__ == "__main__":
    if PARENT_VARIABLE in os.environ:
        end_with(int(os.environ[PARENT_VARIABLE]))
    os.nice(19)  # take only time that nobody else wants
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    make_pages(sys.argv[1])
