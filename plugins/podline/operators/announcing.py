"""Tells Airflow, and MLflow where it is set, which versions of models a stage published."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from podline.assets import PUBLISHED, event, model_asset
from podline.contract import PublishedVersion
from podline.models import tracking
from podline.models.registry import Model

if TYPE_CHECKING:
    from airflow.sdk import Context

    from podline.store import Store


def announce(published: Sequence[PublishedVersion], store: "Store", context: "Context") -> None:
    """Emit an asset event for each version, and log it to MLflow.

    Args:
        published: what the stage says.
        store: where the versions are.
        context: Airflow's.
    """
    events = context["outlet_events"][PUBLISHED]
    for version in published:
        manifest = Model(store, version.name).version(version.number)
        events.add(model_asset(version.name), extra=event(manifest))
        tracking.log(manifest, store)
