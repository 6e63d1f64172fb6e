"""Edges as a service of the cluster: they serve what is published, and a rolling update fails no
request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podline.fleet.discovery import labelled
from podline.fleet.engine import roll_out
from podline.fleet.order import Order
from podline.fleet.rollout import Strategy
from podline.models.registry import Model
from podline.store import Store
from tests.support.edge import Load, publish_line, request
from tests.support.image_pods import manifests
from tests.support.store_in_cluster import have_store
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("edge-in-cluster")]

TOKEN = "of the test"


class Connecting(Load):
    """Requests each on a connection of its own: they meet each pod, and one that has ended already.

    Connections that are kept may all have gone to the same pod of a Service.
    """

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                found = httpx.post(self.url, json=request(), timeout=30).json()
                self.versions.append(found["model_version"])
            except (httpx.TransportError, KeyError) as error:
                self.failures.append(repr(error))


@pytest.fixture(scope="module")
def store(core: Any, namespace: str) -> Store:
    """A store of the namespace's own."""
    return Store(have_store(core, namespace))


@pytest.fixture(scope="module")
def publish(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Publishes a model of a slope, and has the alias that the edges follow mean it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store.connection.to_env().items():
            patch.setenv(name, value)

        def version(slope: float) -> int:
            number = publish_line(tmp_path_factory.mktemp("model"), slope)
            Model(store, "power").promote(number, "champion")
            return number

        yield version


@pytest.fixture(scope="module")
def url(kubernetes_client: Any, core: Any, namespace: str, publish: Any) -> str:
    """The address of the Service, once both edges serve; Pod Security has admitted them."""
    from kubernetes import utils

    publish(1.0)
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "edge-token"},
        "stringData": {"PODLINE_EDGE_TOKEN": TOKEN},
    }
    items = [token, *manifests("edge.yaml")]
    for item in items:
        if item["kind"] == "Deployment":
            container = item["spec"]["template"]["spec"]["containers"][0]
            container["args"][0] = "power@champion"
    utils.create_from_dict(kubernetes_client, {"kind": "List", "items": items}, namespace=namespace)
    until(lambda: len(ready_pods(core, namespace, "edge")) == 2, 120)
    address = core.read_namespaced_service("edge", namespace).spec.cluster_ip
    url = f"http://{address}:8500"
    until(lambda: answers(url))  # a Service learns a moment later that its pods are ready
    return url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def ready_pods(core: Any, namespace: str, app: str) -> list[Any]:
    """The pods of an app that say that they are ready, and do not end."""
    pods = core.list_namespaced_pod(namespace, label_selector=f"app={app}").items
    return [
        pod
        for pod in pods
        if not pod.metadata.deletion_timestamp
        and any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())
    ]


def test_a_service_answers_with_what_was_published(url: str) -> None:
    answer = httpx.post(f"{url}/v2/models/power/infer", json=request()).json()
    assert answer["model_version"] == "1"
    assert answer["outputs"][0]["data"] == pytest.approx([6.0])


def test_the_pods_are_known_as_edges(core: Any, namespace: str, url: str) -> None:
    found = core.list_namespaced_pod(namespace, label_selector="podline.dev/edge=true").items
    assert len(found) >= 2
    (level,) = {
        core.read_namespace(namespace).metadata.labels["pod-security.kubernetes.io/enforce"]
    }
    assert level == "restricted"


def test_loading_asks_for_the_secrets_token(url: str) -> None:
    load = f"{url}/v2/repository/models/power/load"
    assert httpx.post(load).status_code == 401
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(load, headers=token, timeout=60).status_code == 200


def test_a_rolling_update_fails_no_request(
    core: Any, namespace: str, url: str, publish: Any
) -> None:
    from kubernetes import client

    apps = client.AppsV1Api(core.api_client)
    before = {pod.metadata.uid for pod in ready_pods(core, namespace, "edge")}
    annotation = {"kubectl.kubernetes.io/restartedAt": "now"}  # as `kubectl rollout restart` does
    body = {"spec": {"template": {"metadata": {"annotations": annotation}}}}

    def is_over() -> bool:
        pods = core.list_namespaced_pod(namespace, label_selector="app=edge").items
        return len(ready_pods(core, namespace, "edge")) == len(pods) == 2 and not before & {
            pod.metadata.uid for pod in pods
        }

    with Load(url) as load, Connecting(url) as connecting:
        until(lambda: len(load.versions) > 100)
        apps.patch_namespaced_deployment("edge", namespace, body)
        until(is_over, 120)
        second = str(publish(2.0))  # the new pods follow the alias, too
        until(lambda: load.versions[-1] == second)
    assert load.failures == connecting.failures == []
    assert min(len(load.versions), len(connecting.versions)) > 100


def test_a_rollout_reaches_the_pods_that_a_label_finds(
    namespace: str, url: str, store: Store, publish: Any, tmp_path: Path
) -> None:
    publish(3.0)
    number = publish_line(tmp_path, 4.0)
    targets = labelled(namespace=namespace)
    assert len(targets) == 2
    strategy = Strategy(observe=1.0, limit=60.0, requests=5, latency=50.0)
    order = Order("power", number, "champion", targets, "a test", strategy, TOKEN)
    with Connecting(url):
        record = roll_out(store, order)
    assert record.state == "promoted", record.decision
    assert {node.name for node in record.nodes} == {target.name for target in targets}
    assert httpx.post(f"{url}/v2/models/power/infer", json=request()).json()[
        "model_version"
    ] == str(number)
