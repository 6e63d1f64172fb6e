"""Numbers as a reader wants them."""

import math

import pytest

from podline_studies.reports import formatting
from podline_studies.reports.estimates import arithmetic


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.012"),
        (1.2345, "1.23"),
        (12.345, "12.3"),
        (123.45, "123"),
        (12345, "12,345"),
        (0.9996, "1.00"),
        (9.999, "10.0"),
        (-0.5, "−0.500"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.05, "5.0 %"),
        (0.1234, "12.3 %"),
        (1.5, "150 %"),
        (-0.031, "−3.1 %"),
        (25, "2,500 %"),
        (math.nan, "–"),
    ],
)
def test_percentages(share: float, text: str) -> None:
    assert formatting.percent(share) == text.replace(" ", formatting.SPACE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (500, "500"),
        (10_000, "10 k"),
        (999_999.9, "1 M"),
        (1_500_000, "1.5 M"),
        (2e9, "2 G"),
        (math.nan, "default"),
    ],
)
def test_sizes(value: float, text: str) -> None:
    assert formatting.size(value) == text.replace(" ", formatting.SPACE)


def test_bytes_are_in_powers_of_ten() -> None:
    sizes = [formatting.data_bytes(value) for value in (12, 1.2e4, 3.4e6, 8.5e9, math.nan)]
    assert [size.replace(formatting.SPACE, " ") for size in sizes] == [
        "12 B",
        "12 kB",
        "3.4 MB",
        "8.5 GB",
        "–",
    ]


def test_an_estimate_has_its_interval_or_all_its_values() -> None:
    assert formatting.estimate(arithmetic([1, 3] * 4), formatting.number) == "2.00 (1.11 to 2.89)"
    assert formatting.estimate(arithmetic([1, 3]), formatting.number) == "2.00 (each: 1.00, 3.00)"
    assert formatting.estimate(arithmetic([1]), formatting.number) == "1.00"
    assert formatting.estimate(arithmetic([]), formatting.number) == "not measured"


def test_lists_and_counts() -> None:
    assert [formatting.listed("abc"[:length]) for length in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [formatting.count(number, "run") for number in (0, 1, 1200)] == [
        "0 runs",
        "1 run",
        "1,200 runs",
    ]
