"""`make edge-demo`: the whole circle on one machine, on real data, with or without a cluster.

A forecaster learns from a house's summer and is served at an edge. The house's meter asks it into
the winter, sees its forecasts drift, and has the pipeline make a better one. With a cluster the
stages and the edges are pods of it.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from signal import SIGTERM

from podline import datasets, settings
from podline.airflow_api import Api, ApiError
from podline.exceptions import PodlineError
from podline.fleet import discovery
from podline.fleet.engine import roll_out
from podline.fleet.order import Order
from podline.fleet.rollout import Strategy
from podline.fleet.token import read_token
from podline.iot.demo_place import (
    ALIAS,
    PATIENCE,
    PODLINE,
    DemoError,
    Here,
    InCluster,
    Place,
    running,
    wait_for,
)
from podline.iot.journal import Event, Observation
from podline.iot.meter import NOTEBOOK as MODEL
from podline.iot.simulation import Kind, Options, simulate
from podline.models.registry import Model
from podline.signals import handled, unwind
from podline.store import Store

SUMMER_ENDS, WINTER_BEGINS = datetime(2009, 9, 1), datetime(2009, 12, 15)
# Two months to learn from, and three weeks to be judged by after as many to look back on.
SUMMER = {"until": f"{SUMMER_ENDS:%Y-%m-%d}", "held_out": 42, "rows": 62 * 24 * 60, "edge": "int8"}
# Whatever is known by then of the year before.
ANEW = {"until": "{time}", "held_out": 42, "rows": 365 * 24 * 60, "edge": "int8"}
THRESHOLD = 1.4
HOURS_A_SECOND = 100
# A canary is watched for some days of the meter's. It is the only node, so that it is compared with
# the version before in a milder season: it may be further off than usual.
CANARY = Strategy(observe=3.0, limit=60.0, latency=10.0, quality=2.0)


class Teller:
    """Says what happened, and after how many seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            print(f"{time.monotonic() - self._began:5.0f} s  {text}", flush=True)


def main(folder: Path, place: Place) -> None:
    """Run it.

    Args:
        folder: for all that it makes here: Airflow's home, logs and the page.
        place: where the rest runs.

    Raises:
        PodlineError: a step fails.
    """
    tell, page, journal = Teller(), folder / "report.html", folder / "observations.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    journal.unlink(missing_ok=True)
    os.environ["AIRFLOW__PODLINE__HOME"] = str(folder)
    with ExitStack() as stack:
        stack.enter_context(handled(unwind, SIGTERM))
        store = stack.enter_context(place.store())
        model = Model(store, MODEL)
        tell("the store runs; Airflow is starting")
        api = stack.enter_context(airflow(folder))
        tell(f"Airflow runs at {api.url}")
        datasets.put(store, MODEL)

        tell(f"the pipeline learns from two months before {SUMMER['until']}")
        train(api, SUMMER)
        number = model.version("latest").version
        tell(f"published {described(model, number)}")
        model.promote(number, ALIAS)
        urls = stack.enter_context(place.edges())
        for url in urls:
            tell(f"an edge at {url} serves version {number}")

        stack.enter_context(rolling_out(store, number, urls, tell))
        tell(f"the meter asks it, hour by hour, from {SUMMER_ENDS:%Y-%m-%d} on")
        seen: list[Observation] = []

        def note(record: Observation | Event) -> None:
            if isinstance(record, Observation):
                seen.append(record)
            else:
                tell(f"{record.time[:10]}: {record.text}")

        simulate(
            Options(
                Kind.METER,
                urls[0],
                first=SUMMER_ENDS,
                last=WINTER_BEGINS,
                speed=HOURS_A_SECOND * 3600.0,
                threshold=THRESHOLD,
                dag=MODEL,
                conf=ANEW,
                hold=PATIENCE,
                journal=journal,
                report=page,
            ),
            store,
            note,
        )
        for line in summary(seen):
            tell(line)
    print(f"\nAs plots: {page}\nWhat the meter saw: {journal}")


@contextmanager
def rolling_out(
    store: Store, served: int, urls: Sequence[str], tell: Callable[[str], None]
) -> Iterator[None]:
    """Roll each newer version out as it is published, as the DAG edge_rollout would, meanwhile.

    Args:
        store: where the versions are.
        served: the one that the edges have already.
        urls: their addresses.
        tell: says so.
    """
    ended, model, token = threading.Event(), Model(store, MODEL), read_token()

    def follow() -> None:
        last = served
        while not ended.wait(0.5):
            alias = model.aliases.get("latest")
            if alias and alias.version > last:
                last = alias.version
                tell(f"published {described(model, last)}")
                order = Order(MODEL, last, ALIAS, discovery.at(urls), "the demo", CANARY, token)
                tell(f"rolled out: {roll_out(store, order).decision}")

    thread = threading.Thread(target=follow, name="rollout", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def train(api: Api, conf: Mapping[str, object]) -> None:
    """Run the pipeline to its end, which must be a good one.

    Args:
        api: Airflow's.
        conf: the run's parameters.

    Raises:
        DemoError: it fails, or takes too long.
    """
    run = wait_for("the DAG", lambda: _started(api, conf))
    state = wait_for("the run", lambda: _ended(api, run))
    if state != "success":
        raise DemoError(
            f"the run {run} of {MODEL} failed: see its logs in {os.environ['AIRFLOW_HOME']}"
        )


def _started(api: Api, conf: Mapping[str, object]) -> str:
    with suppress(ApiError):  # Airflow has not read the DAG yet
        return api.start_run(MODEL, conf, "the demo's first")
    return ""


def _ended(api: Api, run: str) -> str:
    with suppress(ApiError):
        state = api.run_state(MODEL, run)
        return state if state in ("success", "failed") else ""
    return ""


def described(model: Model, number: int) -> str:
    """A version and its error, in words."""
    manifest = model.version(number)
    form = manifest.served[0]
    size = next(file.bytes for file in manifest.files if file.path == form.path) / 1000
    error = manifest.metrics["rmse_network"]
    return f"version {number}: {error:.3f} kW off in its evaluation, {size:.0f} kB as {form.name}"


def summary(seen: list[Observation]) -> Iterator[str]:
    """What came of it, in a line for each version."""
    for version in dict.fromkeys(one.version for one in seen if one.version):
        mine = [one for one in seen if one.version == version]
        errors = [one.error for one in mine if one.error is not None]
        if errors:
            without = mine[-1].baseline_error or 0.0
            yield (
                f"version {version} answered {len(mine):,} times: in its last week it was off by "
                f"{errors[-1]:.3f} kW, where persistence was by {without:.3f}"
            )


@contextmanager
def airflow(folder: Path) -> Iterator[Api]:
    """An Airflow of its own, as `podline up` runs it, on a port that is free.

    Args:
        folder: that its home and log are in.

    Raises:
        DemoError: it does not start.
    """
    port, home, log = _free_port(), folder / "airflow", folder / "airflow.log"
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    }
    with running(log, *PODLINE, "up") as said:
        wait_for(f"Airflow, whose log is {log}", lambda: "Ctrl-C stops it" in said())
        yield Api.open("", "admin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    try:
        where = (settings.home() / "edge-demo").absolute()
        main(where, InCluster(where) if sys.argv[1:] == ["--cluster"] else Here(where))
    except PodlineError as error:
        sys.exit(f"podline: error: {error}")
    except KeyboardInterrupt:
        sys.exit("podline: interrupted")
