"""What a cluster said of a pod in its events, and what that tells of the image's way to the node.

Events are the API's JSON
(https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/).
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from podline.latency.observations import Event, Pull
from podline.operators.kubernetes import pods
from podline.secrecy import redacted

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

Said = Mapping[str, Any]

_LONGEST = 1000  # characters of a message
_PULLED = re.compile(r"in (\d\S*)(?: \((\d\S*) including waiting\))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|µs|us|ns|h|m|s)")  # as Go writes it
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


def read_events(client: "CoreV1Api", namespace: str, uid: str) -> list[Said]:
    """Read the events of a pod, the oldest first; they stay for a while when it is deleted.

    Args:
        client: of the cluster.
        namespace: the pod's.
        uid: the pod's.

    Raises:
        ApiException: they may not be listed.
    """
    which = f"involvedObject.uid={uid}"
    soon = pods.REQUEST | {"_request_timeout": (pods.CONNECT_SECONDS, pods.CONNECT_SECONDS)}
    response = client.list_namespaced_event(namespace, field_selector=which, limit=100, **soon)
    return sorted(json.loads(response.data)["items"], key=_place)


def _place(event: Said) -> tuple[int, str]:
    """Where an event stands: most have whole seconds, but the name ends with when it first came."""
    return int(time_of(event)), event["metadata"]["name"]


def brief(events: Sequence[Said]) -> tuple[Event, ...]:
    """What is kept of events."""
    return tuple(
        Event(
            reason=str(event.get("reason") or ""),
            message=redacted(str(event.get("message") or ""))[:_LONGEST],
            at=time_of(event),
            count=count_of(event),
        )
        for event in events
    )


def time_of(event: Said) -> float:
    """When an event was last seen, in seconds since the epoch."""
    series, about = event.get("series") or {}, event["metadata"]
    seen = (series.get("lastObservedTime"), event.get("lastTimestamp"))
    stamps = (*seen, event.get("eventTime"), about.get("creationTimestamp"))
    return max(datetime.fromisoformat(stamp).timestamp() for stamp in stamps if stamp)


def pull_in(events: Sequence[Said]) -> Pull | None:
    """Say how the image came to the node; None: the events do not tell."""
    by_reason = {event.get("reason"): event for event in events}
    pulled, pulling = by_reason.get("Pulled"), by_reason.get("Pulling")
    if pulled is None:
        return Pull(None) if pulling else None
    message = pulled.get("message") or ""
    if "already present" in message:
        return Pull(0.0)
    found = _PULLED.search(message)
    if found is None:
        return None
    # The first counts only the transfer, the second also the node's queue of pulls.
    seconds = duration(found[2] or found[1])
    again = any(count_of(event) > 1 for event in (pulling, by_reason.get("BackOff")) if event)
    return Pull(seconds, time_of(pulled) if again else None)


def count_of(event: Said) -> int:
    """How often an event was seen."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def duration(text: str) -> float:
    """The seconds of a duration as Go writes it: ``1m2.5s``, ``345ms``."""
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
