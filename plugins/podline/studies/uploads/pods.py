"""A visit in a pod, as a publish stage would upload; over netem where the link is none of ours."""

import json
import time
from collections.abc import Mapping
from typing import Any

from podline import settings
from podline.exceptions import PodlineError
from podline.uploads.links import LinkSpec

NETEM_QUEUE = 100_000  # packets: a link's delay must not lose any
_START = 120.0  # seconds
_POLL = 0.1
_GRACE = 0


class PodError(PodlineError):
    """A visit's pod did not do what it should."""


def run(
    core: Any, variables: Mapping[str, str], secrets: Mapping[str, str], link: LinkSpec | None
) -> str:
    """Run a visit in a new pod, which is deleted at the end.

    Args:
        core: the cluster's API.
        variables: the environment that is no secret.
        secrets: connections, by their variables' names.
        link: what the pod's own network is to be like, by netem; None: it is left as it is.

    Returns:
        What it printed.

    Raises:
        PodError: it did not start, or failed.
    """
    namespace = settings.namespace()
    made = core.create_namespaced_secret(
        namespace, {"metadata": {"generateName": "podline-uploads-"}, "stringData": dict(secrets)}
    )
    secret = made.metadata.name
    try:
        pod = core.create_namespaced_pod(namespace, manifest(variables, secrets, secret, link))
        name = pod.metadata.name
        try:
            phase = _wait(core, namespace, name)
            printed: str = core.read_namespaced_pod_log(name, namespace, container="visit")
        finally:
            core.delete_namespaced_pod(name, namespace, grace_period_seconds=_GRACE)
    finally:
        core.delete_namespaced_secret(secret, namespace)
    if phase != "Succeeded":
        raise PodError(f"the visit's pod failed: {printed.strip()[-1000:] or phase}")
    return printed


def manifest(
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    secret: str,
    link: LinkSpec | None,
) -> dict[str, Any]:
    """The pod of a visit; see `run`."""
    from kubernetes.client import ApiClient

    from podline.operators.manifest import container_security, pod_security

    plain = ApiClient().sanitize_for_serialization
    environment: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in variables.items()
    ]
    environment += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
        for name in secrets
    ]
    image = settings.image("uploads")
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "nodeSelector": settings.node_selector(),
        "tolerations": settings.tolerations(),
        "securityContext": plain(pod_security()),
        "containers": [
            {
                "name": "visit",
                "image": image,
                "command": ["python", "-m", "podline.studies.uploads.visiting"],
                "env": environment,
                "securityContext": plain(container_security()),
                "resources": {"requests": settings.requests(), "limits": settings.limits()},
            }
        ],
    }
    if link is not None:
        spec["initContainers"] = [_netem(image, link)]
    return {"metadata": {"generateName": "podline-visit-"}, "spec": spec}


def _netem(image: str, link: LinkSpec) -> dict[str, Any]:
    """Delays what the pod sends, and by an intermediate device what it gets, each by half.

    The namespace must admit it: Pod Security "privileged".
    """
    half = f"{link.rtt / 2 * 1000:g}ms"
    jitter = f" {link.jitter * 1000:g}ms" if link.jitter else ""
    rate = f" rate {link.rate:.0f}bit" if link.rate else ""
    loss = f" loss {link.loss * 100:g}%" if link.loss else ""
    netem = f"netem delay {half}{jitter}{rate}{loss} limit {NETEM_QUEUE}"
    script = (
        "set -e; "
        f"tc qdisc add dev eth0 root {netem}; "
        "ip link add ifb0 type ifb; ip link set ifb0 up; "
        "tc qdisc add dev eth0 handle ffff: ingress; "
        "tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev ifb0; "
        f"tc qdisc add dev ifb0 root {netem}"
    )
    return {
        "name": "link",
        "image": image,
        "command": ["sh", "-c", script],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }


def _wait(core: Any, namespace: str, name: str) -> str:
    """Wait until the pod has ended; returns its phase."""
    began, started = time.monotonic(), False
    while True:
        status = core.read_namespaced_pod_status(name, namespace).status
        if status.phase in ("Succeeded", "Failed"):
            return str(status.phase)
        started = started or status.phase == "Running"
        if not started and time.monotonic() - began > _START:
            why = _waiting(status)
            raise PodError(f"the visit's pod did not start within {_START:.0f} s: {why}")
        time.sleep(_POLL)


def _waiting(status: Any) -> str:
    """What keeps a pod from starting."""
    states = [*(status.init_container_statuses or ()), *(status.container_statuses or ())]
    found = [s.state.waiting for s in states if s.state and s.state.waiting]
    told = [f"{w.reason}: {w.message or ''}".strip(": ") for w in found]
    conditions = [c.message for c in status.conditions or () if c.message]
    return "; ".join([*told, *conditions]) or json.dumps(status.phase)
