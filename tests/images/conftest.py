"""Pods of the images, in a real cluster."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.image_pods import manifests, pod, read_log
from tests.support.waiting import until


@pytest.fixture(scope="session")
def kubernetes_client(core: Any) -> Any:
    """The API client of the cluster that KUBECONFIG names."""
    return core.api_client


@pytest.fixture(scope="module")
def namespace(core: Any) -> Iterator[str]:
    """A namespace of the module's own, as helm-values/namespace.yaml makes it."""
    (body,) = manifests("namespace.yaml")
    name = f"podline-test-{secrets.token_hex(4)}"
    core.create_namespace(body | {"metadata": body["metadata"] | {"name": name}})
    until(lambda: core.list_namespaced_service_account(name).items)  # else no pod is admitted
    yield name
    core.delete_namespace(name)


Run = Callable[..., str]


@pytest.fixture
def run(core: Any, namespace: str) -> Run:
    """Runs a pod to its end, which must be a good one; returns its output."""

    def call(image: str, *command: str, **spec: Any) -> str:
        body = pod(image, *command, **spec)
        name = body["metadata"]["name"]
        core.create_namespaced_pod(namespace, body)
        try:
            phase = _end(core, namespace, name)
            output = read_log(core, namespace, name)
            assert phase == "Succeeded", output
            return output
        finally:
            core.delete_namespaced_pod(name, namespace)

    return call


@pytest.fixture
def python(run: Run) -> Callable[..., Any]:
    """Runs Python code in a pod; returns its last line, read as JSON."""

    def call(image: str, code: str, **spec: Any) -> Any:
        output = run(image, "python", "-W", "error", "-c", code, **spec)
        return json.loads(output.splitlines()[-1])  # TensorFlow has words of its own before

    return call


def _end(core: Any, namespace: str, name: str) -> str:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        status = core.read_namespaced_pod_status(name, namespace).status
        if status.phase in ("Succeeded", "Failed"):
            return str(status.phase)
        for container in status.container_statuses or ():
            waiting = container.state.waiting
            if waiting and waiting.reason.startswith(("Err", "Image", "Create")):
                pytest.fail(f"{waiting.reason}: {waiting.message} (`make images`, then load them)")
        time.sleep(0.1)
    pytest.fail(f"the pod {name} did not end: {status}")
