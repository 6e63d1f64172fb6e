"""The seam between operators and the places where stages run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from podline.contract import StageTask
from podline.exceptions import SettingError

if TYPE_CHECKING:
    from podline.store import StoreConnection

BACKENDS = ("process", "kubernetes")


class Backend(Protocol):
    """Runs one try of a stage."""

    # Tags' settings that it cannot apply, by their field in `StageSettings`.
    not_applied: tuple[str, ...]

    def prepare(self, connection: "StoreConnection") -> None:
        """Begin with what a stage needs whichever it is, while its inputs are asked for."""
        ...

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

    def why_stopped(self) -> str:
        """Why a stage was told to stop, if that is known here."""
        ...

    def observe(self) -> None:
        """Note what can be known of the stage only when it has ended, for the record of its try."""
        ...

    def fail(self) -> None:
        """See to the end of a stage that failed, or that failed to be followed."""
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
        backend.fail()
        raise
    backend.close()


def check_backend(name: str) -> None:
    """Refuse what is no backend.

    Raises:
        SettingError: there is none of that name.
    """
    if name not in BACKENDS:
        raise SettingError(
            f"there is no backend {name!r}: set [podline] backend, or the DAG's parameter "
            f"`backend`, to one of: {', '.join(BACKENDS)}"
        )
