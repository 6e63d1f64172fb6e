"""A batch in a pod, as a publish stage would upload; over netem where no delay link lies."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.exceptions import PodlineError
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.secrets import have_secret
from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.delay_link.sink import PORT

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1Container, V1EnvVar, V1Pod

NETEM_QUEUE = 100_000  # packets: a link's delay must not lose any
_STUDY_LABEL = "podline-study"
_BATCH, _LINK, _SINK = "batch", "link", "sink"  # containers
_PYTHON = ("python", "-m")
_START = 120.0  # seconds
_POLL = 0.1


class PodError(PodlineError):
    """A batch's pod did not do what it should."""


def clear(core: "CoreV1Api", study: str, link: LinkSpec | None = None) -> None:
    """Delete what a worker that died has left of a study: its pod would upload beside the next.

    Args:
        core: the cluster's API.
        study: its name.
        link: as for `run`.

    Raises:
        PodError: the cluster refuses.
    """
    for namespace in {settings.namespace(), _namespace(link)}:
        with _explained(namespace):
            selector = f"{_STUDY_LABEL}={_digest(study)}"
            for pod in core.list_namespaced_pod(namespace, label_selector=selector).items:
                core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)


def run(
    core: "CoreV1Api",
    study: str,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    link: LinkSpec | None = None,
) -> str:
    """Run a batch in a new pod, which is deleted at the end.

    Args:
        core: the cluster's API.
        study: its name.
        variables: the environment that is no secret.
        secrets: connections, by their variables' names.
        link: what the pod's own network is to be like, by netem, for which it is in a namespace
            that allows that; None: it is left as it is.

    Returns:
        What it printed.

    Raises:
        PodError: it did not start, or failed.
    """
    namespace = _namespace(link)
    with _explained(namespace):
        secret = have_secret(core, namespace, secrets)
    with _pod(core, namespace, manifest(study, variables, secrets, secret, link)) as name:
        phase = _wait(core, namespace, name, ("Succeeded", "Failed")).phase
        printed = _log_of(core, namespace, name, _BATCH)
        if phase == "Succeeded":
            return printed
        if link is not None and not printed:
            raise PodError(
                "the pod's init container could make no link: "
                f"{_log_of(core, namespace, name, _LINK).strip() or phase}. Its node's kernel "
                "needs the modules sch_netem, ifb and act_mirred"
            )
    raise PodError(f"the batch's pod failed: {printed.strip()[-1000:] or phase}")


@contextmanager
def sinking(core: "CoreV1Api", study: str) -> Iterator[str]:
    """A pod that takes what probes of a study send; yields its address.

    Raises:
        PodError: it does not start.
    """
    namespace = settings.namespace()
    command = [*_PYTHON, "podline_studies.uploads.delay_link.sink", "0.0.0.0", str(PORT)]
    with _pod(core, namespace, _manifest(_SINK, study, command)) as name:
        status = _wait(core, namespace, name, ("Running", "Succeeded", "Failed"))
        if status.phase != "Running":
            said = _log_of(core, namespace, name, _SINK).strip()
            raise PodError(f"the pod of the probes' other end failed: {said or status.phase}")
        while not _log_of(core, namespace, name, _SINK):  # it says when it is ready
            time.sleep(_POLL)
        yield str(status.pod_ip)


# --- manifests


def manifest(
    study: str,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    secret: str,
    link: LinkSpec | None = None,
) -> "V1Pod":
    """The pod of a batch.

    Args:
        study: its name.
        variables: the environment that is no secret.
        secrets: connections, by their variables' names.
        secret: name of the Secret that has the connections.
        link: of the pod; see `run`.
    """
    from kubernetes.client import V1EnvVar, V1EnvVarSource, V1SecretKeySelector

    environment = [V1EnvVar(name=name, value=value) for name, value in variables.items()]
    for name in secrets:
        selector = V1SecretKeySelector(name=secret, key=name)
        environment.append(V1EnvVar(name, value_from=V1EnvVarSource(secret_key_ref=selector)))
    pod = _manifest(_BATCH, study, [*_PYTHON, "podline_studies.uploads.batch"], environment)
    if link is not None:
        pod.spec.init_containers = [_netem(link)]
    return pod


def _manifest(
    name: str, study: str, command: Sequence[str], environment: Sequence["V1EnvVar"] = ()
) -> "V1Pod":
    """A pod of one container, which "restricted" admits."""
    from kubernetes import client as k8s

    from podline.operators.kubernetes.manifest import container_security, pod_security

    container = k8s.V1Container(
        name=name,
        image=settings.image("uploads"),
        command=list(command),
        env=list(environment),
        security_context=container_security(),
        resources=k8s.V1ResourceRequirements(
            requests=settings.requests(), limits=settings.limits()
        ),
    )
    spec = k8s.V1PodSpec(
        restart_policy="Never",
        enable_service_links=False,
        automount_service_account_token=False,
        node_selector=settings.node_selector(),
        tolerations=settings.tolerations(),
        security_context=pod_security(),
        containers=[container],
    )
    labels = {_STUDY_LABEL: _digest(study)}
    about = k8s.V1ObjectMeta(generate_name=f"podline-{name}-", labels=labels)
    return k8s.V1Pod(metadata=about, spec=spec)


def _digest(study: str) -> str:
    """What stands for a study's name, for which a label's value may be too short."""
    return hashlib.sha256(study.encode()).hexdigest()[:32]


def _namespace(link: LinkSpec | None) -> str:
    return settings.namespace() if link is None else settings.link_namespace()


def _netem(link: LinkSpec) -> "V1Container":
    """Delays what the pod sends, and by an intermediate device what it gets, each by half."""
    from kubernetes.client import V1Capabilities, V1Container, V1SecurityContext

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
    security = V1SecurityContext(
        run_as_user=0,
        run_as_non_root=False,
        allow_privilege_escalation=False,
        capabilities=V1Capabilities(drop=["ALL"], add=["NET_ADMIN"]),
    )
    return V1Container(
        name=_LINK,
        image=settings.image("uploads"),
        command=["sh", "-c", script],
        security_context=security,
    )


# --- the cluster's answers


@contextmanager
def _pod(core: "CoreV1Api", namespace: str, body: "V1Pod") -> Iterator[str]:
    """A new pod, which is deleted at the end; yields its name."""
    with _explained(namespace):
        name: str = core.create_namespaced_pod(namespace, body).metadata.name
    try:
        yield name
    finally:
        with suppress(*pods.failures()):  # it is gone already
            core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


@contextmanager
def _explained(namespace: str) -> Iterator[None]:
    try:
        yield
    except pods.failures() as error:
        status, why = getattr(error, "status", None), pods.explain(error)
        fix = ""
        if status in (403, 404) and namespace == settings.link_namespace():
            fix = (
                ". fix: kubectl apply -f helm-values/links-namespace.yaml, which admits "
                '"privileged" pods, or name another namespace in [podline] link_namespace'
            )
        raise PodError(
            f"the cluster refused a batch's pod in the namespace {namespace!r}: {why}{fix}"
        ) from None


def _log_of(core: "CoreV1Api", namespace: str, name: str, container: str) -> str:
    """What a container printed; the client's own way gives the repr of bytes."""
    try:
        response = core.read_namespaced_pod_log(
            name, namespace, container=container, _preload_content=False
        )
    except pods.failures():  # it never ran
        return ""
    text: str = response.data.decode(errors="replace")
    return text


def _wait(core: "CoreV1Api", namespace: str, name: str, phases: Sequence[str]) -> Any:
    """Wait until the pod is in one of some phases; returns its status."""
    began, started = time.monotonic(), False
    while True:
        status = core.read_namespaced_pod(name, namespace).status
        if status.phase in phases:
            return status
        started = started or status.phase == "Running"
        if not started and time.monotonic() - began > _START:
            why = _waiting(status)
            raise PodError(f"the pod {name} did not start within {_START:.0f} s: {why}")
        time.sleep(_POLL)


def _waiting(status: Any) -> str:
    """What keeps a pod from starting."""
    states = [*(status.init_container_statuses or ()), *(status.container_statuses or ())]
    found = [s.state.waiting for s in states if s.state and s.state.waiting]
    told = [f"{w.reason}: {w.message or ''}".strip(": ") for w in found]
    conditions = [c.message for c in status.conditions or () if c.message]
    return "; ".join([*told, *conditions]) or json.dumps(status.phase)
