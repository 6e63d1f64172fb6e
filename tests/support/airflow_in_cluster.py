"""An Airflow in a cluster, as `make up-kubernetes` makes it."""

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.airflow_server import Airflow
from tests.support.dags_test import ROOT
from tests.support.namespaces import own_namespace

DAG = "household_power"
STAGES = ["ingest", "preprocess", "train", "evaluate", "publish"]
SMALL = {"rows": 20_000, "model_size": 1_000, "steps": 20}


class Cluster(NamedTuple):
    """An Airflow in the cluster, and the namespaces of its own parts and of its stages."""

    airflow: Airflow
    own: str
    stages: str

    def told(self, run_id: str) -> str:
        """What the tasks of a run of household_power say at their ends."""
        return "\n".join(
            f"{name} {task['state']}: {self.airflow.log_text(DAG, run_id, name)[-1500:]}"
            for name, task in self.airflow.tasks(DAG, run_id).items()
        )


@contextmanager
def up(core: Any) -> Iterator[Cluster]:
    """Have `make up-kubernetes` make it, in namespaces of the test's own."""
    with own_namespace(core, "airflow-test") as own, own_namespace(core) as stages:
        make_up(own, stages)
        keys = core.read_namespaced_secret("airflow-keys", own).data
        password = json.loads(b64decode(keys["passwords"]))["admin"]
        address = core.read_namespaced_service("airflow-api-server", own).spec.cluster_ip
        airflow = Airflow(f"http://{address}:8080", password, {})
        airflow.wait_for_dag(DAG)
        yield Cluster(airflow, own, stages)


def make_up(own: str, stages: str, *settings: str, folder: Path = ROOT) -> None:
    """Run `make up-kubernetes`.

    Args:
        own, stages: the namespaces of Airflow's parts and of the stages.
        settings: make's, besides, such as an `IMAGE_PREFIX=`.
        folder: with the makefile and the manifests.
    """
    # Nothing is installed: this test runs from what is.
    command = ["make", "--old-file=.venv/.installed", "up-kubernetes"]
    command += [f"AIRFLOW_NAMESPACE={own}", f"NAMESPACE={stages}", *settings]
    command += [f"CHART={os.environ.get('PODLINE_CHART', '')}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
