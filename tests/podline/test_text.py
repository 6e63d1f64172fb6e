import pytest

from podline.text import lines_of, plain_cell


def test_lines_are_python_s() -> None:
    assert lines_of("a\nb\r\nc\rd\u2028e\x0cf\x85g\n") == ["a", "b", "c", "d\u2028e\x0cf\x85g", ""]


@pytest.mark.parametrize("first", "=+-@\t\r\n＝")
def test_a_cell_is_no_formula(first: str) -> None:
    assert plain_cell(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("value", ["", "a=1", "scheduled__2026-11-28", -1.5, 3, None])
def test_other_cells_stay(value: object) -> None:
    assert plain_cell(value) is value
