"""Drift is told of the version that answers, by a whole window of its own forecasts."""

from podline.iot.drift import Drift


def test_an_error_is_told_of_a_whole_window() -> None:
    drift = Drift(window=2, threshold=1.5)
    drift.see(1, 1.0, 4.0, lambda: 2.0)
    assert drift.mean is None
    drift.see(1, 3.0, 6.0, lambda: 2.0)
    assert (drift.mean, drift.baseline, drift.expected) == (2.0, 5.0, 2.0)
    drift.see(1, 5.0, 6.0, lambda: 2.0)
    assert (drift.mean, drift.baseline) == (4.0, 6.0)


def test_another_version_begins_anew() -> None:
    drift = Drift(window=1, threshold=1.5)
    drift.see(1, 9.0, 9.0, lambda: 2.0)
    drift.window = 2
    drift.see(2, 1.0, 1.0, lambda: 3.0)
    assert (drift.mean, drift.version, drift.expected) == (None, 2, 3.0)


def test_the_threshold_is_of_the_evaluations_error() -> None:
    drift = Drift(window=1, threshold=1.5)
    drift.see(1, 0.0, 0.0, lambda: 2.0)
    assert not drift.is_beyond(3.0)
    assert drift.is_beyond(3.1)


def test_a_version_without_an_evaluation_does_not_drift() -> None:
    drift = Drift(window=1, threshold=1.5)
    drift.see(1, 0.0, 0.0, lambda: None)
    assert not drift.is_beyond(1e9)
