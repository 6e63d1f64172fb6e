"""Published versions in MLflow as well: parameters, metrics and where the model is."""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from podline import settings
from podline.contract import PublishedVersion
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.store import Store, keys

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST = 6000  # characters of a parameter that MLflow takes
_BATCH = 100  # parameters that it takes at once

_log = logging.getLogger(__name__)


def log(manifest: Manifest, store: Store) -> None:
    """Log a version, where a tracking server is set. Its absence is no reason to fail.

    The run is in the experiment of the notebook, and the model's version in MLflow's registry
    refers to the files in our store.

    Args:
        manifest: the version.
        store: where its files are.
    """
    uri = settings.mlflow_tracking_uri()
    if not uri:
        return
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        _log.warning("MLflow at %s is not told of %s: pip install mlflow-skinny", uri, manifest)
        return
    try:
        _log_to(MlflowClient(tracking_uri=uri, registry_uri=uri), manifest, store)
    except MlflowException as error:
        _log.warning("MLflow at %s was not told of %s: %s", uri, manifest, error)


def log_published(published: Iterable[PublishedVersion], store: Store) -> None:
    """Log what a stage published; see `log`.

    Args:
        published: what its result says.
        store: where the versions are.
    """
    if settings.mlflow_tracking_uri():
        for version in published:
            log(Model(store, version.name).version(version.number), store)


def _log_to(client: "MlflowClient", manifest: Manifest, store: Store) -> None:
    from mlflow.entities import Metric, Param

    lineage = manifest.origin
    tags = {
        "podline.model": manifest.name,
        "podline.version": str(manifest.version),
        "podline.dag": lineage.dag_id,
        "podline.run": lineage.run_id,
        "podline.task": lineage.task_id,
        "podline.notebook_sha256": lineage.notebook_sha256,
    }
    run = client.create_run(
        _experiment(client, lineage.notebook or manifest.name),
        run_name=lineage.run_id or str(manifest),
        tags={name: value for name, value in tags.items() if value},
    )
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in manifest.metrics.items()]
    parameters = [Param(name, _short(value)) for name, value in manifest.parameters.items()]
    for first in range(0, max(len(metrics), len(parameters)), _BATCH):
        part = slice(first, first + _BATCH)
        client.log_batch(run.info.run_id, metrics=metrics[part], params=parameters[part])
    client.set_terminated(run.info.run_id)
    _register(client, manifest, store, run.info.run_id)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _experiment(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:  # someone else was faster
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _register(client: "MlflowClient", manifest: Manifest, store: Store, run_id: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(manifest.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    folder = keys.join(keys.MODELS, manifest.name, "versions", manifest.version)
    client.create_model_version(
        manifest.name,
        source=f"s3://{store.connection.bucket}/{folder}",
        run_id=run_id,
        tags={"podline.version": str(manifest.version)},
    )
