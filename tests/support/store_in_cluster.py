"""A store as a service of the cluster, in a namespace of a test's own."""

from typing import Any

from podline.store import StoreConnection, in_cluster
from tests.support.image_pods import manifests
from tests.support.waiting import until


def have_store(core: Any, namespace: str) -> StoreConnection:
    """Make it, with new keys; returns its connection, once its pod says that it is ready."""
    from kubernetes import utils

    items = [*in_cluster.new_secrets(namespace), *manifests("object-store.yaml")]
    utils.create_from_dict(core.api_client, {"kind": "List", "items": items}, namespace=namespace)
    wait_ready(core, namespace)
    return in_cluster.connection(namespace)


def wait_ready(core: Any, namespace: str, other_than: str = "") -> str:
    """Wait until the store's pod is ready; returns its uid."""

    def ready() -> str | None:
        for item in core.list_namespaced_pod(namespace, label_selector="app=object-store").items:
            conditions = {c.type: c.status for c in item.status.conditions or ()}
            if conditions.get("Ready") == "True" and item.metadata.uid != other_than:
                return str(item.metadata.uid)
        return None

    return str(until(ready, 180))
