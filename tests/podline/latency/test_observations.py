"""What is seen of a try goes on with it, as JSON, to the process that resumes it."""

import pytest

from podline.latency.observations import LostTry, Moments, Observed, PodFacts, PodTimes


def test_what_is_seen_survives_a_deferral() -> None:
    lost = Observed(Moments(execute=1.0), PodTimes(created=2.0, ended=3.0), pod=PodFacts(pod="p"))
    seen = Observed(Moments(execute=4.5), backend="kubernetes", prefix="runs/d", deferred=True)
    seen.lost += (LostTry(1, 0.5, lost),)
    assert Observed.from_json(seen.to_json()) == seen


def test_a_moment_that_there_is_not_is_an_error() -> None:
    with pytest.raises(TypeError, match="exceute"):
        Moments(**{"exceute": 1.0})


def test_what_is_known_of_moments() -> None:
    moments = Moments(created=1.0)
    moments.heard = 0.0
    assert moments.known() == {"created": 1.0, "heard": 0.0}
