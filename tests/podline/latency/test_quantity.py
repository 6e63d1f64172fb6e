"""Kubernetes' quantities as numbers."""

import pytest

from podline.latency.quantity import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2.0), ("100m", 0.1), ("0.5", 0.5), ("512Mi", 512 * 2**20), ("2G", 2e9), ("1e3", 1000.0)],
)
def test_a_quantity_is_a_number(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "Mi", "1 Gi", "3X"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)
