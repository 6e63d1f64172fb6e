"""The tasks of the DAG that rolls versions out to edges: which versions, and one rollout each."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from podline.exceptions import PodlineError
from podline.fleet.discovery import labelled, registered
from podline.fleet.engine import roll_out
from podline.fleet.member import Target
from podline.fleet.order import Order
from podline.fleet.rollout import Strategy
from podline.fleet.token import read_token
from podline.store import Store, open_store

_log = logging.getLogger(__name__)


class Wanted(TypedDict):
    """A version that is to be rolled out: of a model, a number or an alias, and who asks."""

    model: str
    version: str
    started_by: str


def find_versions() -> list[Wanted]:
    """The versions whose events started this run, or else the one that its parameters name.

    Raises:
        AirflowFailException: the run was started by hand, and names no model.
    """
    from airflow.sdk import get_current_context
    from airflow.sdk.exceptions import AirflowFailException

    context = get_current_context()
    params, found = context["params"], published(context.get("triggering_asset_events") or {})
    if found:
        return found
    if not params["model"]:
        raise AirflowFailException(
            "the parameter `model` is empty: give the name of the model that is to be rolled out"
        )
    by = f"by hand: run {context['run_id']}"
    return [Wanted(model=params["model"], version=str(params["version"]), started_by=by)]


def published(events: Mapping[Any, Iterable[Any]]) -> list[Wanted]:
    """The newest version of each model of which there are events.

    Args:
        events: Airflow's, by asset and by alias: of each event, `extra` is `podline.assets.event`.
    """
    newest: dict[str, tuple[int, str]] = {}
    for event in (event for some in events.values() for event in some):
        model, version = event.extra.get("model"), event.extra.get("version")
        if isinstance(model, str) and isinstance(version, int):
            by = f"by the event of run {event.source_run_id} of {event.source_dag_id}"
            newest[model] = max(newest.get(model, (0, "")), (version, by))
    return [
        Wanted(model=model, version=str(version), started_by=by)
        for model, (version, by) in sorted(newest.items())
    ]


def roll_out_version(wanted: Wanted) -> str:
    """Roll a version out; returns what was decided.

    Args:
        wanted: the version.

    Raises:
        AirflowSkipException: no node serves the model.
        AirflowFailException: it was rolled back, or cannot be rolled out.
        PodlineError: something that may pass is in the way, such as another rollout.
    """
    from airflow.sdk import get_current_context
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    params = get_current_context()["params"]
    store = open_store()
    try:
        targets = _targets(store, wanted["model"], params["label"])
        if not targets:
            raise AirflowSkipException(f"no node serves {wanted['model']}: there is none to tell")
        order = Order(
            wanted["model"],
            wanted["version"],
            params["alias"],
            targets,
            wanted["started_by"],
            strategy(params),
            read_token(),
        )
        record = roll_out(store, order, _log.info)
    except PodlineError as error:
        if not error.final:
            raise
        raise AirflowFailException(str(error)) from None
    if record.state != "promoted":
        raise AirflowFailException(f"{record.id} is {record.state}: {record.decision}")
    return record.decision


def strategy(params: Mapping[str, Any]) -> Strategy:
    """The strategy that a run's parameters ask for."""
    return Strategy(
        canaries=tuple(map(str, params["canaries"])),
        observe=float(params["observe"]),
        limit=float(params["limit"]),
        requests=int(params["requests"]),
        errors=float(params["errors"]),
        latency=float(params["latency"]),
        quality=float(params["quality"]),
        parallel=int(params["parallel"]),
        patience=float(params["patience"]),
    )


def _targets(store: Store, model: str, label: str) -> list[Target]:
    return labelled(label) if label else registered(store, model)
