"""Which nodes a rollout goes to: those that registered, a cluster's, or some URLs'."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from podline.exceptions import PodlineError
from podline.fleet.member import Target
from podline.fleet.records import read_fleet
from podline.store import Store

LABEL = "podline.dev/edge"  # of the pods that are edges
_PORT = 8500  # of a pod that does not say which
_REQUEST: dict[str, Any] = {"_preload_content": False, "_request_timeout": (5, 30)}


class DiscoveryError(PodlineError):
    """Nodes cannot be found."""


def registered(store: Store, model: str) -> list[Target]:
    """The nodes of the store that serve a model.

    Args:
        store: where they registered.
        model: the model's name.
    """
    return [
        Target(node.name, node.address)
        for node in read_fleet(store)
        if any(served.name == model for served in node.models)
    ]


def at(addresses: Sequence[str]) -> list[Target]:
    """The nodes at these URLs, named by them.

    Raises:
        DiscoveryError: one is no URL of a server.
    """
    found = {}
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DiscoveryError(
                f"{address!r} is no URL of a node: give one such as http://10.0.0.7:8500"
            )
        url = address.rstrip("/")
        found[url] = Target(url.partition("://")[2], url)
    return list(found.values())


def labelled(selector: str = LABEL, namespace: str | None = None) -> list[Target]:
    """The pods of the cluster with a label, at the port that is named `http`.

    Args:
        selector: which, as Kubernetes has it: ``podline.dev/edge``, ``app=edge``.
        namespace: where; by default, everywhere.

    Raises:
        DiscoveryError: there is no cluster, or it does not tell.
    """
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        try:
            config.load_incluster_config()
        except config.ConfigException:
            config.load_kube_config()
        core = client.CoreV1Api()
        if namespace is None:
            answer = core.list_pod_for_all_namespaces(label_selector=selector, **_REQUEST)
        else:
            answer = core.list_namespaced_pod(namespace, label_selector=selector, **_REQUEST)
    except config.ConfigException as error:
        raise DiscoveryError(
            f"there is no cluster to find nodes in: {error}. fix: run inside it, or set KUBECONFIG"
        ) from None
    except client.ApiException as error:
        raise DiscoveryError(
            f"the cluster does not list the pods with {selector!r}: {error.status} {error.reason}. "
            "fix: allow the account to list pods"
        ) from None
    except HTTPError as error:
        raise DiscoveryError(f"the cluster does not answer: {error}") from None
    found = [_target(pod) for pod in json.loads(answer.data)["items"]]
    return sorted((target for target in found if target), key=lambda target: target.name)


def _target(pod: dict[str, Any]) -> Target | None:
    """A pod's node; None: it has no address, or is about to end."""
    address = pod.get("status", {}).get("podIP")
    if not address or "deletionTimestamp" in pod["metadata"]:
        return None
    ports = [port for one in pod["spec"]["containers"] for port in one.get("ports", [])]
    number = next((port["containerPort"] for port in ports if port.get("name") == "http"), _PORT)
    host = f"[{address}]" if ":" in address else address
    return Target(pod["metadata"]["name"], f"http://{host}:{number}")
