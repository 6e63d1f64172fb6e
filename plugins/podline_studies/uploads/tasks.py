"""How the upload study makes a batch: the link set, the uploads made, read back, and removed."""

import logging
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from podline import settings
from podline.exceptions import PodlineError
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.secrecy import redacted
from podline.store import Store, StoreConnection, keys, open_store
from podline_studies import batch_process
from podline_studies.batch_process import BatchFailed
from podline_studies.dag_tasks import SCHEDULER, StudyTasks, way
from podline_studies.machine import QUIET, code_digest, disturbance
from podline_studies.study import Session, Study
from podline_studies.uploads import batch, batch_pods
from podline_studies.uploads.batch import (
    BatchResult,
    BatchTask,
    Measurement,
    Target,
)
from podline_studies.uploads.delay_link import LinkSpec, probe, tls, topology
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.design import LATE, SIDES, Batch, Design, from_params
from podline_studies.uploads.kind import UPLOADS
from podline_studies.validation import DesignError

UploadStudy = Study[Design, Measurement]
_log = logging.getLogger(__name__)


class UploadTasks(StudyTasks[Design, Measurement]):
    """The tasks of the DAG `upload_benchmark`."""

    kind = UPLOADS

    def design(self, params: Mapping[str, Any]) -> Design:
        """Make the design; its stores answer, and its link lies.

        Raises:
            DesignError: the parameters make none, or there is no second store, or no link.
        """
        names = [settings.store_conn_id(), *settings.stores()][: len(SIDES)]
        if len(names) < len(SIDES) - 1:
            raise DesignError(
                "there is one store, and two are compared: name an Airflow connection (type aws) "
                'of the other in [podline] stores, such as ["vm_store"], and of the same server '
                'bare, if there is one: ["vm_store", "bare_store"]'
            )
        usual = topology.algorithm() if topology.lying() is not None else ""
        given = {**params, "congestion": usual}
        design = from_params(given, _models(params.get("models") or ()), names)
        for store in names:
            _store(store).ensure_bucket()
        _check_link(design)
        hours = f"{design.seconds / 3600:.1f}"
        _log.info("%s batches, which take about %s h", len(design.items()), hours)
        return design

    def warm_up(self, study: UploadStudy, design: Design, item: Batch, session: Session) -> None:
        """Make a small batch first: programs and images are read then.

        Args:
            study: which takes what was measured.
            design: of the study.
            item: what comes next; of its client a batch is made, once in a session.
            session: which.
        """
        if not study.is_warm(item.client, session.number):
            first = replace(item, size=100_000, model="", rtt=0.0, pairs=1, arm="")
            name = f"warm-up-{session.number}-{item.client}"
            study.add_warm_up(_measure(study, first, session, 1, name), item.client)

    def measure(
        self, study: UploadStudy, item: Batch, session: Session, attempt: int
    ) -> Measurement:
        """Make a batch.

        Args:
            study: which it is of.
            item: the batch.
            session: in which it is made.
            attempt: at it, from 1.
        """
        return _measure(study, item, session, attempt, f"{item.index:04d}-{attempt}")


TASKS = UploadTasks()


def _check_link(design: Design) -> None:
    """Refuse a design that nothing here has the link for.

    Raises:
        DesignError: there is none, or none of its kind.
    """
    lies = topology.lying() is not None
    if not lies and design.place != "pod":
        raise DesignError(
            "no delay link lies on this machine, and a process has none of its own: lay one, "
            "or give place = 'pod' in a cluster whose kernel has netem"
        )
    if not lies and design.arms:
        raise DesignError(
            f"the link {design.arms[0].name!r} needs a delay link of this machine, and none "
            "lies: lay one, or give preset = 'quick'"
        )
    if any(arm.tls for arm in design.arms) and not topology.AUTHORITY.exists():
        raise DesignError(
            "nothing ends TLS behind the delay link: run make upload-study-full, or give preset = "
            "'quick'"
        )


def _measure(
    study: UploadStudy, item: Batch, session: Session, attempt: int, name: str
) -> Measurement:
    """Make a batch, whose objects have a prefix of this name, and verify what it uploaded."""
    design, network = study.design(), topology.lying()
    spec = design.link(item)
    if network is not None:
        network.link.set(spec)
        network.link.stats()
    arm = design.arm(item.arm)
    task = _task(study, design, item, name, network)
    stores = {name: _store(name) for name in design.stores}
    began = round(time.time(), 3)
    blank = Measurement(item, session.number, attempt, began, began)
    try:
        with topology.congestion(arm.congestion):
            result = _make(study.name, design.place, task, None if network is not None else spec)
        stats = network.link.stats() if network is not None else blank.link
        probe.check(spec, result.before, arm.congestion)
        probe.check(spec, result.after, arm.congestion)
        if way() == SCHEDULER:  # `dags test` is a trial, beside whatever else runs
            _check(result, stats)
        _verify(result, stores)
    except (PodlineError, subprocess.SubprocessError) as error:
        return replace(blank, failure=redacted(str(error)))
    finally:
        for store in stores.values():
            store.delete([found.key for found in store.list(task.prefix)])
    return replace(
        blank,
        uploads=result.uploads,
        before=result.before,
        after=result.after,
        link=stats,
        busy=result.busy,
        versions=result.versions,
        ended=round(time.time(), 3),
    )


def _task(
    study: UploadStudy,
    design: Design,
    item: Batch,
    name: str,
    network: topology.DelayedNetwork | None,
) -> BatchTask:
    targets, encrypted = [], design.arm(item.arm).tls
    for store in design.stores:
        around = StoreConnection.read(store).endpoint_url or ""
        port = tls.PORT if encrypted else None
        through = network.url(store, around, port) if network is not None else around
        targets.append(Target(store, through, around))
    return BatchTask(
        targets=tuple(targets),
        client=item.client,
        size=item.size,
        model=_file_of(item.model),
        pairs=item.pairs,
        prefix=keys.join("uploads", study.name, name),
        around=True,
        sink=topology.SINK,
        seed=design.seed * 10_000 + item.index,
        point=f"{design.seed}, {replace(item, index=0, round=0)}",
        first=item.round * item.pairs,
        authority=topology.AUTHORITY.read_text() if encrypted else "",
    )


def _make(study: str, place: str, task: BatchTask, link: LinkSpec | None) -> BatchResult:
    """Make a batch, by netem where a pod is to have a link of its own."""
    if place == "pod":
        batch_pods.clear(_core(), study, link)
    if link is None:
        return _run(study, place, task)
    with batch_pods.sinking(_core(), study) as sink:
        # All that such a pod sends takes the link; so what goes around it comes from another.
        around = _run(study, place, replace(task, sink=sink, pairs=0))
        over = _run(study, place, replace(task, sink=sink, around=False), link)
    return replace(over, uploads=around.uploads + over.uploads)


def _run(study: str, place: str, task: BatchTask, link: LinkSpec | None = None) -> BatchResult:
    """Run a batch in a pod or in a process of its own."""
    secrets: dict[str, str] = {}
    for target in task.targets:
        secrets |= StoreConnection.read(target.conn_id).to_env()
    variables = {
        batch.VARIABLE: task.to_json(),
        "AIRFLOW__PODLINE__STORE_CONN_ID": settings.store_conn_id(),
    }
    if place == "pod":
        return BatchResult.read(batch_pods.run(_core(), study, variables, secrets, link))
    return BatchResult.read(batch_process.run(batch.__name__, variables | secrets))


def _check(result: BatchResult, stats: LinkStats) -> None:
    """Refuse a batch that was disturbed, or made by other code.

    Raises:
        BatchFailed: it does not count; this rule is fixed before anything is measured.
    """
    if why := disturbance(result.busy, QUIET, "right after it"):
        raise BatchFailed(why)
    if (late := stats.late_p99_s or 0.0) > LATE:
        raise BatchFailed(
            f"disturbed: one packet of a hundred was late by {late * 1000:.1f} ms and more"
        )
    if result.versions.get("code") != code_digest():
        raise BatchFailed(
            "the image of batches has other code than this side. fix: make images, and load them "
            "into the cluster"
        )


def _verify(result: BatchResult, stores: Mapping[str, Store]) -> None:
    """Read what was uploaded back, around the link."""
    with tempfile.TemporaryDirectory() as folder:
        for upload in result.uploads:
            found = stores[upload.store].download(upload.key, Path(folder, "data"))
            if found != result.sha256:
                raise BatchFailed(f"{upload.key} in {upload.store} is not what was uploaded")


def _store(conn_id: str) -> Store:
    """A store, around the link."""
    return Store(StoreConnection.read(conn_id))


def _models(names: Iterable[str]) -> dict[str, Manifest]:
    """Published models, each by NAME/VERSION with its version's number."""
    manifests = [_manifest(name) for name in names]
    return {f"{manifest.name}/{manifest.version}": manifest for manifest in manifests}


def _file_of(model: str) -> str:
    """The key of a model's file; empty: there is no model."""
    if not model:
        return ""
    manifest = _manifest(model)
    return keys.version_key(manifest.name, manifest.version, manifest.files[0].path)


def _manifest(model: str) -> Manifest:
    name, _, version = model.partition("/")
    return Model(open_store(), name).version(version or "latest")


def _core() -> Any:
    from podline.operators.kubernetes.pod_gc import cluster

    return cluster()
