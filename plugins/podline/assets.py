"""Published models as Airflow's assets: a DAG can start when one has a new version.

``schedule=[model_asset("household_power")]``; the event's extra has what `event` returns.
"""

from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias

from podline.models.manifest import Manifest
from podline.store import keys

if TYPE_CHECKING:
    from pydantic import JsonValue

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
