"""The store that a command uses: the one that the environment names, or else the embedded one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from podline import settings

if TYPE_CHECKING:
    from podline.store import Store


def embedded_folder() -> Path:
    """Where the embedded store keeps its data."""
    return settings.home() / "store"


@contextmanager
def opened(say: Callable[[str], object] = lambda line: None) -> Iterator[Store]:
    """The store, up meanwhile; `say` gets a line that tells which it is.

    Raises:
        StoreConnectionError: the environment's connection cannot be used.
        EmbeddedStoreError: the embedded store does not start.
    """
    from podline.store import environment, open_store

    with _sigterm_unwinds(), environment.environment(embedded_folder()) as variables:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            store = open_store()
            where = f" (embedded: {_short(embedded_folder())})" if variables else ""
            say(f"store {store.connection}{where}")
            yield store
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)


def _short(path: Path) -> str:
    """A path as seen from here, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does: what it started is stopped first."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
