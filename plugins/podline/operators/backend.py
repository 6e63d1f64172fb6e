"""The seam between operators and the places where stages run.

Each backend is a module, or a package, of its name beside this one, with a function `open_backend`
that takes a `TryContext` and returns a `StageBackend`.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from podline import settings
from podline.airflow_compat import Cluster
from podline.compiler.pipeline import Pipeline
from podline.compiler.tags import StageSettings
from podline.contract import StageTask
from podline.exceptions import SettingError
from podline.latency.observations import Observed
from podline.settings import Backend

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from podline.operators.successors import NextStage
    from podline.store import Store, StoreConnection
    from podline.store.keys import TryKey

Log = Callable[[str], object]


@dataclass(frozen=True)
class TryContext:
    """What a backend may know of the try that it is opened for.

    Attributes:
        operator: its parameters say what a pod is.
        cluster: where pods run.
        pipeline: the notebook.
        tags: the stage's settings.
        context: Airflow's.
        seen: takes what happens.
    """

    operator: "KubernetesPodOperator"
    cluster: Cluster
    pipeline: Pipeline
    tags: StageSettings
    context: "Context"
    seen: Observed


class Deferral(NamedTuple):
    """How a try goes on without its worker; after `timeout` Airflow ends it."""

    trigger: "BaseTrigger"
    timeout: timedelta | None


class StageBackend:
    """Runs one try of a stage. What a backend has nothing to do for it leaves as it is here.

    Attributes:
        not_applied: tags' settings that it cannot apply, by their field in `StageSettings`.
        can_leave: whether a stage goes on without its worker; see `leave`.
    """

    not_applied: tuple[str, ...] = ()
    can_leave = False

    def prepare(self, connection: "StoreConnection") -> None:
        """Begin with what a stage needs whichever it is, while its inputs are asked for."""

    def adopt(self, task: StageTask, number: int, tries: int) -> StageTask | None:
        """Take over what an earlier try left running, if it does the same work.

        Args:
            task: what this try would do.
            number: of this try.
            tries: how many Airflow allows: a clear raises it, and what was cleared is not adopted.

        Returns:
            The task of that try, with its nonce and its folder; None: there is none.

        Raises:
            StageError: that cannot be told.
        """
        return None

    def expect(self, following: "Callable[[], Sequence[NextStage]]") -> None:
        """Note what gives the stages that follow: they may be begun with while this one runs."""

    def run(self, task: StageTask, connection: "StoreConnection", log: Log) -> str:
        """Run a stage, or follow the adopted one.

        Args:
            task: what it is to do.
            connection: of the store.
            log: takes its output, line by line.

        Returns:
            The sha256 that the stage gives its result in its last line.

        Raises:
            StageError: it cannot be started, or ended without a result.
        """
        raise NotImplementedError

    def leave(
        self, task: StageTask, connection: "StoreConnection", until: float | None
    ) -> Deferral:
        """Start a stage, unless one was adopted, and leave it to a trigger.

        Args:
            task: what it is to do.
            connection: of the store.
            until: when the task's timeout is over (epoch).

        Returns:
            What waits for its end.

        Raises:
            StageError: it cannot be started.
        """
        raise NotImplementedError

    def finish(self, event: Any, log: Log) -> str:
        """Go on where a trigger ended; see `run`.

        Args:
            event: the trigger's.
            log: takes the stage's output.

        Raises:
            StageError: the stage ended without a result, could not start, or was not followed.
        """
        raise NotImplementedError

    def abandon(self, where: "TryKey") -> None:
        """End what a try has left whose trigger was lost: nobody follows it any more."""

    def why_stopped(self) -> str:
        """Why a stage was told to stop, if that is known here."""
        return ""

    def observe(self) -> None:
        """Note what can be known of the stage only when it has ended, for the record of its try."""

    def stop(self) -> None:
        """End the stage, if it still runs.

        Raises:
            NotImplementedError: the backend does not say how.
        """
        raise NotImplementedError

    def fail(self) -> None:
        """See to the end of a stage that failed, or that failed to be followed."""
        self.stop()

    def close(self) -> None:
        """See to the end of a stage that has nothing left to do.

        Raises:
            NotImplementedError: the backend does not say how.
        """
        raise NotImplementedError

    def tidy(self, store: "Store") -> None:
        """Remove what lost tries have left, now that this one is over and nobody waits for it.

        Args:
            store: where their records go.
        """


def stage_variables(conn_id: str) -> dict[str, str]:
    """What the environment of each stage has, wherever it runs; `conn_id`: of the store."""
    return {
        "AIRFLOW__PODLINE__STORE_CONN_ID": conn_id,
        "AIRFLOW__PODLINE__STORE_PATIENCE": str(settings.store_patience()),
        "PYTHONUNBUFFERED": "1",
        # All stages of a run agree on the hash of a text, as one process does.
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
    }


def open_backend(name: str, wanted: TryContext) -> StageBackend:
    """The backend of that name, for one try.

    Raises:
        SettingError: there is none.
    """
    if name not in [*Backend]:
        raise SettingError(
            f"there is no backend {name!r}: set [podline] backend, or the DAG's parameter "
            f"`backend`, to one of: {', '.join(Backend)}"
        )
    backend: StageBackend = importlib.import_module(f"..{name}", __name__).open_backend(wanted)
    return backend


@contextmanager
def ending(backend: StageBackend) -> Iterator[None]:
    """See to the end of what runs on a backend: wait for it, or stop it after an error."""
    try:
        yield
    except BaseException:
        backend.fail()
        raise
    backend.close()
