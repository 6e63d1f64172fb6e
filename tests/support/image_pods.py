"""The images, and pods of them as stages have them."""

import secrets
from pathlib import Path
from typing import Any

import yaml

from podline import __version__

ROOT = Path(__file__).parents[2]
VALUES = ROOT / "helm-values"
BASE = f"podline-stage:{__version__}"
TENSORFLOW = f"podline-stage-tensorflow:{__version__}"
UPLOADS = f"podline-uploads:{__version__}"
REGISTRY = "127.0.0.1:5050/docker.io/library/"  # of the tests' cluster: the images by other names


def manifests(name: str) -> list[dict[str, Any]]:
    """The documents of a file of helm-values."""
    return list(yaml.safe_load_all((VALUES / name).read_text()))


def pod(image: str, *command: str, **spec: Any) -> dict[str, Any]:
    """A pod as stages have it; `container` in `spec` adds to its container, `labels` are its own."""
    container = {
        "name": "stage",
        "image": image,
        "imagePullPolicy": "Never",
        "command": list(command),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "metadata": {"name": f"pod-{secrets.token_hex(4)}", "labels": spec.pop("labels", {})},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container | spec.pop("container", {})],
            **spec,
        },
    }


def read_log(core: Any, namespace: str, name: str) -> str:
    """The output of a pod; the client's own way gives the repr of bytes."""
    response = core.read_namespaced_pod_log(name, namespace, _preload_content=False)
    text: str = response.data.decode()
    return text
