"""Published models as Airflow's assets: a DAG can start when one has a new version.

``schedule=[model_asset("household_power")]``; the event's extra has what `event` returns.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias

from podline.contract import PublishedVersion
from podline.models.manifest import Manifest
from podline.store import keys

if TYPE_CHECKING:
    from airflow.sdk import Context
    from pydantic import JsonValue

    from podline.store import Store

# What every task that runs a notebook may emit; which models it publishes, its cells say.
PUBLISHED = AssetAlias("podline-models", group="podline")


def model_asset(name: str) -> Asset:
    """The asset of a model."""
    return Asset(
        f"model-{name}", uri=f"x-podline://{keys.join(keys.MODELS, name)}", group="podline"
    )


def event(manifest: Manifest) -> dict[str, "JsonValue"]:
    """What the event of a new version says: the model, the version, and its manifest by hash."""
    return {
        "model": manifest.name,
        "version": manifest.version,
        "manifest": keys.manifest_key(manifest.name, manifest.version),
        "sha256": manifest.digest,
    }


def announce(
    published: Sequence[PublishedVersion], store: "Store", context: "Context", team: str = ""
) -> None:
    """Sign each version that a stage published, emit an asset event, and log it to MLflow.

    Args:
        published: what the stage says.
        store: where the versions are.
        context: Airflow's.
        team: whose stage it is: it may name no other's models, which its key cannot have published.

    Raises:
        RegistryError: it does.
    """
    from podline.models import mlflow_tracking, signing
    from podline.models.registry import Model, check_team

    for version in published:
        check_team(team, version.name)
    events = context["outlet_events"][PUBLISHED]
    for version in published:
        manifest = Model(store, version.name).version(version.number)
        signing.sign(store, manifest)
        events.add(model_asset(version.name), extra=event(manifest))
        mlflow_tracking.log(manifest, store)
