"""What deferred stages cost a triggerer, beside the stock operator's trigger, with simulated pods.

Airflow's own TriggerRunner gets the triggers of 100, 500 and 2,000 pods, which run on simulated
nodes and end all at one time, as fast as these can. A stage's requests are counted in the runner's
HTTP client; its memory is the growth of the runner's process, to its peak, over what a first
trigger had made it; the time to notice counts from when another process's watch brings the pod's
end to when the trigger's event is there. Needs KUBECONFIG, and in PODLINE_CLUSTER_CTL a command
that adds nodes: `... fake N`.
"""

import argparse
import json
import multiprocessing
import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import goal, print_last_line
from podline.contract import RESULT_MARK
from podline.operators.kubernetes.pod_status import CONTAINER, STAGE_LABEL
from podline.operators.kubernetes.pods import lines
from tests.support.namespaces import connect, own_namespace

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.trigger_runner import Arguments, Found

OURS, STOCK = "ours", "stock"
LIMITS = {"requests": 3.0, "memory_mb": 0.3, "p99_s": 0.5}  # a stage: the goals
_CLASSES = {
    OURS: "podline.operators.kubernetes.triggers.StageTrigger",
    STOCK: "airflow.providers.cncf.kubernetes.triggers.pod.KubernetesPodTrigger",
}
_PODS_OF_A_NODE = 100
_SLACK = 300.0  # seconds that events may take after the pods' ends
_ROOT = Path(__file__).parents[1]


def need_nodes(api: Any, pods: int) -> list[str]:
    """Have enough simulated nodes for so many pods; returns their names.

    Raises:
        SystemExit: there is no command for that, or there are some, but too few.
    """
    needed = -(-pods // _PODS_OF_A_NODE)
    there = _nodes(api)
    if len(there) >= needed:
        return there
    command = os.environ.get("PODLINE_CLUSTER_CTL")
    if not command:
        raise SystemExit(
            f"{needed} simulated nodes are needed: set PODLINE_CLUSTER_CTL to the command that "
            "adds some as `$PODLINE_CLUSTER_CTL fake N` (kwok, labelled type=fake)"
        )
    if there:
        raise SystemExit(f"{len(there)} simulated nodes are too few for {pods} pods: delete them")
    subprocess.run([*shlex.split(command), "fake", str(needed)], check=True)
    return _nodes(api)


def _nodes(api: Any) -> list[str]:
    return [node.metadata.name for node in api.list_node(label_selector="type=fake").items]


def pod(name: str, nonce: str, node: str, end: float) -> dict[str, Any]:
    """A pod as large as a stage's, which runs for some time and then names its result.

    It is bound to its node from the start, so that the scheduler has no part in it.

    Args:
        name: the pod's.
        nonce: of the try.
        node: where it runs.
        end: until when (epoch).
    """
    return {
        "metadata": {
            "name": name,
            "labels": {STAGE_LABEL: "stage"},
            "annotations": {
                "fake/run-for": f"{max(end - time.time(), 0):.3f}s",
                "fake/message": f"{RESULT_MARK} {nonce} {'0' * 64} {end:.6f}",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "nodeName": node,
            "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
            "containers": [
                {
                    "name": CONTAINER,
                    "image": "simulated",
                    "env": [{"name": "PODLINE_TASK", "value": secrets.token_hex(2000)}],
                }
            ],
        },
    }


def watch_ends(space: str, version: str, names: set[str], result: "Connection") -> None:
    """Send when a watch brought the end of each pod; runs in a process of its own.

    Args:
        space: the pods' namespace.
        version: the resource version from which it watches.
        names: the pods'.
        result: takes the times (epoch), by name.
    """
    api = connect()
    assert api is not None
    response = api.list_namespaced_pod(
        space, watch=True, resource_version=version, _preload_content=False
    )
    ends: dict[str, float] = {}
    for line in lines(response.stream(amt=None, decode_content=False)):
        if b'"phase":"Succeeded"' not in line:  # quicker than reading it as JSON
            continue
        found = re.search(rb'"name":"(stage-[0-9a-f]+)"', line)
        if found and (name := found[1].decode()) in names:
            ends.setdefault(name, time.time())
        if len(ends) == len(names):
            break
    result.send(ends)


@contextmanager
def watched(space: str, version: str, names: set[str]) -> Iterator["Connection"]:
    """The end of a pipe where the pods' ends come, once all have ended; see `watch_ends`.

    Args:
        space: the pods' namespace.
        version: the resource version from which they are watched.
        names: the pods'.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=watch_ends, args=(space, version, names, there), daemon=True)
    process.start()
    try:
        yield here
    finally:
        process.kill()


def arguments(kind: str, space: str, name: str, nonce: str) -> "Arguments":
    """What a pod's trigger is made from.

    Args:
        kind: whose.
        space: the pod's namespace.
        name: the pod's.
        nonce: of the try.
    """
    now = time.time()
    if kind == STOCK:
        pod = {"pod_name": name, "pod_namespace": space, "base_container_name": CONTAINER}
        return {**pod, "trigger_start_time": now}
    stage = {"stage": "stage", "prefix": f"runs/dag/run/stage/-1/1-{nonce}", "cluster": {}}
    return {"pod": name, "namespace": space, **stage, "startup_seconds": 600, "created": now}


def run_triggers(kind: str, triggers: "dict[str, Arguments]", seconds: float, home: str) -> "Found":
    """Run triggers in a fresh process; see `benchmarks.trigger_runner`.

    Args:
        kind: whose.
        triggers: what each is made from, by name.
        seconds: for how long at most.
        home: AIRFLOW_HOME.

    Raises:
        SystemExit: the process failed.
    """
    task = {"classpath": _CLASSES[kind], "triggers": triggers, "seconds": seconds}
    environment = os.environ | {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join([str(_ROOT / "plugins"), str(_ROOT)]),
    }
    command = [sys.executable, "-m", "benchmarks.trigger_runner"]
    run = subprocess.run(
        command, input=json.dumps(task), env=environment, stdout=subprocess.PIPE, text=True
    )
    if run.returncode:
        raise SystemExit(f"the triggers' process ended with {run.returncode}: {run.stdout[-2000:]}")
    found: Found = json.loads(run.stdout.splitlines()[-1])
    return found


def measure(api: Any, nodes: list[str], kind: str, n: int, home: str) -> dict[str, float]:
    """Create pods that end all at one time, run their triggers; returns what a stage costs.

    Args:
        api: of the cluster.
        nodes: where the pods run.
        kind: whose triggers.
        n: how many.
        home: AIRFLOW_HOME.

    Raises:
        SystemExit: pods did not end, or not while all triggers ran.
    """
    end = time.time() + 40 + n / 20
    nonces = {f"stage-{secrets.token_hex(8)}": secrets.token_hex(8) for _ in range(n + 1)}
    first, *names = nonces
    with own_namespace(api, "podline-triggerer", "privileged") as space:

        def create(number: int, name: str, end: float) -> None:
            node = nodes[number % len(nodes)]
            api.create_namespaced_pod(space, pod(name, nonces[name], node, end))

        create(0, first, 0)
        version = api.list_namespaced_pod(space).metadata.resource_version
        with watched(space, version, set(names)) as ends:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(create, range(n), names, [end] * n))
            triggers = {name: arguments(kind, space, name, nonces[name]) for name in nonces}
            found = run_triggers(kind, triggers, end - time.time() + _SLACK, home)
            if not ends.poll(_SLACK):
                raise SystemExit(f"{kind}, {n}: the simulated pods do not end; is kwok there?")
            return evaluate(kind, n, found, ends.recv())


def evaluate(kind: str, n: int, found: "Found", ends: dict[str, float]) -> dict[str, float]:
    """What one run of triggers gave.

    Args:
        kind: whose.
        n: how many.
        found: what they cost.
        ends: when the pods ended (epoch), by name.

    Raises:
        SystemExit: a pod ended before all triggers ran, so that they did not run at once.
    """
    if not found["all_ran"] or found["all_ran"] > min(ends.values()):
        raise SystemExit(f"{kind}, {n}: pods ended before all of their triggers ran")
    late = sorted(at - ends[name] for name, at in found["events"].items())
    memory = found["memory_mb"]
    costs = {
        "requests": found["requests"] / n,
        "memory_mb": (memory["peak"] - memory["warm"]) / n,
        "p50_s": late[len(late) // 2],
        "p99_s": late[min(len(late) - 1, round(0.99 * len(late)))],
        "max_s": late[-1],
    }
    result = {name: round(value, 4) for name, value in costs.items()}
    result["without_event"] = n - len(late)
    result["ends_spread_s"] = round(max(ends.values()) - min(ends.values()), 1)
    result["first_trigger_mb"] = round(memory["warm"] - memory["fresh"], 1)
    print(f"{kind}, {n} pods: {json.dumps(result)}", flush=True)
    return result


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=int, nargs="*", default=[100, 500, 2000], help="pods")
    parser.add_argument("--stock", type=int, nargs="*", default=[100, 500], help="pods")
    sizes = parser.parse_args()
    if (api := connect()) is None:
        raise SystemExit("bench-triggerer needs a Kubernetes: set KUBECONFIG")
    nodes = need_nodes(api, max([*sizes.ours, *sizes.stock]))
    with tempfile.TemporaryDirectory() as home:
        ours = {n: measure(api, nodes, OURS, n, home) for n in sizes.ours}
        stock = {n: measure(api, nodes, STOCK, n, home) for n in sizes.stock}
    worst = {name: max(costs[name] for costs in ours.values()) for name in LIMITS}
    print_last_line(
        "triggerer",
        max(sizes.ours),
        {name: goal(worst[name], limit) for name, limit in LIMITS.items()},
        ours=ours,
        stock=stock,
    )


if __name__ == "__main__":
    main()
