"""What recording costs a try, and what showing a run of a thousand tries costs its reader.

- *begin*: what the listener adds to a try's duration; *end*: what it does after the try's end is
  recorded. Each for a plain task, a stage as a process and, where KUBECONFIG names a cluster with
  the images and the store, a stage as a pod, under Airflow's scheduler.
- *api*: a request for a run of 1,000 tries with 10 phases and more.
- *painted*: in Chromium, from that answer to the painted waterfall.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import cluster
from benchmarks.report import asked, goal, print_last_line, summary
from benchmarks.runs import trigger
from podline.store import StoreConnection, seaweedfs
from tests.support.airflow_server import Airflow, running
from tests.support.notebooks import code_cell, notebook_text
from tests.support.records import MANY, Server, serving
from tests.support.waiting import until

BEGIN, END, API, PAINTED = 0.001, 0.040, 0.100, 0.200  # seconds, the goals
POD = "pod"
# What is recorded: its DAG, its task, and where that runs.
_KINDS = {
    "plain": ("plain", "nothing", {}),
    "process": ("stage", "one", {"backend": "process"}),
    POD: ("stage", "one", {"backend": "kubernetes"}),
}

# Each task's process reads this file: it times the recorder there, and logs what it found.
_DAG = """
import logging
import time
from pathlib import Path

from airflow.sdk import dag, task

from podline.latency import recorder
from podline.operators.dag_factory import notebook_dags

def timed(name):
    function = getattr(recorder, name)
    def call(*arguments):
        start = time.perf_counter()
        function(*arguments)
        seconds = time.perf_counter() - start
        logging.getLogger("bench").warning("recorder %s %.6f", name, seconds)
    setattr(recorder, name, call)

timed("begin")
timed("end")

@dag(schedule=None)
def plain():
    @task
    def nothing():
        pass
    nothing()

plain()
for one in notebook_dags(Path(__file__).parent):
    globals()[one.dag_id] = one
"""
_PAINTED = """
new MutationObserver(() => {
  if (window.painted || !document.querySelector('[aria-label="Waterfall of the run"] svg path')) {
    return;
  }
  window.painted = -1;
  requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = performance.now(); }));
}).observe(document, { subtree: true, childList: true });
"""
_ANSWERED = """
performance.getEntriesByType("resource").filter(e => e.name.includes("/podline/api/"))
  .at(-1).responseEnd
"""


def recorder_seconds(
    n: int, folder: Path, kinds: Iterable[str], variables: Mapping[str, str]
) -> dict[str, list[float]]:
    """Run a task of each kind `n` times in turn; returns what the recorder took in each.

    Args:
        n: how often; a first time is not counted.
        folder: an empty one.
        kinds: of `_KINDS`.
        variables: what Airflow's environment needs for them.
    """
    dags = folder / "dags"
    dags.mkdir()
    (dags / "plain.py").write_text(_DAG)
    (dags / "stage.ipynb").write_text(notebook_text([code_cell("x = 1", "step:one")]))
    given = {**variables, "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    found: dict[str, list[float]] = {}
    with running(folder / "airflow", given, "plain", "stage") as airflow:
        for number in range(n + 1):
            for kind in kinds:
                dag_id, task_id, conf = _KINDS[kind]
                run_id = trigger(airflow, dag_id, conf=conf)
                taken = _logged(airflow, dag_id, run_id, task_id)
                for name, seconds in taken.items() if number else ():
                    found.setdefault(f"{kind}_{name}", []).append(seconds)
    return found


def _logged(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> dict[str, float]:
    def told() -> dict[str, float] | None:
        lines = [str(line.get("event")) for line in airflow.log(dag_id, run_id, task_id)]
        found = [m for line in lines if (m := re.fullmatch(r"recorder (\w+) ([\d.]+)", line))]
        return {match[1]: float(match[2]) for match in found} if len(found) == 2 else None

    taken: dict[str, float] = until(told, 30)
    return taken


def api_seconds(server: Server, n: int) -> list[float]:
    """Ask `n` times for the large run; the first answer is not counted."""
    path, token = server.run_path("plain") + "?limit=5000", server.token("admin")
    taken = []
    for _ in range(n + 1):
        start = time.perf_counter()
        answer = server.ask(path, None, Authorization=f"Bearer {token}")
        taken.append(time.perf_counter() - start)
        assert answer.status == 200
    return taken[1:]


def painted_seconds(server: Server, n: int) -> list[float]:
    """Open the large run `n` times; from its answer to the painted waterfall."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("this needs Chromium: apt-get install chromium")
    tab = f"/dags/plain/runs/{quote(server.runs['plain'], safe='')}/plugin/podline-run"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        token = {"name": "_token", "value": server.token("admin"), "url": server.url}
        context.add_cookies([token])  # type: ignore[list-item]
        context.add_init_script(_PAINTED)
        taken = [_painted(context.new_page(), server.url + tab) for _ in range(n + 1)]
        browser.close()
    return taken[1:]


def _painted(page: Any, url: str) -> float:
    page.goto(url)
    page.wait_for_function("window.painted > 0", timeout=60_000)
    seconds = float(page.evaluate("window.painted") - page.evaluate(_ANSWERED)) / 1000
    page.close()
    return seconds


@contextmanager
def _kinds(store: StoreConnection) -> Iterator[tuple[list[str], dict[str, str]]]:
    """What can be recorded here, and what Airflow's environment needs for it."""
    if os.environ.get("KUBECONFIG"):
        with cluster.opened() as there:
            yield list(_KINDS), there.variables
    else:
        print("no pods are measured: KUBECONFIG is not set")
        yield [kind for kind in _KINDS if kind != POD], store.to_env()


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 12, "samples of each")
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name, seaweedfs.running(Path(name) / "store") as store:
        found = _all(n, Path(name), store)
    for part, seconds in found.items():
        print(f"{part:14} {summary(seconds)['median'] * 1000:7.2f} ms")
    middle = {part: summary(seconds)["median"] for part, seconds in found.items()}
    print_last_line(
        "recorder",
        n,
        {
            "begin_s": goal(_worst(middle, "begin"), BEGIN),
            "end_s": goal(_worst(middle, "end"), END),
            "api_s": goal(middle["api"], API),
            "painted_s": goal(middle["painted"], PAINTED),
        },
        tries=MANY,
        pods=f"{POD}_end" in found,
        seconds={part: summary(seconds) for part, seconds in found.items()},
        samples={part: [round(s, 6) for s in seconds] for part, seconds in found.items()},
    )


def _worst(middle: Mapping[str, float], when: str) -> float:
    """The largest of the medians, over the kinds of tasks."""
    return max(seconds for part, seconds in middle.items() if part.endswith(f"_{when}"))


def _all(n: int, folder: Path, store: StoreConnection) -> dict[str, list[float]]:
    first, second = folder / "first", folder / "second"
    for each in (first, second):
        each.mkdir()
    with _kinds(store) as (kinds, variables):
        found = recorder_seconds(n, first, kinds, variables)
    with serving(second, store.to_env()) as server:
        found["api"] = api_seconds(server, n)
        found["painted"] = painted_seconds(server, n)
    return found


if __name__ == "__main__":
    main()
