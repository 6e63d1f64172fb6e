"""Secrets of connections in the cluster, named by what they hold: it is made once."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from podline.operators.kubernetes.pods import REQUEST, failures, status_of

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api


def have_secret(client: "CoreV1Api", namespace: str, content: Mapping[str, str]) -> str:
    """Have connections in a Secret; returns its name.

    Args:
        client: of the cluster.
        namespace: where.
        content: the connections, by their variables' names.

    Raises:
        ApiException: it cannot be made.
    """
    digest = hashlib.sha256(json.dumps(dict(content), sort_keys=True).encode()).hexdigest()
    name = f"podline-store-{digest[:16]}"
    data = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
    body = {"metadata": {"name": name, "labels": {"podline": "store"}}, "data": data}
    try:
        client.create_namespaced_secret(namespace, body, **REQUEST).drain_conn()
    except failures() as error:
        if status_of(error) != 409:  # it is there
            raise
    return name
