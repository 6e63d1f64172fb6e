"""Stages as pods of a real cluster, with this session's store behind a relay that they reach."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from podline.compiler.compiler import compile_notebook
from podline.contract import ResultRef, StageResult, StageTask
from podline.exceptions import PodlineError
from podline.latency import timeline
from podline.operators import successors, task_spec
from podline.operators.kubernetes.backend import PodBackend
from podline.operators.kubernetes.pods import failures, list_waiting, whole_log
from podline.operators.stage import StageOperator
from podline.store import Store, keys
from podline.store.keys import RESULT, TryKey
from tests.support.airflow_server import free_port
from tests.support.namespaces import PodRelay, own_namespace
from tests.support.notebooks import code_cell, notebook_text
from tests.support.waiting import until


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    with own_namespace(core) as name:
        yield name


@pytest.fixture
def relay(core: Any, store: Store) -> Iterator[PodRelay]:
    """The store's address as pods see it."""
    made = PodRelay(core, store.connection.endpoint_url or "")
    yield made
    made.close()


@dataclass
class Ran:
    """A stage that was run as a pod."""

    task: StageTask
    backend: PodBackend
    lines: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    result: StageResult | None = None
    error: str = ""

    @property
    def ok(self) -> StageResult:
        assert self.result is not None, (self.error, self.lines, self.said)
        assert self.result.failure is None, self.result.failure
        return self.result

    def phases(self) -> dict[str, float]:
        """Where the time went, from the pod's creation on."""
        self.backend.observe()
        seen = self.backend.seen
        seen.backend, seen.result = "kubernetes", self.ok
        start = seen.moments.execute = seen.moments.created
        assert start is not None
        assert seen.moments.heard is not None
        skew = timeline.clock_skew(seen)
        found = timeline.stage_phases(start, seen.moments.heard, seen, skew)
        return {phase.name: phase.seconds for phase in found}


@dataclass
class Pods:
    """Runs notebooks of one stage as pods, as the operator does."""

    core: Any
    namespace: str
    store: Store
    folder: Path

    def prepare(
        self, source: str, *tags: str, try_number: int = 1, max_tries: int = 0, **parameters: Any
    ) -> Ran:
        """Make all that the operator makes before it runs the stage."""
        path = self.folder / "pods.ipynb"
        path.write_text(notebook_text([code_cell(source, "step:work", *tags)]))
        pipeline = compile_notebook(path)
        (stage,) = pipeline.stages
        operator = StageOperator(task_id="work", pipeline=pipeline, stage=stage, **parameters)
        ids = {"dag_id": "pods", "task_id": "work", "run_id": self.folder.name, "map_index": -1}
        tries = {"try_number": try_number, "max_tries": max_tries}
        ti = SimpleNamespace(**ids, **tries, start_date=datetime.now(UTC))
        context: Any = {"ti": ti, "run_id": ti.run_id, "dag": SimpleNamespace(parent_dag=None)}
        where = TryKey.of(ti)
        shipment = task_spec.ship(pipeline, self.store, "runs/pods/r")
        plan = task_spec.plan_stage(pipeline, stage, {}, shipment)
        backend: Any = operator._open_backend("kubernetes", context)
        ran = Ran(StageTask(plan, (), where.prefix, where.nonce), backend)
        backend.say = ran.said.append
        return ran

    def follow(self, ran: Ran, on_line: Callable[[str], object] = lambda line: None) -> Ran:
        """Run what was prepared, as the operator does."""

        def log(line: str) -> None:
            ran.lines.append(line)
            on_line(line)

        try:
            digest = ran.backend.run(ran.task, self.store.connection, log)
            ran.result = task_spec.read_result(self.store, ran.task, digest)
            if failure := ran.result.failure:
                why = ran.backend.why_stopped() if failure.stopped else ""
                ran.error = ": ".join(filter(None, [why, failure.message]))
        except PodlineError as error:
            ran.error = str(error)
        if ran.error:
            ran.backend.fail()
        else:
            ran.backend.close()
        return ran

    def run(self, source: str, *tags: str, **more: Any) -> Ran:
        return self.follow(self.prepare(source, *tags, **more))

    def left(self) -> list[str]:
        """The names of the pods that are there and not being deleted."""
        pods = self.core.list_namespaced_pod(self.namespace).items
        return [pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is None]

    def quota_used(self) -> str:
        """How many pods the namespace's quota counts; "None": it has not counted yet."""
        (quota,) = self.core.list_namespaced_resource_quota(self.namespace).items
        return str((quota.status.used or {}).get("pods"))


@dataclass
class PodRun:
    """A run of a notebook as pods, stage by stage, as the operators do it.

    Attributes:
        pods: where.
        dag: the notebook's.
        params: the run's.
        parameters: values of the notebook's own.
        refs: the results so far, by stage.
        noted: what the backends said that is of less weight.
    """

    pods: Pods
    dag: Any
    params: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    refs: dict[str, ResultRef] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    noted: list[str] = field(default_factory=list)

    def prepare(self, name: str, try_number: int = 1, max_tries: int = 0) -> Ran:
        """Make all that the operator makes before it runs the stage."""
        operator = self.dag.task_dict[name]
        pipeline, context = operator.pipeline, self._context(name, try_number, max_tries)
        where = TryKey.of(context["ti"])
        values = task_spec.check_parameters(pipeline, self.parameters)
        run = keys.run_of(where.prefix)
        shipment = task_spec.ship(pipeline, self.pods.store, run, values.values())
        plan_of = partial(task_spec.plan_stage, pipeline, parameters=values, shipment=shipment)
        backend: Any = operator._open_backend("kubernetes", context)
        parents = operator.stage.parents.keys() & operator.stage.ancestors
        refs = tuple(self.refs[parent] for parent in sorted(parents))
        task = StageTask(plan_of(operator.stage), refs, where.prefix, where.nonce)
        ran = Ran(task, backend)
        backend.say, backend.note = ran.said.append, self.noted.append
        backend.prepare(self.pods.store.connection)
        mine = operator._try_context(context)
        backend.expect(partial(successors.next_stages, mine, plan_of))
        return ran

    def _context(self, name: str, try_number: int, max_tries: int) -> Any:
        ids = {"dag_id": self.dag.dag_id, "task_id": name, "run_id": "r", "map_index": -1}
        tries = {"try_number": try_number, "max_tries": max_tries}
        ti = SimpleNamespace(**ids, **tries, start_date=datetime.now(UTC))
        ti.get_task_states = lambda **_: {"r": dict.fromkeys(self.refs, "success")}
        context = {"ti": ti, "run_id": "r", "dag": SimpleNamespace(parent_dag=None)}
        return context | {"dag_run": SimpleNamespace(start_date=self.began), "params": self.params}

    def follow(self, ran: Ran, on_line: Callable[[str], object] = lambda line: None) -> Ran:
        """Run what was prepared."""
        self.pods.follow(ran, on_line)
        if ran.result:
            key = f"{ran.task.prefix}/{RESULT}"
            self.refs[ran.result.stage] = ResultRef(ran.result.stage, key, ran.result.digest)
        return ran

    def run(self, name: str, **more: Any) -> Ran:
        """Run a stage."""
        return self.follow(self.prepare(name, **more))

    def first(self, name: str = "one") -> Ran:
        """Run a stage, and wait meanwhile until the pod of the one after it is ready."""
        return self.follow(self.prepare(name), lambda line: self.ready() if line == "up" else None)

    def waiting(self) -> list[Any]:
        """The pods that are made ahead, and that no task has claimed."""
        return list_waiting(self.pods.core, self.pods.namespace)

    def ready(self) -> Any:
        """Wait for the one pod that is made ahead; returns it."""
        until(lambda: self.waiting() and "ready" in self.log(self.waiting()[0]))
        return self.waiting()[0]

    def log(self, pod: Any) -> str:
        """What a pod has printed."""
        try:
            return "".join(whole_log(self.pods.core, pod))
        except failures():
            return ""


@pytest.fixture
def pods(
    core: Any, namespace: str, store: Store, relay: PodRelay, tmp_path: Path, monkeypatch: Any
) -> Pods:
    monkeypatch.setenv("AIRFLOW__PODLINE__NAMESPACE", namespace)
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_ENDPOINT", relay.url)
    # A busy cluster begins late, and says late how it ended.
    for limit in ("startup.UNBEGUN", "follower._LAST_WORDS", "backend._REASON_SECONDS"):
        monkeypatch.setattr(f"podline.operators.kubernetes.{limit}", 60.0)
    return Pods(core, namespace, store, tmp_path)


class Api:
    """A server in the place of a cluster's, which is there only when it is started.

    Attributes:
        client: one of its API.
        answers: what it answers to a method, with which status where that is not 200.
        asked: the requests.
    """

    def __init__(self) -> None:
        from kubernetes import client

        self.answers: dict[str, Any] = {"DELETE": {}}
        self.asked: list[str] = []
        self.port = free_port()
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{self.port}"
        configuration.retries = False
        self.client = client.CoreV1Api(client.ApiClient(configuration))
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                api.asked.append(f"{self.command} {self.path}")
                answer = api.answers[self.command]
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self.client.api_client.rest_client.pool_manager.clear()
        self.client.api_client.close()


@pytest.fixture
def away() -> Iterator[Api]:
    """An API server that does not answer yet."""
    api = Api()
    yield api
    api.stop()


@pytest.fixture
def api(away: Api) -> Api:
    """An API server."""
    away.start()
    return away


def template_file(folder: Path, spec: Any) -> str:
    """A file with the template of pods; returns its path."""
    path = folder / "pod.yaml"
    about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "t"}}
    path.write_text(yaml.safe_dump({**about, "spec": spec}))
    return str(path)
