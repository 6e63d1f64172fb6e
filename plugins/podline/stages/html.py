"""The executed notebook as a page: made after the try has ended, so that no try waits for it."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping

from podline.stages import EXECUTED
from podline.store import open_store

PAGE = "executed.html"
_COMMAND = (sys.executable, "-m", "podline.stages.html")


def make_page(prefix: str) -> None:
    """Put the executed notebook of a try beside it, as one self-contained HTML file.

    Args:
        prefix: the try's folder in the store.
    """
    import nbformat
    from nbconvert import HTMLExporter

    store = open_store()
    text = bytes(store.get(f"{prefix}/{EXECUTED}")).decode()
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    page, _ = HTMLExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]
    store.put_if_absent(f"{prefix}/{PAGE}", page.encode())


def make_pages(prefixes: Iterable[str], env: Mapping[str, str]) -> None:
    """Make the pages of several tries in a process of its own, and wait for it.

    Args:
        prefixes: the tries' folders in the store.
        env: the environment of a stage's process.
    """
    subprocess.run([*_COMMAND, *prefixes], env=env, capture_output=True, check=False)


def make_page_later(prefix: str, env: Mapping[str, str]) -> None:
    """Make the page in a process of its own that outlives this one.

    Args:
        prefix: the try's folder in the store.
        env: the environment of a stage's process, which says how to reach the store.
    """
    subprocess.Popen(
        [*_COMMAND, prefix],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _step_back() -> None:
    """Take only time that nobody else wants: the next stage may be running."""
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    _step_back()
    for folder in sys.argv[1:]:
        make_page(folder)
