"""The share of a processor that a pod has: the least while it waits for its task, then its own.

Where a node is short of processor time it gives it by the containers' requests, and what waits must
not slow down what is due. A request is changed in place (``pods/resize``, Kubernetes 1.33 and
later), which takes a node some 50 ms. Where the cluster has no such thing, or does not allow it, a
pod has its own share from the beginning.
"""

import copy
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import explain, failures

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

LEAST = "1m"  # the smallest request that there is
_RESIZE = "pods/resize"


def can_change(client: "CoreV1Api", namespace: str) -> bool:
    """Whether requests of running pods can be changed, and may be by us.

    Args:
        client: of the cluster.
        namespace: the pods'.

    Raises:
        ApiException: the cluster does not say.
    """
    from kubernetes.client import AuthorizationV1Api

    there = json.loads(client.get_api_resources(**pods.REQUEST).data)["resources"]
    if not any(one["name"] == _RESIZE for one in there):
        return False
    resource, _, part = _RESIZE.partition("/")
    asked = {"namespace": namespace, "verb": "patch", "resource": resource, "subresource": part}
    review = {"spec": {"resourceAttributes": asked}}
    authorization = AuthorizationV1Api(client.api_client)
    answer = authorization.create_self_subject_access_review(review, **pods.REQUEST)
    return bool(json.loads(answer.data)["status"]["allowed"])


def lessened(body: Pod) -> Pod:
    """A pod that asks for the least, and notes what is its own.

    A container whose limit is its request keeps both: less would make its pod one of another
    quality of service, which cannot be changed.

    Args:
        body: of a pod that is not created yet.
    """
    body, own = copy.deepcopy(body), {}
    for container in body["spec"]["containers"]:
        resources = container.get("resources") or {}
        asked, limits = resources.get("requests") or {}, resources.get("limits") or {}
        if "cpu" in asked and asked["cpu"] != limits.get("cpu"):
            own[container["name"]] = asked["cpu"]
            asked["cpu"] = LEAST
    body["metadata"]["annotations"][pods.CPU] = json.dumps(own)
    return body


def restore(client: "CoreV1Api", pod: Pod, say: Callable[[str], object]) -> None:
    """Give a pod its own share, from a thread of its own: its task need not wait for it.

    Args:
        client: of the cluster.
        pod: as it was claimed.
        say: takes why it cannot be.
    """
    own: dict[str, str] = json.loads(pod["metadata"]["annotations"].get(pods.CPU, "{}"))
    if not own:
        return
    containers = [
        {"name": name, "resources": {"requests": {"cpu": cpu}}} for name, cpu in own.items()
    ]

    def change() -> None:
        try:
            pods.resize_pod(client, pod, {"spec": {"containers": containers}})
        except failures() as error:
            say(
                f"the pod {pod_status.name_of(pod)} keeps the least share of a processor, with "
                f"which it has waited: {explain(error)}"
            )

    threading.Thread(target=change, daemon=True).start()
