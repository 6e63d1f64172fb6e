"""Which versions a run of the DAG rolls out, and how."""

from types import SimpleNamespace
from typing import Any

from podline.assets import PUBLISHED, model_asset
from podline.fleet.rollout import Strategy
from podline.operators.edge_rollout import published, strategy
from tests.support.dags_test import load_dags


def event(model: Any, version: Any, run: str = "manual__1") -> Any:
    """One of Airflow's."""
    extra = {"model": model, "version": version}
    return SimpleNamespace(extra=extra, source_dag_id="household_power", source_run_id=run)


def test_the_newest_version_of_each_model() -> None:
    """A run may be started by several events; each is there by its asset and by the alias."""
    one, other, watch = event("power", 3), event("power", 4, "manual__2"), event("watch", 1)
    events = {
        model_asset("power"): [one, other],
        model_asset("watch"): [watch],
        PUBLISHED: [one, other, watch],
    }
    assert published(events) == [
        {
            "model": "power",
            "version": "4",
            "started_by": "by the event of run manual__2 of household_power",
        },
        {
            "model": "watch",
            "version": "1",
            "started_by": "by the event of run manual__1 of household_power",
        },
    ]


def test_an_event_of_somebody_else_says_no_version() -> None:
    assert published({PUBLISHED: [event(None, 3), event("power", "three")]}) == []


def test_the_dag_asks_for_what_is_usual(tmp_path: Any) -> None:
    dag = load_dags(tmp_path)["dags"]["edge_rollout"]
    assert dag["tasks"] == {"find_versions": [], "roll_out": ["find_versions"]}
    assert dag["tags"] == ["edge", "podline"]
    assert (dag["retries"], dag["max_active_runs"], dag["catchup"]) == (3, 1, False)
    usual = {name: param["value"] for name, param in dag["params"].items()}
    assert strategy(usual) == Strategy()
