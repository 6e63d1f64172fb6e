"""What a stage's pod is: every default, and what settings and tags say over it.

A pod is admitted under Pod Security "restricted". It has no volume and no token of a service
account, since each volume keeps a pod from starting for 0.3 s, and nothing in it calls the
cluster.
"""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from kubernetes.client import models as k8s

from podline import secrecy, settings
from podline.airflow_compat import make_pod
from podline.compiler.tags import StageSettings
from podline.contract import StageTask
from podline.operators.backend import TryContext, stage_variables
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.pod_status import CONTAINER, STAGE_LABEL
from podline.operators.resources import Resources
from podline.store.connection import variable

if TYPE_CHECKING:
    from podline.compiler.pipeline import Pipeline

USER = 10001  # of our images
HOME = "/home/podline"
_LONGEST_NAME = 63
_TENSORFLOW = frozenset({"tensorflow", "keras", "tf_keras"})

_Parameters = dict[str, Any]  # of KubernetesPodOperator


@dataclass(frozen=True)
class Identity:
    """What tells a pod from all others: its name, and its marks beside those of its tags."""

    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_try(cls, task: StageTask, ti: Any) -> Self:
        """The identity of the pod of a try.

        Args:
            task: what it runs.
            ti: Airflow's task instance.
        """
        annotations = {
            pods.NONCE: task.nonce,
            pods.PREFIX: task.prefix,
            pods.WORK: task.work,
            pods.TRY: str(ti.try_number),
            pods.TRIES: str(ti.max_tries),
            pods.START: str(ti.start_date.timestamp()),
            pods.EXECUTE: str(time.time()),
        }
        return cls(name_of(task.prefix, task.nonce), annotations)

    def parameters(self, tags: StageSettings) -> _Parameters:
        """The operator's parameters for it; `tags`: the stage's settings."""
        return {
            "name": self.name,
            "random_name_suffix": False,
            "labels": {**tags.labels, **self.labels, STAGE_LABEL: "stage"},
            "annotations": {**tags.annotations, **self.annotations},
            "cmds": ["python", "-m", "podline.runner"],
        }


def pod_of(
    wanted: TryContext, identity: Identity, variables: Mapping[str, str], secret: str
) -> k8s.V1Pod:
    """The pod of a try.

    Args:
        wanted: the try.
        identity: what tells the pod from all others.
        variables: what is no secret, for its environment.
        secret: name of the Secret with the store's connection.
    """
    operator, tags = wanted.operator, wanted.tags
    given = _defaults(wanted.pipeline)
    given = {name: getattr(operator, name) or value for name, value in given.items()}
    given |= _from_tags(tags, given["container_resources"])
    for name, value in identity.parameters(tags).items():
        mine = getattr(operator, name)
        both = isinstance(value, dict) and isinstance(mine, dict)
        given[name] = {**mine, **value} if both else value
    given["env_vars"] = [*operator.env_vars, *_environment(tags, variables, secret)]
    given["full_pod_spec"] = operator.full_pod_spec or _base_pod()
    return make_pod(operator, wanted.context, given)


def pod_security() -> k8s.V1PodSecurityContext:
    """No root, and the container runtime's own filter of system calls."""
    return k8s.V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER if settings.read_only_root() else None,
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
    )


def container_security() -> k8s.V1SecurityContext:
    """No way to more rights."""
    return k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
        read_only_root_filesystem=bool(settings.read_only_root()),
    )


def _defaults(pipeline: "Pipeline") -> _Parameters:
    """The operator's parameters that settings give where its author gave none."""
    return {
        "image": settings.image(_target_of(pipeline)),
        "namespace": settings.namespace(),
        "node_selector": settings.node_selector(),
        "tolerations": settings.tolerations(),
        "service_account_name": settings.service_account(),
        "pod_template_file": settings.pod_template(),
        "security_context": pod_security(),
        "container_security_context": container_security(),
        "termination_grace_period": pods.GRACE_SECONDS,
        "container_resources": k8s.V1ResourceRequirements(
            requests=settings.requests(), limits=settings.limits()
        ),
    }


def _from_tags(tags: StageSettings, resources: k8s.V1ResourceRequirements) -> _Parameters:
    """The operator's parameters that a stage's tags give.

    Args:
        tags: the stage's settings.
        resources: what holds where they say nothing.
    """
    said = Resources(resources.requests or {}, resources.limits or {})
    both = Resources(tags.requests, tags.limits).over(said)
    given: _Parameters = {"container_resources": k8s.V1ResourceRequirements(**both._asdict())}
    if tags.image:
        given["image"] = tags.image
    if tags.timeout:
        given["active_deadline_seconds"] = math.ceil(tags.timeout)
    return given


def _environment(
    tags: StageSettings, variables: Mapping[str, str], secret: str
) -> list[k8s.V1EnvVar]:
    """The container's environment.

    Args:
        tags: the stage's settings.
        variables: what is no secret.
        secret: name of the Secret with the store's connection.
    """
    conn_id = settings.store_conn_id()
    connection = variable(conn_id)
    ours = {**stage_variables(conn_id), **variables}
    if tags.secrets:
        ours[secrecy.VARIABLE] = ",".join(tags.secrets)
    return [
        *(k8s.V1EnvVar(name=name, value=value) for name, value in ours.items()),
        _from_secret(connection, secret, connection),
        *(_from_secret(name, key.name, key.key) for name, key in tags.secrets.items()),
    ]


def _base_pod() -> k8s.V1Pod:
    """What the operator has no parameter for."""
    size = settings.read_only_root()
    container = k8s.V1Container(name=CONTAINER)
    spec = k8s.V1PodSpec(
        containers=[container],
        enable_service_links=False,
        automount_service_account_token=False,
        # The store's name is asked for as it is, not below each domain of the cluster first: many
        # stages at once are many questions. Names of fewer dots are looked for there, as ever.
        dns_config=k8s.V1PodDNSConfig(options=[k8s.V1PodDNSConfigOption(name="ndots", value="2")]),
    )
    if size:
        spec.volumes = [
            k8s.V1Volume(name="work", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=size))
        ]
        container.volume_mounts = [k8s.V1VolumeMount(name="work", mount_path=HOME)]
    return k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=spec)


def _target_of(pipeline: "Pipeline") -> str:
    """Which image a notebook's stages need: ``base`` or ``tensorflow``."""
    return "tensorflow" if _TENSORFLOW & set(pipeline.modules.values()) else "base"


def name_of(prefix: str, word: str) -> str:
    """A name that a try has alone, so that it makes one pod however often it is asked for.

    Args:
        prefix: the folder of the try.
        word: what tells it from the stage's other pods.
    """
    dag, _, stage = prefix.split("/")[1:4]
    words = re.sub(r"[^a-z0-9]+", "-", f"{dag}-{stage}".lower()).strip("-")
    room = _LONGEST_NAME - len(word) - 1
    return f"{words[:room].strip('-') or 'podline'}-{word}"


def _from_secret(name: str, secret: str, key: str) -> k8s.V1EnvVar:
    selector = k8s.V1SecretKeySelector(name=secret, key=key)
    return k8s.V1EnvVar(name=name, value_from=k8s.V1EnvVarSource(secret_key_ref=selector))
