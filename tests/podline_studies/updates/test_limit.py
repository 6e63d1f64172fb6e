"""What a link allows, where it can be worked out by hand."""

import pytest

from podline_studies.updates.limit import INITIAL, from_a_start, limit


@pytest.mark.parametrize(
    ("size", "rate", "rtt", "seconds"),
    [
        (12.5e6, 100e6, 0.05, 1.05),  # a second of bytes, and the request's round trip
        (100_000, 10e6, 0.2, 0.28),
        (8e6, 100e6, 0.0, 0.64),
    ],
)
def test_a_transfer_takes_its_bytes_and_a_round_trip(
    size: float, rate: float, rtt: float, seconds: float
) -> None:
    assert limit(size, rate / 8, rtt) == pytest.approx(seconds)


def test_what_fits_into_the_first_window_takes_no_longer_by_tcp() -> None:
    assert from_a_start(INITIAL, 12.5e6, 0.1) == limit(INITIAL, 12.5e6, 0.1)


def test_a_window_that_doubles_each_round_trip() -> None:
    """Seven segments' windows: 10, 20 and 40 fill three round trips, the rest comes in a fourth."""
    size = 70 * 1448 + 1000
    assert from_a_start(size, 12.5e6, 0.1) == pytest.approx(0.1 + 3 * 0.1 + 1000 / 12.5e6)


def test_a_full_link_is_full() -> None:
    """At 20 ms it holds 250 kB: the windows before that are 14, 29, 58, 116 and 232 kB."""
    small, large = (from_a_start(size, 12.5e6, 0.02) for size in (8e6, 16e6))
    assert large - small == pytest.approx(8e6 / 12.5e6)
    assert small == pytest.approx(0.02 + 5 * 0.02 + (8e6 - 31 * INITIAL) / 12.5e6)


@pytest.mark.parametrize("rtt", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("size", [1, 50_000, 8e6, 100e6])
def test_no_start_is_faster_than_the_link(size: float, rtt: float) -> None:
    assert from_a_start(size, 12.5e6, rtt) >= limit(size, 12.5e6, rtt) - 1e-9
