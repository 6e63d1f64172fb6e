"""Two teams on one store, by the files and commands of docs/kubernetes.md, with stages as pods."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from podline.models.registry import Model
from podline.store import Store
from tests.support.code_blocks import DOCS, blocks
from tests.support.dags_test import dags_test, environment
from tests.support.image_pods import VALUES
from tests.support.namespaces import Gate, own_namespace
from tests.support.notebooks import write_notebook
from tests.support.store_in_cluster import have_store
from tests.support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.xdist_group("teams"),
    pytest.mark.timeout(400),
]

_DAG_FILE = next(one.code for one in blocks(DOCS / "kubernetes.md") if "VISION = Team(" in one.code)
_LEARN = """
from sklearn.linear_model import LinearRegression

model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
"""
# What a stage of a team may try with the key that it has.
_INTRUDE = """
from podline.store import AccessDenied, open_store

store, told = open_store(), []
for what, attempt in {{
    "read": lambda: store.get("runs/{other}.power/theirs"),
    "list": lambda: list(store.list("models/{other}.power")),
    "overwrite": lambda: store.put("runs/{other}.power/theirs", b"ours"),
}}.items():
    try:
        attempt()
    except AccessDenied:
        told.append(what)
print("denied:", *told)
"""


class Teams(NamedTuple):
    """Two teams, whose namespaces are called as they, and the store with the key of all."""

    store: Store
    own: str
    other: str


@pytest.fixture(scope="module")
def store(core: Any) -> Iterator[tuple[Store, str]]:
    """The store as a service of the cluster, and its namespace."""
    with own_namespace(core) as name:
        yield Store(have_store(core, name)), name


@pytest.fixture(scope="module")
def teams(core: Any, store: tuple[Store, str]) -> Iterator[Teams]:
    """Made by what the head of helm-values/team.yaml says."""
    names = [f"{name}-{secrets.token_hex(3)}" for name in ("vision", "forecasts")]
    try:
        for name in names:
            for file in ("team.yaml", "airflow-rbac.yaml", "network-policies.yaml"):
                text = (VALUES / file).read_text()
                _apply(name, text.replace("name: vision", f"name: {name}"))
            _apply(name, _new_key(store[1], name))
        yield Teams(store[0], *names)
    finally:
        for name in names:
            core.delete_namespace(name)


def _new_key(namespace: str, team: str, *more: str) -> str:
    """By the command that the documentation names; returns what it said."""
    command = [sys.executable, "-m", "podline.cli", "store", "secrets"]
    command += ["--namespace", namespace, "--team", team, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr if done.returncode else done.stdout


def _apply(namespace: str, text: str) -> None:
    """As `kubectl apply` does."""
    command = ["kubectl", "apply", "--namespace", namespace, "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def airflow(
    teams: Teams, airflow_home: Path, module_gate: Gate, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of an Airflow whose DAGs are the teams'."""
    dags = tmp_path_factory.mktemp("bundle")
    for name, other in ((teams.own, teams.other), (teams.other, teams.own)):
        folder = dags / name
        (folder / "notebooks").mkdir(parents=True)
        file = _DAG_FILE.replace('Team(\n    "vision"', f'Team(\n    "{name}"')
        assert file != _DAG_FILE
        (folder / "dags.py").write_text(file)
        publish = 'podline.publish(model, "{}.power", formats=["skops"])'
        notebooks = {
            "power": {
                "step:learn": module_gate.wait + _LEARN,
                "step:publish": f"import podline\n{publish.format(name)}",
            },
            "intruder": {"step:intrude": _INTRUDE.format(other=other)},
            "impostor": {
                "step:learn": _LEARN,
                "step:publish": f"import podline\n{publish.format(other)}",
            },
        }
        for notebook, cells in notebooks.items():
            write_notebook(folder / "notebooks", notebook, cells)
    return {
        **environment(airflow_home),
        **teams.store.connection.to_env(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__PODLINE__BACKEND": "kubernetes",
        "AIRFLOW__PODLINE__TEAM_NAMESPACES": json.dumps([teams.own, teams.other]),
    }


def test_a_teams_stages_run_by_its_own_means(
    teams: Teams, airflow: dict[str, str], core: Any, module_gate: Gate
) -> None:
    dag_id = f"{teams.own}.power"
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(dags_test, dag_id, airflow, {})
        try:
            (pod,) = until(lambda: core.list_namespaced_pod(teams.own).items, 180)
            used = until(lambda: _used(core, teams.own), 60)
        finally:
            module_gate.open()
        code, said = run.result()
    assert code == 0, said[-4000:]
    assert pod.spec.service_account_name == "stages"
    (container,) = pod.spec.containers
    assert container.resources.requests["cpu"] == "500m"
    assert container.resources.limits["memory"] == "8Gi"
    assert used["requests.cpu"] == "500m"
    assert Model(teams.store, dag_id).version("latest").origin.dag_id == dag_id


def _used(core: Any, namespace: str) -> dict[str, str]:
    """What the quota has counted, once it has counted a pod."""
    used = dict(core.read_namespaced_resource_quota("stages", namespace).status.used or {})
    return used if used.get("pods") == "1" else {}


def test_a_teams_stage_reaches_nothing_of_anothers(
    teams: Teams, airflow: dict[str, str], module_gate: Gate
) -> None:
    theirs = f"runs/{teams.other}.power/theirs"
    teams.store.put(theirs, b"theirs")
    code, said = dags_test(f"{teams.own}.intruder", airflow, {})
    assert code == 0, said[-4000:]
    assert "denied: read list overwrite" in said
    assert bytes(teams.store.get(theirs)) == b"theirs"


def test_a_teams_key_takes_the_place_of_no_others(store: tuple[Store, str], teams: Teams) -> None:
    said = _new_key(store[1], teams.other, "--copy-to", teams.own)
    assert f"The namespace '{teams.own}' has the key of the team '{teams.own}'" in said
    assert json.loads(_new_key(store[1], "a-third-one"))["kind"] == "List"


def test_a_team_publishes_no_model_of_anothers(teams: Teams, airflow: dict[str, str]) -> None:
    code, said = dags_test(f"{teams.own}.impostor", airflow, {})
    assert code != 0
    assert f"{teams.other}.power" in said
    assert not list(teams.store.list(f"models/{teams.other}.power"))
