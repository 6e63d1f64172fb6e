"""What a stage costs as a pod, beside a bare pod and the stock operator, on one node.

Each does the same second of sleep in a pod of one warm image, and they take turns:

- *bare*: a pod without a token, from the call that creates it to the event that says Succeeded.
- *stock*: KubernetesPodOperator with its defaults, its task's duration.
- *ours*: a stage that takes in an array of 1 MB, sleeps, and hands 1 MB on; its task's duration.
- *deferred*: the same stage in deferrable mode, for which there is no goal.

A bare pod and the stock operator are spared their second of sleep, a stage its cell. Pods are
deleted off the clock, but for the stock operator's call to do so, which waits for nothing. Then
both operators run a chain of tasks under `airflow dags test`, whose first one is left out; so does
*ours* with stages that are begun ahead, and in *ahead_tensorflow* each of them imports tensorflow
while the one before it sleeps for six seconds.

It needs KUBECONFIG, and in that cluster the images and the store.
"""

import argparse
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks import cluster
from benchmarks.cluster import Cluster, PodTimes
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import array_chain, result_of, stage_times, trigger
from podline import settings
from podline.phases import STAGE_PHASES
from tests.support.airflow_server import Airflow, airflow_command, forks_with, running
from tests.support.dags_test import ROOT
from tests.support.notebooks import DEFERRED_DAG, code_cell, notebook_text

BY_BARE, BY_STOCK = 0.25, 0.12  # the goals for the ratios of the medians,
AHEAD, AHEAD_TENSORFLOW = 0.15, 0.25  # and for seconds a stage beside its cell
CHAIN = 4  # tasks of a chain that count
SLEEP = 1.0
TENSORFLOW = "tensorflow_chain"
# Chains under `dags test`: which DAG, and how many stages are begun ahead.
CHAINS = {
    "stock_chain": ("stock_chain", "off"),
    "ours_chain": ("ours_chain", "off"),
    "ahead_chain": ("ours_chain", "auto"),
    "ahead_tensorflow": (TENSORFLOW, "auto"),
}
_COMMAND = ["python", "-c", f"import time; time.sleep({SLEEP:g})"]
_POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_STOCK_DAG = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, chain

def sleep(name):
    return KubernetesPodOperator(
        task_id=name, image={image!r}, namespace={namespace!r}, cmds={command!r},
        security_context={pod_security!r}, container_security_context={security!r},
    )

with DAG("stock", schedule=None):
    sleep("sleep")
with DAG("stock_chain", schedule=None):
    chain(*[sleep(name) for name in {names!r}])
"""


def make_dags(folder: Path, namespace: str) -> None:
    """Write the DAG files and the notebooks: for each operator one task, and a chain."""
    (folder / "ours.py").write_bytes((ROOT / "dags" / "notebook_pipelines_dag.py").read_bytes())
    names = ["first", *(f"sleep_{number}" for number in range(1, CHAIN + 1))]
    values = {
        "image": settings.image("base"),
        "namespace": namespace,
        "command": _COMMAND,
        "pod_security": _POD_SECURITY,
        "security": _SECURITY,
        "names": names,
    }
    (folder / "stock.py").write_text(_STOCK_DAG.format(**values))
    (folder / "deferred.py").write_text(DEFERRED_DAG)
    (folder / "deferred").mkdir()
    notebooks = {"ours": ["sleep"], "ours_chain": names, "deferred/deferred": ["sleep"]}
    source = f"time.sleep({SLEEP:g})\nx = x + 1"
    for name, stages in notebooks.items():
        cells = array_chain(*stages, source=source)
        (folder / f"{name}.ipynb").write_text(notebook_text(cells))
    cells = array_chain(*names, source="time.sleep(6)\nx = x + (tf.constant(1).numpy() > 0)")
    cells.insert(1, code_cell("import tensorflow as tf", "imports"))
    (folder / f"{TENSORFLOW}.ipynb").write_text(notebook_text(cells))


# --- one sample of each ----------------------------------------------------------------------


def bare(there: Cluster, number: int) -> dict[str, float]:
    """Run a bare pod; returns its overhead, and when it had got how far."""
    name = f"bare-{number}"
    container = {
        "name": "bare",
        "image": settings.image("base"),
        "command": _COMMAND,
        "securityContext": _SECURITY,
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": _POD_SECURITY,
        "containers": [container],
    }
    body = {"metadata": {"name": name}, "spec": spec}
    start = time.monotonic()
    pod = there.core.create_namespaced_pod(there.namespace, body)
    found = {"created": time.monotonic() - start}
    for _, event in there.events(name, pod.metadata.resource_version):
        status = event["status"]
        if any("running" in s["state"] for s in status.get("containerStatuses") or ()):
            found.setdefault("running", time.monotonic() - start)
        if status["phase"] in ("Succeeded", "Failed"):
            break
    found["succeeded"] = time.monotonic() - start
    there.core.delete_namespaced_pod(name, there.namespace)
    if status["phase"] != "Succeeded":
        raise SystemExit(f"the pod {name} failed: {status}")
    return {"overhead": found["succeeded"] - SLEEP, **found}


def stock(airflow: Airflow, pods: PodTimes) -> dict[str, float]:
    """Run the stock operator's task; returns its overhead, and how long each part of it was."""
    before = set(pods.seen)
    run_id = trigger(airflow, "stock")
    task = airflow.tasks("stock", run_id)["sleep"]
    start, end = (
        datetime.fromisoformat(task[f"{which}_date"]).timestamp() for which in ("start", "end")
    )
    (name,) = set(pods.seen) - before
    marks = pods.seen[name]
    return {
        "overhead": end - start - SLEEP,
        "to_created": marks["created"] - start,
        "to_running": marks["running"] - marks["created"],
        "to_ended": marks["terminated"] - marks["running"] - SLEEP,
        "to_task_end": end - marks["terminated"],
    }


def ours(airflow: Airflow, there: Cluster, pods: PodTimes, dag_id: str) -> dict[str, float]:
    """Run a notebook; returns the overhead of the stage that sleeps, part by part."""
    run_id = trigger(airflow, dag_id)
    task = airflow.tasks(dag_id, run_id)["sleep"]
    result = result_of(there.store, dag_id, run_id, "sleep")
    times = stage_times(result, task["start_date"], task["end_date"])
    said = {
        line["event"]: datetime.fromisoformat(line["timestamp"]).timestamp()
        for line in airflow.log(dag_id, run_id, "sleep")
        if line.get("timestamp")
    }
    execute = next(at for text, at in said.items() if "runs on the backend" in text)
    known = next(at for text, at in said.items() if text.startswith("sleep: boot"))
    marks = next(at for name, at in pods.seen.items() if name.endswith(result.nonce))
    phases = times["phases"]
    stored = result.started + sum(phases.values())
    return {
        "overhead": times["duration"] - times["code"],
        "to_execute": execute - times["start"],
        "to_created": marks["created"] - execute,
        "to_process": result.started - marks["created"],
        **{name: phases[name] for name in STAGE_PHASES if name != "code"},
        "around_the_cell": phases["code"] - times["code"],
        "to_known": known - stored,
        "to_task_end": times["end"] - known,
    }


def chain_overheads(home: Path, there: Cluster, dag_id: str, env: Mapping[str, str]) -> list[float]:
    """Run a chain under `airflow dags test`; returns the overheads of the tasks that count."""
    command = [airflow_command(), "dags", "test", dag_id]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"dags test {dag_id}: {run.stdout[-3000:]}{run.stderr[-3000:]}")
    with sqlite3.connect(home / "airflow.db") as database:
        rows = database.execute(
            "SELECT run_id, task_id, start_date, end_date FROM task_instance "
            "WHERE dag_id = ? AND task_id LIKE 'sleep_%' ORDER BY start_date DESC LIMIT ?",
            (dag_id, CHAIN),
        ).fetchall()
    overheads = []
    for run_id, task_id, *dates in rows:
        start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in dates)
        spared = SLEEP
        if dag_id != "stock_chain":
            result = result_of(there.store, dag_id, run_id, task_id)
            spared = sum(cell.seconds for cell in result.cells)
        overheads.append((end - start).total_seconds() - spared)
    return overheads


# --- all of them -----------------------------------------------------------------------------


def measure(n: int, chains: int, folder: Path, there: Cluster) -> None:
    """Take `n` samples of each in turn, then run `chains` chains of each; print what was found."""
    dags, home = folder / "dags", folder / "airflow"
    dags.mkdir()
    make_dags(dags, there.namespace)
    variables = there.variables | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(dags),
    }
    pods = PodTimes(there)
    pods.start()
    kinds = ("bare", "stock", "ours", "deferred")
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    tests: dict[str, list[float]] = {name: [] for name in CHAINS}
    known = ("ours_chain_baseline", "stock_chain", "deferred_baseline")
    with running(home, variables, *known) as airflow:
        if not forks_with("obstore", home):
            raise SystemExit("the scheduler has not preloaded the operator: see plugins/")
        for number in range(n + 1):
            taken = {
                "bare": bare(there, number),
                "stock": stock(airflow, pods),
                "ours": ours(airflow, there, pods, "ours"),
                "deferred": ours(airflow, there, pods, "deferred"),
            }
            if number:  # the first of each warms up
                for name, sample in taken.items():
                    samples[name].append(sample)
                print(f"{number}: {_line(taken)}", flush=True)
        env = airflow.environment
    for _ in range(chains):
        for name, found in tests.items():
            dag_id, ahead = CHAINS[name]
            more = {"AIRFLOW__PODLINE__AHEAD": ahead}
            found += chain_overheads(home, there, dag_id, {**env, **more})
            shown = " ".join(f"{value:.3f}" for value in found[-CHAIN:])
            print(f"dags test {name}: {shown}", flush=True)
    _report(n, samples, tests)


def _line(taken: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{name} {sample['overhead']:.3f} s" for name, sample in taken.items())


def _report(
    n: int, samples: Mapping[str, Sequence[Mapping[str, float]]], tests: Mapping[str, list[float]]
) -> None:
    overheads = {
        name: summary([sample["overhead"] for sample in taken]) for name, taken in samples.items()
    }
    parts = {
        name: {
            part: round(median(sample[part] for sample in taken), 4)
            for part in taken[0]
            if part != "overhead"
        }
        for name, taken in samples.items()
    }
    middle = {name: found["median"] for name, found in overheads.items()}
    for name, found in overheads.items():
        print(f"{name}: {found['median']:.3f} s ({found['q1']:.3f} to {found['q3']:.3f})")
    for part, seconds in parts["ours"].items():
        print(f"  {part:16} {seconds:6.3f}")
    print_last_line(
        "pods",
        n,
        {
            "ours_by_bare": goal(middle["ours"] / middle["bare"], BY_BARE),
            "ours_by_stock": goal(middle["ours"] / middle["stock"], BY_STOCK),
            **{
                name: goal(median(tests[name]), limit)
                for name, limit in (("ahead_chain", AHEAD), ("ahead_tensorflow", AHEAD_TENSORFLOW))
                if tests[name]
            },
        },
        overhead_s=overheads,
        parts_s=parts,
        dags_test_s={name: summary(found) for name, found in tests.items() if found},
        samples={
            name: [{part: round(value, 4) for part, value in sample.items()} for sample in taken]
            for name, taken in samples.items()
        },
        dags_test_samples={name: [round(v, 4) for v in found] for name, found in tests.items()},
    )


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=12, help="samples of each (12)")
    parser.add_argument("--chains", type=int, default=3, help="runs of `dags test` of each (3)")
    arguments = parser.parse_args()
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name, cluster.opened() as there:
        measure(arguments.n, arguments.chains, Path(name), there)


if __name__ == "__main__":
    main()
