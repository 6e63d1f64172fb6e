"""The tables behind the figures, and more."""

from pathlib import Path

import pandas as pd
import pytest

from podline_studies.reports.page import csv

pytestmark = pytest.mark.xdist_group("study tables")  # which are made once


@pytest.mark.slow
def test_a_figures_table_has_each_run_with_its_combinations_interval(
    tables: dict[str, pd.DataFrame],
) -> None:
    share = tables["share"]
    assert len(share) == len(tables["pairs"])
    assert share["low"].notna().all()
    combinations = tables["combinations"].set_index(["notebook", "backend", "data", "model"])
    row = share.iloc[17]
    of = combinations.loc[tuple(row[["notebook", "backend", "data", "model"]])]
    assert row["mean"] == of["share_mean"]
    assert row["high"] == of["share_high"]


def test_parts_add_up_to_the_mean_overhead(tables: dict[str, pd.DataFrame]) -> None:
    sums = tables["parts"].groupby(["notebook", "backend", "data", "model"])["mean_s"].sum()
    means = tables["pairs"].groupby(["notebook", "backend", "data", "model"])["overhead_s"].mean()
    assert sums.to_numpy() == pytest.approx(means.to_numpy())


def test_a_stages_columns_add_up(tables: dict[str, pd.DataFrame]) -> None:
    stages = tables["stages"]
    parts = [
        f"{name}_s" for name in ("between", "kubernetes", "transfer", "libraries", "own", "rest")
    ]
    assert stages[parts].sum(axis=1).to_numpy() == pytest.approx(stages["total_s"].to_numpy())
    kubernetes = stages[
        (stages["backend"] == "kubernetes") & (stages["notebook"] == "household_power")
    ]
    assert list(kubernetes["stage"]) == ["ingest", "preprocess", "train", "evaluate", "publish"]


def test_operators_are_compared_only_where_both_ran(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables["stock"]["notebook"]) == {"household_power"}
    assert set(tables["stock"]["backend"]) == {"kubernetes", "stock"}


def test_csv_gives_the_numbers_back(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(csv(tables["costs"]))
    again = pd.read_csv(path)
    pd.testing.assert_frame_equal(again, tables["costs"], check_dtype=False, rtol=1e-8)


def test_a_table_without_rows_is_left_out(tables: dict[str, pd.DataFrame]) -> None:
    assert "failures" not in tables
    assert all(len(table) for table in tables.values())
