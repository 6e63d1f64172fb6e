"""A pipeline of pods that something happens to, and what its user sees of it."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from textwrap import indent
from typing import Any

from kubernetes.client import ApiException

from podline.contract import StageResult
from podline.operators.kubernetes.pods import PREFIX
from podline.store import Store, keys, seaweedfs
from tests.support.airflow_parts import AirflowParts
from tests.support.airflow_server import Airflow, run_path, task_path
from tests.support.image_pods import read_log
from tests.support.latency import one_try
from tests.support.namespaces import PodRelay
from tests.support.waiting import until

STAGES = ("make", "change", "look")
# The middle stage goes on for some seconds: that is when something happens to it.
CELLS = {
    "step:make": "rows = list(range(1000))",
    "step:change": (
        "import time\nfor second in range({seconds}):\n"
        "    print('second', second, flush=True)\n    time.sleep(1)\n"
        "total = sum(rows) + 1"
    ),
    "step:look": "assert len(rows) == 1000\nresult = total",
    "pipeline-metrics": "print(result)",
}
RESULT = {"result": 499_501.0}
FIFTY_CELLS = [
    ("step:first", "x = 1"),
    *(
        (f"step:s{n:02} prev:first", f"import time\ntime.sleep(5)\ny{n} = x + {n}")
        for n in range(50)
    ),
    (
        " ".join(["step:last", *(f"prev:s{n:02}" for n in range(50))]),
        "total = " + " + ".join(f"y{n}" for n in range(50)),
    ),
    ("pipeline-metrics", "print(total)"),
]
FIFTY_RESULT = {"total": 50.0 + sum(range(50))}
# What the clock of a stage's pod is off by, where its processes read it: clock.c.
CLOCK, CLOCK_LIBRARY = "/home/podline/clock", "clock.so"


def _dag_file(folder: str, change: str, before: str) -> str:
    """A DAG file of a folder's notebooks, each of whose tasks is changed.

    Args:
        folder: beside it.
        change: lines about `task`.
        before: lines that these need.
    """
    return f"""
# Airflow reads only files that name it.
import os
from pathlib import Path

from kubernetes.client import models as k8s

from podline.operators.dag_factory import notebook_dags

{before}
for dag in notebook_dags(Path(__file__).with_name("{folder}")):
    for task in dag.tasks:
{indent(change, " " * 8)}
    globals()[dag.dag_id] = dag
"""


SHIFTED_DAG = _dag_file(
    "shifted",
    f"""\
task.volumes = [k8s.V1Volume(name="clock", config_map=LIBRARY)]
task.volume_mounts = [k8s.V1VolumeMount(name="clock", mount_path="/clock")]
task.env_vars = [k8s.V1EnvVar(name="LD_PRELOAD", value="/clock/{CLOCK_LIBRARY}")]
""",
    'LIBRARY = k8s.V1ConfigMapVolumeSource(name="clock")',
)
# The folder that a stage writes to is a small disk of its own: in memory, so that nothing else is full.
HOME, CRAMPED = "/home/podline", 16 << 20  # bytes
CRAMPED_DAG = _dag_file(
    "cramped",
    f"""\
task.volumes = [k8s.V1Volume(name="disk", empty_dir=DISK)]
task.volume_mounts = [k8s.V1VolumeMount(name="disk", mount_path="{HOME}")]
""",
    f'DISK = k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="{CRAMPED}")',
)
# Deferred, and with the store's name in each pod: a cluster for tests may answer five questions for
# names a second, and the fault here is another one.
NAMED_STORE = "PODLINE_FAULTS_STORE"  # Airflow's variable: its name and address
FIFTY_DAG = _dag_file(
    "fifty",
    """\
task.deferrable = True
task.full_pod_spec = k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=SPEC)
""",
    f"""\
NAME, ADDRESS = os.environ["{NAMED_STORE}"].split()
SPEC = k8s.V1PodSpec(
    containers=[k8s.V1Container(name="base")],
    automount_service_account_token=False,
    host_aliases=[k8s.V1HostAlias(hostnames=[NAME], ip=ADDRESS)],
)
""",
)
_TOLD = ("warning", "error", "critical")
_NOT_OURS = ("py.warnings",)
# What is no warning of the task's: it goes on, or its stage says it.
_SAID = ("adopted from try", "It is waited for", "the notebook as far as it came is not stored")


@dataclass(frozen=True)
class Sentence:
    """What the user reads in the log of a task: at which time (epoch), and in which try's."""

    text: str
    at: float
    task_id: str


@dataclass
class Scene:
    """A run, and all that can happen to it.

    Attributes:
        parts: Airflow's processes.
        core: the cluster's API.
        namespace: the pods'.
        relay: the way from the pods to the store.
        store_folder: of the store's server.
        dag_id: of the run.
        run_id: the run's; it begins with `begin`.
    """

    parts: AirflowParts
    core: Any
    namespace: str
    relay: PodRelay
    store: Store
    store_folder: Path
    dag_id: str
    run_id: str = ""

    @cached_property
    def airflow(self) -> Airflow:
        """The client of Airflow's API."""
        return self.parts.client()

    def begin(self, second: int = 0) -> None:
        """Trigger the run, and wait until its middle stage has come to a second of its cell."""
        self.run_id = self.airflow.trigger(self.dag_id)
        until(lambda: f"second {second}\n" in self._printed("change"), 300)

    def _printed(self, task_id: str) -> str:
        """What a stage has printed, from its pod itself."""
        try:
            return "".join(
                read_log(self.core, self.namespace, pod.metadata.name) for pod in self.pods(task_id)
            )
        except ApiException:  # it has no log yet
            return ""

    def end(self, seconds: float = 400) -> str:
        """Wait until the run has ended; returns its state."""
        found: str = until(self._ended, seconds)
        return found

    def _ended(self) -> str:
        return self.airflow.ended(self.dag_id, self.run_id)

    def give_up(self) -> None:
        """End a run that has not ended, so that nothing of it meets the next fault."""
        if self.run_id and not self._ended():
            with suppress(OSError, RuntimeError):
                path = run_path(self.dag_id, self.run_id)
                self.airflow.call("PATCH", path, {"state": "failed"})

    # --- what the user sees

    def entries(self, task_id: str) -> Iterator[dict[str, Any]]:
        """The lines of a task's log, of all its tries; read from the files, which stay readable."""
        folder = self.parts.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        for path in sorted((folder / f"task_id={task_id}").glob("attempt=*.log")):
            for line in path.read_text(errors="replace").splitlines():
                if line.startswith("{") and line.endswith("}"):
                    yield json.loads(line)

    def lines(self, task_id: str) -> list[str]:
        """The texts of a task's log."""
        return [str(entry["event"]) for entry in self.entries(task_id)]

    def sentences(self, since: float) -> list[Sentence]:
        """What the tasks' logs say of trouble since a time (epoch), the first one first."""
        found = [
            sentence
            for task_id in STAGES
            for sentence in told(self.entries(task_id), task_id, since)
        ]
        return sorted(found, key=lambda sentence: sentence.at)

    # --- what came of it

    def results(self, task_id: str) -> list[StageResult]:
        """What the tries of a stage have left in the store."""
        folder = keys.join("runs", self.dag_id, self.run_id, task_id)
        found = [item.key for item in self.store.list(folder)]
        return [
            StageResult.from_json(bytes(self.store.get(key)))
            for key in found
            if key.endswith("/result.json")
        ]

    def returned(self, task_id: str) -> dict[str, Any]:
        """What a stage returned to Airflow."""
        path = f"{task_path(self.dag_id, self.run_id, task_id)}/xcomEntries/return_value"
        value = self.airflow.call("GET", f"{path}?deserialize=true")["value"]
        return dict(value)

    def pods(self, task_id: str = "") -> list[Any]:
        """The pods that are there; of one stage, those that are not being deleted."""
        found = self.core.list_namespaced_pod(self.namespace).items
        if not task_id:
            return list(found)
        mine = (f"/{self.dag_id}/", f"/{task_id}/")
        return [
            pod
            for pod in found
            if all(part in pod.metadata.annotations[PREFIX] for part in mine)
            and not pod.metadata.deletion_timestamp
        ]

    def record(self, task_id: str) -> dict[str, Any]:
        """What podline's API says of a stage's first try."""
        return one_try(self.airflow, self.dag_id, self.run_id, task_id)

    # --- what can happen

    def control(self, *words: str) -> None:
        """Have the cluster's own command stop or start a part of it."""
        command = [*shlex.split(os.environ["PODLINE_CLUSTER_CTL"]), *words]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def stage_pids(self, task_id: str) -> list[int]:
        """The processes of a stage's pod, where this machine is its node."""
        uids = [pod.metadata.uid for pod in self.pods(task_id)]
        return [
            pid
            for pid, command, group in _processes()
            if "podline.runner" in command and any(uid in group for uid in uids)
        ]

    def worker_pid(self, task_id: str) -> int:
        """The process of a task."""
        instance = self.airflow.call("GET", task_path(self.dag_id, self.run_id, task_id))["id"]
        title = f"airflow worker -- {instance}"
        found = [pid for pid, command, _ in _processes() if title in command]
        return found[0]

    def store_pid(self) -> int:
        """The store's server."""
        return int((self.store_folder / "server.pid").read_text())

    def start_store(self) -> None:
        """Start the store's server again, at the same address."""
        seaweedfs.start(self.store_folder)


Step = Callable[[Scene], object]


@dataclass(frozen=True)
class Fault:
    """Something that happens while the middle stage runs.

    Attributes:
        name: what the table calls it.
        guarantee: what holds all the same.
        inject: makes it happen.
        heal: puts an end to it; None: it needs none.
        at: the second of the stage's cell, of fifteen, at which it happens.
        seconds: from then to the end of it.
        sentence: a part of the first thing that the user reads of it; empty: there is nothing to
            be read, since nothing waits for what is away.
        within: seconds after which that must have been said.
        dag_id: which pipeline it happens to.
        needs: a file of this machine, by a pattern, without which it cannot be had.
    """

    name: str
    guarantee: str
    inject: Step
    heal: Step | None = None
    at: int = 0
    seconds: float = 10.0
    sentence: str = ""
    within: float = 10.0
    dag_id: str = "three"
    needs: str = ""


@dataclass
class Seen:
    """What came of a fault.

    Attributes:
        state: how the run ended.
        injected: when it happened (epoch).
        sentences: what the user could read of it, the first one first.
    """

    state: str
    injected: float
    sentences: list[Sentence] = field(default_factory=list)

    @property
    def first(self) -> Sentence | None:
        """The first of the sentences."""
        return self.sentences[0] if self.sentences else None


def run_through(scene: Scene, fault: Fault) -> Seen:
    """Have a fault happen to a run, put an end to it, and wait until the run has ended."""
    scene.begin(fault.at)
    injected = time.time()
    try:
        fault.inject(scene)
        if fault.heal is not None:
            time.sleep(fault.seconds)
    finally:
        if fault.heal is not None:
            fault.heal(scene)
    state = scene.end()
    return Seen(state, injected, scene.sentences(injected))


def told(entries: Iterable[Mapping[str, Any]], task_id: str, since: float) -> Iterator[Sentence]:
    """What the lines of a task's log say of trouble since a time (epoch)."""
    for entry in entries:
        if _is_told(entry) and (at := _time_of(entry)) >= since:
            yield Sentence(_text_of(entry), at, task_id)


def _is_told(entry: Mapping[str, Any]) -> bool:
    told = entry.get("level") in _TOLD and entry.get("logger") not in _NOT_OURS
    return told or any(words in str(entry["event"]) for words in _SAID)


def _text_of(entry: Mapping[str, Any]) -> str:
    """The line, with the error that it is of."""
    errors = [str(detail["exc_value"]) for detail in entry.get("error_detail") or ()]
    return ": ".join([str(entry["event"]), *errors[:1]])


def _time_of(entry: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(entry["timestamp"])).timestamp()


def _processes() -> Iterator[tuple[int, str, str]]:
    """The processes of this machine: number, command, control group."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            yield int(folder.name), command, (folder / "cgroup").read_text()
        except (OSError, UnicodeDecodeError):
            continue


def kill(pid: int) -> None:
    """Kill a process by SIGKILL."""
    os.kill(pid, signal.SIGKILL)
