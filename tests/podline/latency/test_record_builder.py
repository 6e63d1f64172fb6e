"""What a record says of an error."""

import pytest

from podline.latency import record_builder


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("rows"), "KeyError: 'rows'"),
        (ValueError("a\nb"), "ValueError: a\nb"),
        (AssertionError(), "AssertionError"),
        (SystemExit(2), "SystemExit: 2"),
        ("marked by hand", "marked by hand"),
        (None, ""),
    ],
)
def test_an_error_keeps_its_type(error: BaseException | str | None, said: str) -> None:
    assert record_builder._named_error(error) == said
