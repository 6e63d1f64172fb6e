"""An upgrade of Airflow in a cluster in the middle of a run loses nothing: `make test-upgrade`."""

import os
import subprocess

import pytest

from tests.support.airflow_in_cluster import DAG, SMALL, STAGES, Cluster
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "PODLINE_UPGRADE" not in os.environ, reason="takes minutes: `make test-upgrade` runs it"
    ),
    pytest.mark.timeout(1800),
]

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")


def test_all_parts_are_replaced_while_a_stage_runs(there: Cluster) -> None:
    run_id = there.airflow.trigger(DAG, SMALL)

    def state(name: str) -> str:
        return str(there.airflow.tasks(DAG, run_id).get(name, {}).get("state"))

    until(lambda: state("ingest") in ("running", "success"), 300)
    kubectl = ["kubectl", "--namespace", there.own]
    parts = [f"deployment/airflow-{part}" for part in PARTS]
    subprocess.run([*kubectl, "set", "env", *parts, "UPGRADED=1"], check=True)
    for part in parts:
        subprocess.run([*kubectl, "rollout", "status", part, "--timeout=600s"], check=True)
    assert end(there, run_id) == "success", there.told(run_id)
    assert {name: state(name) for name in STAGES} == dict.fromkeys(STAGES, "success")


def end(there: Cluster, run_id: str) -> str:
    """Wait for a run's end over an API server that is replaced meanwhile; returns its state."""

    def ended() -> str | None:
        try:
            return there.airflow.wait(DAG, run_id, 5)
        except (OSError, RuntimeError):  # TimeoutError too
            return None

    return str(until(ended, 600))
