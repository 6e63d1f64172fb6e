"""How the update study makes a batch: the link set, the nodes started, the updates made."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podline import settings
from podline.exceptions import PodlineError
from podline.secrecy import redacted
from podline.store import Store, StoreConnection
from podline_studies import batch_process, machine
from podline_studies.dag_tasks import StudyTasks
from podline_studies.study import Session, Study
from podline_studies.updates import batch
from podline_studies.updates.batch import BatchResult, BatchTask, Measurement
from podline_studies.updates.design import Batch, Cell, Design, from_params
from podline_studies.updates.kind import UPDATES
from podline_studies.updates.nodes import WAYS
from podline_studies.uploads.delay_link import probe, topology
from podline_studies.validation import DesignError

UpdateStudy = Study[Design, Measurement]


class UpdateTasks(StudyTasks[Design, Measurement]):
    """The tasks of the DAG `update_benchmark`."""

    kind = UPDATES

    def design(self, params: Mapping[str, Any]) -> Design:
        """Make the design; its stores answer, its link lies, and its nodes can be started.

        Raises:
            DesignError: the parameters make none, there is no link, or a program is missing.
        """
        names = [settings.store_conn_id(), *settings.stores()][:2]
        design = from_params(params, names)
        for store in names:
            Store(StoreConnection.read(store)).ensure_bucket()
        _network()
        for way in design.ways:
            node = WAYS[way].node
            if not node.is_installed():
                raise DesignError(
                    f"the way {way!r} needs the program {node.program} on the PATH: install it, "
                    "or leave it out of `ways`"
                )
        return design

    def warm_up(self, study: UpdateStudy, design: Design, item: Batch, session: Session) -> None:
        """Make a small batch first, once in a session: programs are read from the disk then.

        Args:
            study: which takes what was measured.
            design: of the study.
            item: what comes next.
            session: which.
        """
        if not study.is_warm("nodes", session.number):
            cells = tuple(Cell(100_000, form, 1) for form in design.forms)
            first = replace(item, cells=cells, rtt=0.0)
            study.add_warm_up(_measure(study, first, session, 1, "warm-up"), "nodes")

    def measure(
        self, study: UpdateStudy, item: Batch, session: Session, attempt: int
    ) -> Measurement:
        """Make a batch.

        Args:
            study: which it is of.
            item: the batch.
            session: in which it is made.
            attempt: at it, from 1.
        """
        machine.settle()
        return _measure(study, item, session, attempt, f"{item.index:04d}")


TASKS = UpdateTasks()


def _measure(
    study: UpdateStudy, item: Batch, session: Session, attempt: int, name: str
) -> Measurement:
    """Make a batch over the link as it is to be."""
    design, network, spec = study.design(), _network(), study.design().link(item)
    network.link.set(spec)
    network.link.stats()
    around = StoreConnection.read(item.store)
    task = BatchTask(
        batch=item,
        ways=design.ways,
        link=network.url(item.store, around.endpoint_url or ""),
        bucket=_bucket(study.name, session.number, name, attempt),
        sink=topology.SINK,
        seed=design.seed,
    )
    began = round(time.time(), 3)
    blank = Measurement(item, session.number, attempt, began, began)
    try:
        result = _run(task, around)
        stats = network.link.stats()
        probe.check(spec, result.before)
        probe.check(spec, result.after)
    except PodlineError as error:
        return replace(blank, failure=redacted(str(error)))
    return replace(
        blank,
        updates=result.updates,
        before=result.before,
        after=result.after,
        link=stats,
        busy=result.busy,
        ended=round(time.time(), 3),
    )


def _run(task: BatchTask, store: StoreConnection) -> BatchResult:
    """Make a batch in a process of its own, which knows no other store."""
    variables = {batch.VARIABLE: task.to_json(), **store.to_env()}
    return BatchResult.read(batch_process.run(batch.__name__, variables))


def _network() -> topology.DelayedNetwork:
    network = topology.lying()
    if network is None:
        raise DesignError(
            "no delay link lies on this machine: `make edge-study-quick` lays one, or "
            "podline_studies.uploads.delay_link.topology.laid"
        )
    return network


def _bucket(study: str, session: int, name: str, attempt: int) -> str:
    """A batch's own bucket, whose name S3 takes."""
    digest = hashlib.sha256(f"{study}/{session}/{name}/{attempt}".encode()).hexdigest()
    return f"podline-updates-{digest[:16]}"
