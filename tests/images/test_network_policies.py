"""Who reaches whom in the stages' namespace, where the cluster's network applies policies."""

from collections.abc import Callable
from typing import Any

import pytest

from podline.operators.kubernetes.pod_status import STAGE_LABEL
from tests.support.image_pods import BASE, manifests, pod, read_log
from tests.support.waiting import until

pytestmark = pytest.mark.cluster

FILES = ("network-policies.yaml", "object-store.yaml", "edge.yaml")
SERVE = (
    "import http.server as h\n"
    "server = h.ThreadingHTTPServer(('', %d), h.SimpleHTTPRequestHandler)\n"
    "print('serves', flush=True)\nserver.serve_forever()"
)
ASK = (
    "import json, socket, time\n"
    "def asked(host, port):\n"
    "    try: socket.create_connection((host, port), timeout=10).close()\n"
    "    except OSError: return False\n"
    "    return True\n"
    "def known(name):\n"  # asked again: another test may have stopped the cluster's DNS
    "    for _ in range(6):\n"
    "        try: return bool(socket.getaddrinfo(name, 443))\n"
    "        except OSError: time.sleep(5)\n"
    "    return False\n"
    "found = {name: asked(*where) for name, where in %r.items()}\n"
    "print(json.dumps(found | {'names': known('kubernetes.default.svc.cluster.local')}))"
)


def policies(name: str) -> list[dict[str, Any]]:
    return [body for body in manifests(name) if body["kind"] == "NetworkPolicy"]


@pytest.fixture(scope="module")
def applied(kubernetes_client: Any, namespace: str) -> list[str]:
    """The names of all policies, which the cluster has taken."""
    from kubernetes import client

    network = client.NetworkingV1Api(kubernetes_client)
    for body in (body for name in FILES for body in policies(name)):
        network.create_namespaced_network_policy(namespace, body, field_validation="Strict")
    listed = network.list_namespaced_network_policy(namespace).items
    return sorted(policy.metadata.name for policy in listed)


@pytest.fixture
def serve(core: Any, namespace: str) -> Callable[..., tuple[str, int]]:
    """Runs a pod that answers anybody at a port, as far as the network lets it; its address."""

    def call(port: int, **labels: str) -> tuple[str, int]:
        ports = {"ports": [{"name": "s3", "containerPort": port}]}  # as the store's policy has it
        body = pod(BASE, "python", "-c", SERVE % port, labels=labels, container=ports)
        name = core.create_namespaced_pod(namespace, body).metadata.name

        def address() -> str | None:
            status = core.read_namespaced_pod_status(name, namespace).status
            serves = status.phase == "Running" and "serves" in read_log(core, namespace, name)
            return str(status.pod_ip) if serves else None

        return until(address, 180), port

    return call


def test_the_cluster_takes_them(applied: list[str]) -> None:
    assert applied == ["edge", "nobody-else", "object-store", "stages"]


def test_the_policy_of_stages_is_of_the_label_that_they_have() -> None:
    (stages,) = [p for p in policies(FILES[0]) if p["metadata"]["name"] == "stages"]
    assert stages["spec"]["podSelector"]["matchLabels"] == {STAGE_LABEL: "stage"}
    (store,) = policies("object-store.yaml")
    to_store = stages["spec"]["egress"][0]["to"][0]["podSelector"]
    assert to_store == store["spec"]["podSelector"]


def test_a_stage_reaches_the_store_and_names_and_nothing_else(
    applied: list[str],
    core: Any,
    serve: Callable[..., tuple[str, int]],
    python: Callable[..., Any],
) -> None:
    """Or everything, where the cluster's network applies no policy to any pod."""
    api = core.read_namespaced_service("kubernetes", "default").spec.cluster_ip
    store, other = serve(8333, app="object-store"), serve(8080)
    code = ASK % {"the store": store, "another pod": other, "the API": (api, 443)}
    reached = python(BASE, code, labels={STAGE_LABEL: "stage"})
    # `nobody-else` keeps every pod from the one that serves: who reaches it is kept from nothing.
    applies = not python(BASE, code)["another pod"]
    assert reached == {
        "the store": True,
        "names": True,
        "another pod": not applies,
        "the API": not applies,
    }
