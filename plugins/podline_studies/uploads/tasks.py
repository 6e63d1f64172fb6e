"""How the upload study makes a visit: the link set, the uploads made, read back, and removed."""

import logging
import os
import subprocess
import sys
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
from podline.store import Store, StoreConnection, keys, open_store
from podline_studies.dag_tasks import StudyTasks
from podline_studies.study import Session, Study
from podline_studies.uploads import batch, batch_pods
from podline_studies.uploads.batch import Target, Visited, VisitTask
from podline_studies.uploads.delay_link import LinkSpec, probe, topology
from podline_studies.uploads.design import Design, Visit, from_params
from podline_studies.uploads.kind import UPLOADS
from podline_studies.uploads.measurement import Measurement
from podline_studies.validation import DesignError

_log = logging.getLogger(__name__)

UploadStudy = Study[Design, Measurement]


class UploadTasks(StudyTasks[Design, Measurement]):
    """The tasks of the DAG `upload_benchmark`."""

    kind = UPLOADS

    def design(self, params: Mapping[str, Any]) -> Design:
        """Make the design; its stores answer, and its link lies."""
        names = [settings.store_conn_id(), *settings.stores()][:2]
        if len(names) < 2:
            raise DesignError(
                "there is one store, and two are compared: name an Airflow connection (type aws) "
                'of the other in [podline] stores, such as ["vm_store"]'
            )
        design = from_params(params, _models(params.get("models") or ()), names)
        for store in names:
            Store(_direct(store)).ensure_bucket()
        if topology.lying() is None and design.place != "pod":
            raise DesignError(
                "no delay link lies on this machine, and a process has none of its own: lay one, "
                "or give place = 'pod' in a cluster whose kernel has netem"
            )
        return design

    def warm_up(self, study: UploadStudy, design: Design, item: Visit, session: Session) -> None:
        """Make a small visit first: programs and images are read then."""
        if not study.is_warm(item.client, session.number):
            first = replace(item, size=100_000, model="", rtt=0.0, pairs=1)
            made = self._visit(study, first, session, 1, f"warm-up-{session.number}-{item.client}")
            study.add_warm_up(made, item.client)

    def measure(
        self, study: UploadStudy, item: Visit, session: Session, attempt: int
    ) -> Measurement:
        """Make a visit."""
        return self._visit(study, item, session, attempt, f"{item.index:04d}-{attempt}")

    def _visit(
        self, study: UploadStudy, item: Visit, session: Session, attempt: int, name: str
    ) -> Measurement:
        design, network = study.design(), topology.lying()
        spec = design.link(item)
        if network is not None:
            network.link.set(spec)
            network.link.stats()
        task = _task(study, design, item, name, network)
        stores = {name: Store(_direct(name)) for name in design.stores}
        began = round(time.time(), 3)
        blank = Measurement(
            visit=item, sitting=session.number, attempt=attempt, started=began, ended=began,
            uploads=(), before=None, after=None, link={}, busy=None, failure="",
        )  # fmt: skip
        try:
            visited = _make(study.name, design.place, task, None if network is not None else spec)
            stats = network.link.stats() if network is not None else {}
            probe.check(spec, visited.before)
            probe.check(spec, visited.after)
            _verify(visited, stores)
        except (PodlineError, subprocess.SubprocessError) as error:
            return replace(blank, failure=str(error))
        finally:
            _remove(task.prefix, stores)
        return replace(
            blank, uploads=visited.uploads, before=visited.before, after=visited.after,
            link=stats, busy=visited.busy, ended=round(time.time(), 3),
        )  # fmt: skip


TASKS = UploadTasks()


def _task(
    study: UploadStudy,
    design: Design,
    item: Visit,
    name: str,
    network: topology.DelayedNetwork | None,
) -> VisitTask:
    targets = []
    for store in design.stores:
        around = _direct(store).endpoint_url or ""
        through = network.url(store, around) if network is not None else around
        targets.append(Target(store, through, around))
    return VisitTask(
        targets=tuple(targets), client=item.client, size=item.size, model=_file_of(item.model),
        pairs=item.pairs, prefix=keys.join("uploads", study.name, name), around=True,
        sink=topology.SINK, seed=design.seed * 10_000 + item.index,
    )  # fmt: skip


def _make(study: str, place: str, task: VisitTask, link: LinkSpec | None) -> Visited:
    """Make a visit, by netem where a pod is to have a link of its own."""
    if place == "pod":
        batch_pods.clear(_core(), study, link)
    if link is None:
        return _run(study, place, task)
    with batch_pods.sinking(_core(), study) as sink:
        # All that such a pod sends takes the link; so what goes around it comes from another.
        around = _run(study, place, replace(task, sink=sink, pairs=0))
        over = _run(study, place, replace(task, sink=sink, around=False), link)
    return replace(over, uploads=around.uploads + over.uploads)


def _run(study: str, place: str, task: VisitTask, link: LinkSpec | None = None) -> Visited:
    """Run a visit in a pod or in a process of its own."""
    secrets = {
        name: value
        for target in task.targets
        for name, value in _direct(target.conn_id).to_env().items()
    }
    variables = {
        batch.VARIABLE: task.to_json(),
        "AIRFLOW__PODLINE__STORE_CONN_ID": settings.store_conn_id(),
    }
    if place == "pod":
        printed = batch_pods.run(_core(), study, variables, secrets, link)
    else:
        command = [sys.executable, "-m", "podline_studies.uploads.batch"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables | secrets
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise VisitFailed(f"the visit failed: {done.stderr.strip()[-1000:]}")
        printed = done.stdout
    for line in reversed(printed.splitlines()):
        if line.startswith(f"{batch.MARK} "):
            return Visited.from_json(line.removeprefix(f"{batch.MARK} "))
    raise VisitFailed(f"the visit left no result: {printed.strip()[-1000:]}")


class VisitFailed(PodlineError):
    """A visit came to nothing."""


def _verify(visited: Visited, stores: Mapping[str, Store]) -> None:
    """Read what was uploaded back, around the link."""
    with tempfile.TemporaryDirectory() as folder:
        for upload in visited.uploads:
            found = stores[upload.store].download(upload.key, Path(folder, "data"))
            if found != visited.sha256:
                raise VisitFailed(f"{upload.key} in {upload.store} is not what was uploaded")


def _remove(prefix: str, stores: Mapping[str, Store]) -> None:
    for store in stores.values():
        store.delete([item.key for item in store.list(prefix)])


def _direct(conn_id: str) -> StoreConnection:
    return StoreConnection.read(conn_id)


def _models(names: Iterable[str]) -> dict[str, Manifest]:
    """Published models, each by NAME/VERSION with its version's number."""
    found = {}
    for name in names:
        model, _, which = name.partition("/")
        manifest = Model(open_store(), model).version(which or "latest")
        found[f"{model}/{manifest.version}"] = manifest
    return found


def _file_of(model: str) -> str:
    """The key of a model's file; empty: there is no model."""
    if not model:
        return ""
    name, _, version = model.partition("/")
    manifest = Model(open_store(), name).version(version)
    return keys.version_key(name, manifest.version, manifest.files[0].path)


def _core() -> Any:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    hook = KubernetesHook(conn_id=settings.kubernetes_conn_id(), kubernetes_conn_id=None)
    return hook.core_v1_client
