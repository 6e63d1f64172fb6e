"""What make's targets for a cluster send there. They are run for real by tests/cluster."""

import subprocess
from typing import Any

import pytest
import yaml

from tests.support.image_pods import ROOT

NAMES = ("NAMESPACE=space", "AIRFLOW_NAMESPACE=flow")
PARTS = ["airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"]


def make(*words: str) -> str:
    """What make says, of the makefile of this repository."""
    command = ["make", "--silent", "--old-file=.venv/.installed", *NAMES, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(target: str, *words: str) -> str:
    """The commands of a target, and of those that it needs."""
    return make("--dry-run", target, *words).replace("\\\n", " ")


def plain(*words: str) -> list[dict[str, Any]]:
    """Airflow's manifests as `make up-kubernetes` applies them."""
    return list(yaml.safe_load_all(make("--eval=plain: ; @$(AIRFLOW_PLAIN)", "plain", *words)))


def settings_of(manifests: list[dict[str, Any]]) -> dict[str, str]:
    """What Airflow's parts say of the settings that they have started with."""
    return {
        m["metadata"]["name"]: m["spec"]["template"]["metadata"]["annotations"][
            "podline.dev/settings"
        ]
        for m in manifests
        if m["kind"] == "Deployment"
    }


def test_changed_settings_start_all_parts_anew() -> None:
    before = settings_of(plain())
    assert sorted(before) == sorted(PARTS)
    assert len({*before.values()}) == 1
    assert settings_of(plain()) == before  # and nothing else does
    after = settings_of(plain("IMAGE_PREFIX=registry.example.com/"))
    assert all(after[part] != before[part] for part in PARTS)


@pytest.mark.parametrize(
    "target", ["cluster-store", "cluster-edge", "cluster-demo", "cluster-edge-demo"]
)
def test_all_of_it_is_in_the_namespace_that_is_named(target: str) -> None:
    said = commands(target)
    assert " --namespace space" in said
    assert "--namespace podline" not in said
    for command in said.splitlines():
        if "store env --cluster" in command:
            assert "--namespace space" in command
            assert "AIRFLOW__PODLINE__NAMESPACE=space" in command


@pytest.mark.parametrize("chart", ["", "a/chart"])
def test_it_ends_when_the_dag_can_be_triggered(chart: str) -> None:
    lines = commands("up-kubernetes", f"CHART={chart}").splitlines()
    (known,) = [i for i, line in enumerate(lines) if "airflow dags details household_power" in line]
    begun = "helm upgrade" if chart else "rollout status deployment/airflow-"
    (brought_up,) = [i for i, line in enumerate(lines) if begun in line]
    assert brought_up < known
    (edges,) = [i for i, line in enumerate(lines) if "podline models show " in line]
    assert known < edges
    assert "--namespace space rollout status deployment/edge " in lines[edges]


def test_a_second_upgrade_meets_no_job_of_the_first() -> None:
    lines = commands("up-kubernetes", "CHART=a/chart").splitlines()
    (upgrade,) = [i for i, line in enumerate(lines) if "helm upgrade" in line]
    assert "delete job airflow-run-airflow-migrations --ignore-not-found" in lines[upgrade - 1]
    assert "--namespace flow" in lines[upgrade - 1]
