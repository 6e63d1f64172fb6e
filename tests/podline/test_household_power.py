"""The notebook household_power: its parts give what the whole gives."""

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "household_power.ipynb"
CALENDAR = {"hour": 3, "weekday": 3, "season": 1}


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    """What the notebook's functions cells define, but the network's."""
    names: dict[str, Any] = {}
    exec("import math, shutil\nfrom pathlib import Path\nimport numpy as np, pandas as pd", names)
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["metadata"].get("tags") == ["functions"]:
            exec("".join(cell["source"]), names)
    return names


@pytest.fixture
def minutes(functions: dict[str, Any]) -> pd.DataFrame:
    """Twelve weeks of readings, some lone minutes missing, and once five days."""
    draw = np.random.default_rng(0)
    index = pd.date_range("2008-01-05 09:13", periods=12 * 7 * 24 * 60, freq="min", name="time")
    values = draw.random((len(index), len(functions["CHANNELS"])), dtype="float32")
    values[draw.random(len(index)) < 0.01] = np.nan
    values[70_000:77_200] = np.nan
    return pd.DataFrame(values, index, columns=list(functions["CHANNELS"]))


@pytest.mark.parametrize("horizon", [1, 30])
@pytest.mark.parametrize("size", [9_973, 30])
def test_features_made_in_parts_are_those_of_the_whole(
    functions: dict[str, Any],
    minutes: pd.DataFrame,
    horizon: int,
    size: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = functions["new_folder"]("household")
    # Small parts where they are hardest: around the first hour, and in the long gap.
    cuts = sorted(
        {*range(0, len(minutes), 9_973), *range(0, 300, size), *range(76_000, 76_300, size)}
    )
    for start, end in zip(cuts, [*cuts[1:], len(minutes)], strict=True):
        minutes.iloc[start:end].to_parquet(folder / f"{start:09}.parquet")
    first, end = pd.Timestamp("2008-01-05 10:00"), pd.Timestamp("2008-03-27 21:00")
    found = pd.concat(functions["make_tables"](first, end, horizon, 504, CALENDAR))
    whole = minutes[first : end - pd.Timedelta(minutes=61)]
    expected = functions["make_features"](whole, horizon, 504, CALENDAR)
    assert len(expected) > 1_000
    pd.testing.assert_frame_equal(found, expected, check_freq=False, rtol=1e-5)


@pytest.mark.parametrize("rows", [10, 1_549_659, 1_600_000, 20_000_000])
def test_the_pieces_follow_each_other_without_a_gap(functions: dict[str, Any], rows: int) -> None:
    pieces = list(functions["pieces"](rows))
    assert sum(end - first for first, end, _ in pieces) == rows + functions["YEAR"]
    times = [(first - shift, end - shift) for first, end, shift in pieces]
    assert all(before[1] == after[0] for before, after in pairwise(times))
    assert times[-1][1] == functions["MINUTES"]
    assert all(shift % (7 * 24 * 60) == 0 for *_, shift in pieces)


@pytest.mark.parametrize("rows", [10, 1_000_000, 3_000_000])
def test_nothing_after_until_is_read(functions: dict[str, Any], rows: int) -> None:
    minutes, judged = 1_000_000, 42 * 24 * 60
    pieces = list(functions["pieces"](rows, minutes, judged))
    assert sum(end - first for first, end, _ in pieces) == rows + judged
    assert max(end for _, end, _ in pieces) == minutes
    assert all(end <= minutes - judged for _, end, shift in pieces if shift)
    with pytest.raises(ValueError, match="no week to learn from"):
        list(functions["pieces"](rows, judged + 100, judged))


def test_the_end_of_what_is_known(functions: dict[str, Any]) -> None:
    assert functions["end_of_data"]("") == functions["END"]
    assert functions["end_of_data"]("2030-01-01") == functions["END"]
    assert functions["end_of_data"]("2009-09-01") == pd.Timestamp("2009-09-01")


def test_rows_are_read_from_where_the_text_is(functions: dict[str, Any]) -> None:
    rows = ["1/2/2007,00:00:00,1.5,0.1,240.1,6.2,0,1,17", "1/2/2007,00:01:00,?,?,?,?,?,?,"]
    text = io.BytesIO("\n".join([*rows, rows[0]]).encode())
    (part,) = functions["read_table"](text, 2, 1440)
    assert list(part.index) == [pd.Timestamp("2007-01-31 00:00"), pd.Timestamp("2007-01-31 00:01")]
    assert part["power"].iloc[0] == 1.5
    assert part.iloc[1].isna().all()
    assert set(map(str, part.dtypes)) == {"float32"}


def test_a_new_folder_has_nothing_of_an_earlier_run(
    functions: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (functions["new_folder"]("household") / "old.parquet").touch()
    assert list(functions["new_folder"]("household").iterdir()) == []
