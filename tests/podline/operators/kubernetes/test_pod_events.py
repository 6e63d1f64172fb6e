"""What a pod's events tell of its image's way to the node."""

from typing import Any

import pytest

from podline.latency.observations import Pull
from podline.operators.kubernetes import pod_events


def event(reason: str, message: str = "", count: int = 1, at: str = "00") -> dict[str, Any]:
    about = {"creationTimestamp": "2026-03-01T09:59:00Z"}
    said = {"reason": reason, "message": message, "count": count}
    return {**said, "lastTimestamp": f"2026-03-01T10:00:{at}Z", "metadata": about}


SCHEDULED, PULLING = event("Scheduled"), event("Pulling")
PULLED = 'Successfully pulled image "i" in 1.25s (2.5s including waiting). Image size: 9 bytes.'


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], None),
        ([SCHEDULED], None),
        ([SCHEDULED, event("Pulled", 'Container image "i" already present on machine')], Pull(0)),
        ([PULLING], Pull(None)),
        ([PULLING, event("Pulled", PULLED)], Pull(2.5)),
        ([PULLING, event("Pulled", 'Successfully pulled image "i" in 80ms')], Pull(0.08)),
        ([PULLING, event("Pulled", "in words of a later version")], None),
    ],
)
def test_pull(said: list[dict[str, Any]], expected: Pull | None) -> None:
    assert pod_events.pull_in(said) == expected


def test_after_several_attempts_the_last_one_counts() -> None:
    said = [event("Pulling", count=2), event("BackOff", count=3), event("Pulled", PULLED, at="30")]
    found = pod_events.pull_in(said)
    assert found
    assert found.until == pod_events.time_of(said[-1])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("345ms", 0.345), ("1.2s", 1.2), ("1m2.5s", 62.5), ("1h0m1s", 3601), ("12µs", 12e-6)],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert pod_events.duration(text) == pytest.approx(seconds)


def test_what_is_kept_of_an_event() -> None:
    (kept,) = pod_events.brief([event("Failed", "x" * 5000, count=4, at="07")])
    assert (kept.reason, kept.count, len(kept.message)) == ("Failed", 4, 1000)


def test_an_event_of_the_newer_kind() -> None:
    series = {"count": 5, "lastObservedTime": "2026-03-01T10:00:09Z"}
    newer = {"metadata": {}, "eventTime": "2026-03-01T10:00:00.250000Z", "series": series}
    assert pod_events.count_of(newer) == 5
    assert pod_events.time_of(newer) == pod_events.time_of(event("x", at="09"))
