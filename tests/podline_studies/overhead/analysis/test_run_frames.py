"""The two frames, as they must be."""

import pandas as pd
import pytest

from podline_studies.overhead.analysis.run_frames import check_runs, check_stages
from tests.podline_studies.overhead.conftest import Sweep


def test_a_missing_column_is_named(small: Sweep) -> None:
    with pytest.raises(ValueError, match="the frame runs lacks the columns wall_s, code_s"):
        check_runs(small.runs.drop(columns=["wall_s", "code_s"]))
    with pytest.raises(ValueError, match="the frame stages lacks the columns gap_s"):
        check_stages(small.stages.drop(columns="gap_s"))


def test_what_is_optional_is_unknown(small: Sweep) -> None:
    runs = check_runs(small.runs.drop(columns=["bytes_read", "failure"]))
    assert runs["bytes_read"].isna().all()
    assert set(runs["failure"]) == {""}
    stages = check_stages(small.stages.drop(columns=["pull", "bytes_in"]))
    assert set(stages["pull"]) == {0.0}
    assert stages["bytes_in"].isna().all()


def test_a_size_that_is_the_notebooks_own_is_none(small: Sweep) -> None:
    runs = check_runs(small.runs.assign(data=None))
    assert runs["data"].isna().all()


def test_nothing_measured_is_a_frame_without_columns() -> None:
    assert {"wall_s", "failure", "weights"} <= set(check_runs(pd.DataFrame()))
    assert {"duration_s", "boot", "peak_memory"} <= set(check_stages(pd.DataFrame()))
