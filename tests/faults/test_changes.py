"""What an operator changes while a run goes on: the store's keys, and podline itself."""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from podline import settings
from podline.store import Store, seaweedfs
from tests.support.airflow_parts import PARTS
from tests.support.fault_list import ADOPTED, ROTATED, UPGRADED
from tests.support.fault_table import publish
from tests.support.faults import CELLS, RESULT, Scene
from tests.support.image_pods import REGISTRY
from tests.support.notebooks import write_notebook
from tests.support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def restart_airflow(scene: Scene, variables: Mapping[str, str]) -> None:
    """Kill all of Airflow's parts, and start them with other variables."""
    for part in PARTS:
        scene.parts.kill(part)
    scene.parts.set(variables)
    for part in PARTS:
        scene.parts.start(part)
    scene.parts.client()


@contextmanager
def other_keys(folder: Path) -> Iterator[None]:
    """Have the store's server ask for other keys, and in the end for those that it had."""
    path = folder / "server.json"
    before = path.read_text()
    ours = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}

    def start(text: str) -> None:
        seaweedfs.stop(folder)
        path.write_text(text)
        seaweedfs.start(folder)

    start(json.dumps(json.loads(before) | ours))
    try:
        yield
    finally:
        start(before)


def test_keys_of_the_store_that_are_changed(fresh: Scene, request: pytest.FixtureRequest) -> None:
    before = fresh.store.connection
    fresh.begin(second=10)
    with other_keys(fresh.store_folder):
        injected = time.time()
        assert fresh.end() == "failed"
        (first, *_) = fresh.sentences(injected)
        assert "does not allow this" in first.text
        now = seaweedfs.connection(fresh.store_folder)
        restart_airflow(fresh, now.to_env())
        fresh.airflow.clear(fresh.dag_id, fresh.run_id, "change", downstream=True)
        until(lambda: fresh.end() == "success", 180)
        there = replace(fresh, store=Store(now))
        assert there.returned("look")["metrics"] == RESULT
        assert len(there.results("make")) == 1
    restart_airflow(fresh, before.to_env())
    publish(ROTATED, fresh.namespace, first, injected, request)


def test_an_upgrade(fresh: Scene, fault_folder: Path, request: pytest.FixtureRequest) -> None:
    fresh.dag_id = "three_upgraded"
    image = REGISTRY + settings.image("base")  # a new version has another name, too
    fresh.begin()
    injected = time.time()
    cells = {tag: source.replace("{seconds}", "1") for tag, source in CELLS.items()}
    cells["step:look"] = "result = -1"
    write_notebook(fault_folder, fresh.dag_id, cells, retries=3)
    restart_airflow(fresh, {"AIRFLOW__PODLINE__IMAGE_BASE": image})
    assert fresh.end() == "success"
    assert fresh.returned("look")["metrics"] == RESULT
    assert len(fresh.results("change")) == 1
    assert fresh.record("look")["image"] == image
    told = fresh.sentences(injected)
    assert any(ADOPTED in one.text for one in told), told
    publish(UPGRADED, fresh.namespace, told[0], injected, request)
