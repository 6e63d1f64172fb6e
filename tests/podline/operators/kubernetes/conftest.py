"""Stages as pods of a real cluster, with this session's store behind a relay that they reach."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from podline.compiler.compiler import compile_notebook
from podline.contract import StageResult, StageTask
from podline.exceptions import PodlineError
from podline.latency import timeline
from podline.operators import task_spec
from podline.operators.kubernetes.backend import PodBackend
from podline.operators.stage import StageOperator
from podline.store import Store
from podline.store.keys import TryKey
from tests.support.namespaces import Relay, own_namespace
from tests.support.notebooks import code_cell, notebook_text


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    with own_namespace(core) as name:
        yield name


@pytest.fixture
def relay(core: Any, store: Store) -> Iterator[Relay]:
    """The store's address as pods see it."""
    made = Relay(core, store.connection.endpoint_url or "")
    yield made
    made.cut()


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


@pytest.fixture
def pods(
    core: Any, namespace: str, store: Store, relay: Relay, tmp_path: Path, monkeypatch: Any
) -> Pods:
    monkeypatch.setenv("AIRFLOW__PODLINE__NAMESPACE", namespace)
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_ENDPOINT", relay.url)
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
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
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
