"""The faults of the published table: what makes each happen, and what holds all the same."""

import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypedDict
from urllib.parse import urlsplit

from podline.store import StoreError, keys
from tests.support.faults import CLOCK, CRAMPED, HOME, Fault, Scene, Step, kill
from tests.support.node_memory import LIMIT, taken
from tests.support.node_memory import PODS as PODS_MEMORY
from tests.support.waiting import until

ADOPTED = "adopted from try 1: its worker was lost"
ONCE = "the pod goes on, and its stage is run once"
ANEW = "the stage is run anew, by the task's retry"
AWAITED = "what was computed is kept until the store answers"
STEADY = "the stage is run once; what the record says of its time is by a clock that nobody sets"
_FILL = "fill"  # the file that fills a disk


class Published(NamedTuple):
    """What the table says of a fault before it has happened."""

    fault: str
    guarantee: str


class _Away(TypedDict):
    inject: Step
    heal: Step


# --- the cluster


def away(part: str) -> _Away:
    """A part of the cluster is killed, and started again."""
    return {
        "inject": lambda scene: scene.control("kill", part),
        "heal": lambda scene: scene.control("start", part),
    }


def delete_pod(scene: Scene) -> None:
    (pod,) = scene.pods("change")
    scene.core.delete_namespaced_pod(pod.metadata.name, scene.namespace, grace_period_seconds=0)


def kill_stage(scene: Scene) -> None:
    for pid in until(lambda: scene.stage_pids("change"), 20):
        kill(pid)


def drain(scene: Scene) -> None:
    """Ask the cluster to evict the pod, as who empties a node does."""
    (pod,) = scene.pods("change")
    body = {"metadata": {"name": pod.metadata.name, "namespace": scene.namespace}}
    scene.core.create_namespaced_pod_eviction(pod.metadata.name, scene.namespace, body)


def exhaust_memory(scene: Scene) -> None:
    """Leave the node no memory for its pods, until the kernel has killed the stage."""
    for pid in until(lambda: scene.stage_pids("change"), 20):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")  # before any other pod of the node
    with taken(PODS_MEMORY):
        until(lambda: not scene.stage_pids("change"), 60)


def fill_node(scene: Scene) -> None:
    """Leave no byte where the stage writes: what its pod has of the node's disk."""
    pid = until(lambda: scene.stage_pids("change"), 20)[0]
    written = 0
    with suppress(OSError), Path(f"/proc/{pid}/root{HOME}/{_FILL}").open("wb", buffering=0) as file:
        while written < 2 * CRAMPED:
            written += file.write(bytes(1 << 20))
    assert written <= CRAMPED, "the folder has no limit"


def set_clock(scene: Scene, seconds: int) -> None:
    """Set the clock that the stage's processes read."""
    pid = until(lambda: scene.stage_pids("change"), 20)[0]
    Path(f"/proc/{pid}/root{CLOCK}").write_text(f"{seconds:+}")


PODS = [
    Fault("the pod is deleted", ANEW, delete_pod, sentence="was deleted"),
    Fault("the pod is evicted, as when its node is drained", ANEW, drain, sentence="takes the pod away"),
    Fault("the stage's process is killed", ANEW, kill_stage, sentence="was killed by the signal"),
    Fault("the node has no memory left, and the kernel kills the stage", ANEW, exhaust_memory, sentence="the stage 'change'", needs=str(PODS_MEMORY / LIMIT)),
    Fault("the disk that the node has for the pod is full", ANEW, fill_node, at=13, sentence="is full", dag_id="three_cramped"),
    Fault("the clock of the pod's node is set five minutes ahead", STEADY, partial(set_clock, seconds=300), dag_id="three_shifted", needs="/usr/bin/gcc"),
    Fault("the clock of the pod's node is set five minutes back", STEADY, partial(set_clock, seconds=-300), dag_id="three_shifted", needs="/usr/bin/gcc"),
]  # fmt: skip
IN_THE_CLUSTER = [
    Fault("the kubelet is gone for 15 s", ONCE, **away("kubelet"), seconds=15, sentence="is not answering"),
    Fault("the cluster's API server is gone for 5 s", ONCE, **away("kube-apiserver"), seconds=5, sentence="the API server does not answer"),
    Fault("etcd is gone for 5 s", ONCE, **away("etcd"), seconds=5),
    Fault("containerd is gone for 10 s", ONCE, **away("containerd")),
    Fault("the cluster's scheduler is gone when the next pod is due", "that pod waits for it", **away("kube-scheduler"), at=14, seconds=25, sentence="scheduler has not looked at the pod"),
    Fault("the controller manager is gone for 20 s", ONCE, **away("kube-controller-manager"), seconds=20),
    Fault("the cluster's DNS is gone for 20 s", AWAITED, **away("dns"), at=14, seconds=20, sentence="does not answer"),
]  # fmt: skip


# --- Airflow


def down(part: str) -> _Away:
    """A part of Airflow is killed with all that it started, and started again."""
    return {
        "inject": lambda scene: scene.parts.kill(part),
        "heal": lambda scene: scene.parts.start(part),
    }


def kill_worker(scene: Scene) -> None:
    kill(scene.worker_pid("change"))


def lock_database(scene: Scene) -> None:
    """Nobody else reads or writes SQLite's database for a while."""
    with closing(sqlite3.connect(scene.parts.database, isolation_level=None, timeout=30)) as mine:
        mine.execute("BEGIN EXCLUSIVE")
        time.sleep(40)
        mine.execute("ROLLBACK")


IN_AIRFLOW = [
    Fault("the task's process is killed", ONCE, kill_worker, sentence="Process terminated by signal"),
    Fault("Airflow's scheduler is killed, with its tasks", ONCE, **down("scheduler"), seconds=3, sentence=ADOPTED, within=120),
    Fault("Airflow's API server is killed", ONCE, **down("api-server"), seconds=5),
    Fault("Airflow's DAG processor is killed", ONCE, **down("dag-processor"), seconds=5),
    Fault("Airflow's triggerer is killed", ONCE, **down("triggerer"), seconds=3, dag_id="three_deferred"),
    Fault("Airflow's database is locked for 40 s", ONCE, lock_database),
]  # fmt: skip


# --- the store and the network


def kill_store(scene: Scene) -> None:
    kill(scene.store_pid())


def restart_store(scene: Scene) -> None:
    kill_store(scene)
    scene.start_store()


def spoil_results(scene: Scene, task_id: str) -> None:
    """Put another content in the place of all that a stage has stored."""
    for item in scene.store.list(keys.join("runs", scene.dag_id, scene.run_id, task_id)):
        if not item.key.endswith((".ipynb", "latency.json")):
            scene.store.delete([item.key])
            scene.store.put(item.key, b"x" * item.size)


def network(scene: Scene, change: str) -> None:
    """Cut the pods off from the store, or let them through (iptables' option)."""
    port = str(urlsplit(scene.relay.url).port)
    rule = ["-p", "tcp", "-s", "10.244.0.0/16", "--dport", port, "-j", "DROP"]
    subprocess.run(["iptables", change, "INPUT", *rule], check=True, capture_output=True)


def fill_disk(scene: Scene) -> None:
    """Leave no byte on the disk that the store has to itself: it has no room for a small object."""
    with suppress(OSError), (scene.store_folder / _FILL).open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
    with suppress(StoreError):  # until then it appends to pages that it has
        for number in count():
            scene.store.put(f"{_FILL}/{number}", b"x")


def make_room(scene: Scene) -> None:
    """SeaweedFS writes no more to a volume that found no room, until it is started again."""
    (scene.store_folder / _FILL).unlink()
    restart_store(scene)


def slow_down(scene: Scene, seconds: float) -> None:
    scene.relay.delay = seconds


IN_THE_STORE = [
    Fault("the store is gone for 25 s", AWAITED, kill_store, Scene.start_store, at=12, seconds=25, sentence="does not answer"),
    Fault("the store is killed, and started at once", AWAITED, restart_store),
    Fault("the store's disk is full for 20 s, and the store restarted with room again", AWAITED, fill_disk, make_room, at=13, seconds=20, sentence="fails", within=15),
    Fault("the store answers two seconds late", AWAITED, partial(slow_down, seconds=2.0), partial(slow_down, seconds=0.0), seconds=25),
    Fault("the network between pods and store is cut for 25 s", AWAITED, partial(network, change="-I"), partial(network, change="-D"), at=12, seconds=25, sentence="does not answer"),
]  # fmt: skip

FAULTS = [*PODS, *IN_THE_CLUSTER, *IN_AIRFLOW, *IN_THE_STORE]

# What has a test of its own, and what holds.
ROTATED = Published(
    "the store's keys are changed",
    "the stage fails at once; cleared when Airflow has the new ones, it alone is run anew",
)
UPGRADED = Published(
    "podline is upgraded: Airflow's parts, the stages' image, the notebook",
    "the run goes by the notebook that it began with; its stage is run once",
)
TWO_RUNS = Published("two runs at once", "each has its own folders and pods, and its own result")
SPOILT = Published(
    "what a stage stored is overwritten",
    "no stage reads it: the run fails, and the cleared maker makes it anew",
)
FIFTY = Published("fifty stages side by side, and the cluster's API server is gone for 5 s", ONCE)

# Of an Airflow in the cluster, by `make up-kubernetes`.
DATABASE_GONE = Published(
    "Airflow's PostgreSQL is gone for a minute", "the run goes on afterwards; no stage is run twice"
)
TASK_POD = Published(
    "the task's pod is deleted (KubernetesExecutor)",
    "the stage is ended with its task, and run anew by the task's retry, after its delay",
)
SCHEDULER_POD = Published("the pod of Airflow's scheduler is deleted (KubernetesExecutor)", ONCE)
NEW_IMAGES = Published(
    "`make up-kubernetes` with other images, in the middle of a run",
    "tasks and stages that run are left alone; those that follow take the new images",
)

PUBLISHED = [*(Published(fault.name, fault.guarantee) for fault in FAULTS), ROTATED, UPGRADED, TWO_RUNS, SPOILT, FIFTY, DATABASE_GONE, TASK_POD, SCHEDULER_POD, NEW_IMAGES]  # fmt: skip
