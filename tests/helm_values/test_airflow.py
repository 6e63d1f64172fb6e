"""The values for Airflow's official chart: known to it, and the same as the plain manifests."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from podline import __version__
from podline.local_airflow import ORPHANS_SOON, PATIENCE
from tests.support.image_pods import VALUES, manifests

CHART_VALUES = yaml.safe_load((VALUES / "airflow.yaml").read_text())
_SCHEMA = "PODLINE_CHART_SCHEMA"
# What the chart says by itself, and what a ConfigMap of variables need not.
_OF_THE_CHART = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE",
}
_OF_THE_IMAGE = {"AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__AUTH_MANAGER"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The chart's own schema of values."""
    if not (path := os.environ.get(_SCHEMA)):
        pytest.skip(f"needs the chart's values.schema.json: set {_SCHEMA} to its path")
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


def complaints(values: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """What is wrong with values by the schema, unknown names included."""
    found = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(values)]
    return [*found, *unknown(values, schema, schema)]


def unknown(values: dict[str, Any], part: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """The names that a part of the schema does not list, where it lists any."""
    if reference := part.get("$ref"):
        part = schema["definitions"][reference.rpartition("/")[2]]
    known = part.get("properties")
    if not known or isinstance(part.get("additionalProperties"), dict):
        return
    for name, value in values.items():
        if name not in known:
            yield f"unknown: {name}"
        elif isinstance(value, dict):
            yield from unknown(value, known[name], schema)


def test_the_chart_knows_all_values(schema: dict[str, Any]) -> None:
    assert complaints(CHART_VALUES, schema) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"exekutor": "LocalExecutor"}, "unknown: exekutor"),
        ({"scheduler": {"replica": 2}}, "'replica' was unexpected"),
        ({"apiServer": {"livenessProbe": {"command": ["true"]}}}, "unknown: command"),
        ({"uid": "10001"}, "is not of type 'integer'"),
    ],
)
def test_a_value_that_it_does_not_know(
    values: dict[str, Any], said: str, schema: dict[str, Any]
) -> None:
    assert said in "\n".join(complaints(values, schema))


def test_plain_manifests_have_the_same_settings() -> None:
    (plain,) = (m["data"] for m in manifests("airflow-plain.yaml") if "settings" in name_of(m))
    chart = {
        f"AIRFLOW__{section}__{name}".upper(): str(value)
        for section, options in CHART_VALUES["config"].items()
        for name, value in options.items()
    }
    assert {name: value for name, value in plain.items() if name not in _OF_THE_CHART} == {
        name: value for name, value in chart.items() if name not in _OF_THE_IMAGE
    }
    assert plain["AIRFLOW__CORE__EXECUTOR"] == CHART_VALUES["executor"]


def test_a_cluster_bears_a_part_that_is_away_as_a_machine_of_ones_own_does() -> None:
    (plain,) = (m["data"] for m in manifests("airflow-plain.yaml") if "settings" in name_of(m))
    assert plain.items() >= (PATIENCE | ORPHANS_SOON).items()


def name_of(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["name"])


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"].get("template", {}).get("spec", {})
    return list(spec.get("containers", ()))


def test_tasks_get_no_key_and_no_database() -> None:
    (template,) = (
        yaml.safe_load(m["data"]["pod_template.yaml"])
        for m in manifests("airflow-plain.yaml")
        if "template" in name_of(m)
    )
    for text in (yaml.safe_dump(template), CHART_VALUES["podTemplate"]):
        assert "airflow-keys" not in text
        assert "airflow-store" in text


@pytest.mark.parametrize("name", ["airflow-plain.yaml", "airflow-migration.yaml", "postgres.yaml"])
def test_the_images_are_this_versions(name: str) -> None:
    images = [c["image"] for m in manifests(name) if "spec" in m for c in containers(m)]
    assert images
    assert {image.rpartition(":")[2] for image in images} == {__version__}
    assert CHART_VALUES["images"]["airflow"]["tag"] == __version__


@pytest.mark.parametrize(
    "name",
    [
        "airflow-namespace.yaml",
        "airflow-rbac.yaml",
        "airflow-executor-rbac.yaml",
        "airflow-migration.yaml",
        "airflow-plain.yaml",
        "edge.yaml",
        "network-policies.yaml",
        "object-store.yaml",
        "object-store-distributed-network.yaml",
        "postgres.yaml",
        "team.yaml",
    ],
)
@pytest.mark.cluster
def test_the_cluster_takes_the_manifests(name: str, namespace: str) -> None:
    options = [] if name == "airflow-namespace.yaml" else ["--namespace", namespace]
    warned = dry_run((VALUES / name).read_text(), *options)
    assert "Warning" not in warned  # of Pod Security's


def dry_run(text: str, *options: str) -> str:
    """Have the cluster's API server look manifests over; returns its warnings."""
    command = ["kubectl", "apply", "--dry-run=server", "-f", "-", *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_cluster_takes_what_the_chart_makes_of_them(core: Any, namespace: str) -> None:
    chart = os.environ.get("PODLINE_CHART")
    if not chart or not shutil.which("helm"):
        pytest.skip("needs helm and the official chart: set PODLINE_CHART to its name or folder")
    command = ["helm", "template", "airflow", chart, "--namespace", namespace]
    done = subprocess.run(
        [*command, "--values", str(VALUES / "airflow.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in dry_run(done.stdout, "--namespace", namespace)
    kinds = [m["kind"] for m in yaml.safe_load_all(done.stdout) if m]
    assert "Deployment" in kinds
    assert "Role" not in kinds
