"""The published table is what the faults' suite wrote, of each fault that it makes."""

from docs import reliability
from tests.support.fault_list import PUBLISHED

FAULTS = [what.fault for what in PUBLISHED]


def test_the_page_has_the_rows_of_the_data_and_says_which_are_missing() -> None:
    text = reliability.PAGE.read_text()
    assert reliability.page(text, reliability.read(), FAULTS) == text, "fix: make faults"


def test_what_is_published_is_what_the_suite_makes() -> None:
    published = {row.fault: row.guarantee for row in reliability.read()}
    assert published.items() <= dict(PUBLISHED).items(), "fix: make faults"


def test_a_fault_has_a_row_or_is_said_to_be_missing() -> None:
    row = reliability.Row("a", "", "", "all", "tests/x.py::test_x")
    old = "before <!-- the table -->\nthe last one\n<!-- its end --> after"
    found = reliability.page(old, [row], ["a", "b", "c"])
    assert found.startswith("before <!-- the table -->\n\n| what happens |")
    assert "| a | – | – | all | [test_x](../tests/x.py) |\n\nNot run yet: b; c.\n\n<!--" in found
    assert found.endswith("<!-- its end --> after")
    assert "the last one" not in found
    assert reliability.page(found, [row], ["a", "b", "c"]) == found
