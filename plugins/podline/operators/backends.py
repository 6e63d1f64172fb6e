"""The seam between operators and the places where stages run: a backend has a name and a class."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from podline.contract import StageTask
from podline.exceptions import SettingError

if TYPE_CHECKING:
    from podline.store import StoreConnection

# Imported only where used: a backend's client may take seconds to import.
BACKENDS = {"process": "podline.operators.process:ProcessBackend"}


class Backend(Protocol):
    """Runs one try of a stage."""

    # Tags' settings that it cannot apply, by their field in `StageSettings`.
    not_applied: tuple[str, ...]

    def run(
        self, task: StageTask, connection: "StoreConnection", log: Callable[[str], object]
    ) -> str:
        """Run a stage; pass its output to `log`, line by line.

        Returns:
            The sha256 that the stage gives its result in its last line.

        Raises:
            StageError: it ended without a result.
        """
        ...

    def stop(self) -> None:
        """End the stage, if it still runs."""
        ...

    def close(self) -> None:
        """See to the end of a stage that has nothing left to do."""
        ...


@contextmanager
def ending(backend: Backend) -> Iterator[None]:
    """See to the end of what runs on a backend: wait for it, or stop it after an error."""
    try:
        yield
    except BaseException:
        backend.stop()
        raise
    backend.close()


def open_backend(name: str) -> Backend:
    """Return a new backend of that name.

    Raises:
        SettingError: there is none.
    """
    if name not in BACKENDS:
        known = ", ".join(sorted(BACKENDS))
        raise SettingError(
            f"there is no backend {name!r}: set [podline] backend, or the DAG's parameter "
            f"`backend`, to one of: {known}"
        )
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(import_module(module), attribute)()
    return backend
