"""Takes the pictures of docs/ anew: of runs, models and rollouts of a real Airflow on this machine.

Needs Chromium. The runs before the one that is shown are what it is compared with.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from podline.edge.registration import Registration
from podline.fleet.engine import roll_out
from podline.fleet.order import Order
from podline.fleet.records import read_fleet, read_rollouts
from podline.fleet.rollout import Strategy
from podline.models.registry import Model
from podline.store import Store, StoreConnection, seaweedfs
from tests.support.airflow_server import Airflow, running
from tests.support.browser import launched, log_in
from tests.support.dags_test import ROOT
from tests.support.edge import publish_line
from tests.support.fleet import fleet, publish_touchy
from tests.support.pages import page_of
from tests.support.waiting import until

DOCS = Path(__file__).parent
_DAG = "household_power"
_MAPPED = "meter_readings"
# The first run is of less data, so that two runs differ.
_RUNS: tuple[dict[str, int], ...] = ({"rows": 300_000}, {}, {}, {})
_SECONDS = 900.0  # that a run may take
_WIDE, _TALL = 1180, 2400  # of the window, of which a part is kept
_COLOURS = 128  # of a picture, which is a third as large by that
_STRATEGY = Strategy(observe=2.0, limit=60.0, patience=10.0, latency=20.0)
_MAPPED_FILE = """
import time
from airflow.sdk import dag, task

@dag(schedule=None)
def meter_readings():
    @task
    def meters():
        return list(range(12))

    @task(retries=1, retry_delay=0)
    def read(meter, ti=None):
        time.sleep(0.3 + meter % 5 / 4)
        if meter == 7 and ti.try_number == 1:
            raise ConnectionError("meter 7 does not answer")
        return meter

    @task
    def total(readings):
        return sum(readings)

    total(read.expand(meter=meters()))

meter_readings()
"""


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: of its file, without the ending.
        region: with whose end it ends, by its name.
    """

    name: str
    region: str

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return DOCS / f"{self.name}.png"


RUN = Picture("latency-page", "Totals by phase")
PICTURES = (
    RUN,
    Picture("pages/try", "Cells of the stage"),
    Picture("pages/failed-try", "Phases of the try"),
    Picture("pages/instances", "Waterfall of the run"),
    Picture("pages/all-dags", "DAGs with records"),
    Picture("pages/dag", "Runs of the DAG"),
    Picture("pages/two-runs", "Parameters of both runs"),
    Picture("pages/models", "Models"),
    Picture("pages/model", "Versions"),
    Picture("pages/version", "Origin"),
    Picture("pages/two-versions", "Metrics of the versions"),
    Picture("pages/fleet", "Nodes of the fleet"),
    Picture("pages/rollouts", "Rollouts"),
    Picture("pages/rollout", "Nodes of the rollout"),
)


def main() -> None:
    """Run, roll out, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with seaweedfs.running(home / "store") as connection:
            variables = connection.to_env() | {"AIRFLOW__CORE__DAGS_FOLDER": str(_dags(home))}
            with (
                running(home / "airflow", variables, _DAG, _MAPPED) as airflow,
                _rolled_out(connection, home) as store,
                launched() as browser,
            ):
                runs = [_run(airflow, _DAG, conf) for conf in _RUNS]
                mapped = _run(airflow, _MAPPED, {})
                _take(browser, airflow, _addresses(runs, mapped, store))


def _dags(home: Path) -> Path:
    """A folder with a DAG whose task is mapped, beside the notebooks'."""
    folder = home / "dags"
    folder.mkdir()
    (folder / "meter_readings.py").write_text(_MAPPED_FILE)
    notebooks = "notebook_pipelines_dag.py"
    (folder / notebooks).write_text((ROOT / "dags" / notebooks).read_text())
    return folder


def _run(airflow: Airflow, dag_id: str, conf: dict[str, int]) -> str:
    run_id = airflow.trigger(dag_id, conf)
    state = airflow.wait(dag_id, run_id, _SECONDS)
    if state != "success":
        raise SystemExit(f"the run {run_id} of {dag_id} ended as {state}")
    return run_id


@contextmanager
def _rolled_out(connection: StoreConnection, home: Path) -> Iterator[Store]:
    """Three edges with a version that was promoted, after one that fails was rolled back."""
    os.environ.update(connection.to_env())
    store = Store(connection)
    store.ensure_bucket()
    Model(store, "power").promote(publish_line(home, 1), "edge")
    with ExitStack() as stack:
        nodes = stack.enter_context(fleet(store, home / "nodes", "attic", "barn", "cellar"))
        until(lambda: nodes.versions() == [1, 1, 1])
        for version in (publish_touchy(home), publish_line(home, 1.01)):
            order = Order("power", version, "edge", nodes.targets(), "by hand: ada", _STRATEGY)
            with nodes.asked(1, 1, 1):
                roll_out(store, order, print)
        for node in nodes.targets():
            registration = Registration(store, node.address, nodes.servers[node.name].status)
            registration.start()
            stack.callback(registration.stop)
        until(lambda: len(read_fleet(store)) == len(nodes.servers))
        yield store


def _addresses(runs: list[str], mapped: str, store: Store) -> dict[str, str]:
    """Where each picture's page is, by the picture's name."""
    first, *_, before, last = runs
    rollout = read_rollouts(store)[0]
    models = "/plugin/podline-models?"
    edge = "/plugin/podline-edge?"
    return {
        RUN.name: page_of(dag=_DAG, run=last),
        "pages/try": page_of(dag=_DAG, run=last, task="train"),
        "pages/failed-try": page_of(
            dag=_MAPPED, run=mapped, task="read", index="7", try_number="1"
        ),
        "pages/instances": page_of(dag=_MAPPED, run=mapped, task="read"),
        "pages/all-dags": page_of(),
        "pages/dag": page_of(dag=_DAG, show="phases"),
        "pages/two-runs": page_of(dag=_DAG, a=first, b=before),
        "pages/models": models,
        "pages/model": f"{models}model={_DAG}",
        "pages/version": f"{models}model={_DAG}&version={len(runs)}",
        "pages/two-versions": f"{models}model={_DAG}&compare=1,{len(runs)}",
        "pages/fleet": edge,
        "pages/rollouts": f"{edge}view=rollouts",
        "pages/rollout": f"{edge}model=power&rollout={rollout.id}",
    }


def shrink(file: Path) -> None:
    """Write a picture anew with few colours, and say how large it is."""
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(
            _COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(file, optimize=True)
    print(f"{file}: {file.stat().st_size} bytes")


def _take(browser: Any, airflow: Airflow, addresses: dict[str, str]) -> None:
    """Keep each page, from its title to the end of its region."""
    size = {"width": _WIDE, "height": _TALL}
    context = browser.new_context(viewport=size, device_scale_factor=2)
    page = log_in(context, airflow.url, page_of(), "admin", airflow.password)
    for picture in PICTURES:
        page.goto(airflow.url + addresses[picture.name])
        region = page.get_by_role("region", name=picture.region, exact=True)
        region.wait_for()
        page.wait_for_load_state("networkidle")
        whole, end = page.locator("[data-podline]").bounding_box(), region.bounding_box()
        clip = {**whole, "height": end["y"] + end["height"] - whole["y"]}
        picture.file.parent.mkdir(exist_ok=True)
        page.screenshot(path=picture.file, clip=clip)
        shrink(picture.file)
    context.close()


if __name__ == "__main__":
    main()
