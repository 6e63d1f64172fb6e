"""The studies' DAG files: each loads, beside the product's."""

from pathlib import Path

from tests.support.dags_test import load_dags


def test_the_studies_add_their_dags(tmp_path: Path) -> None:
    found = load_dags(tmp_path)
    assert found["errors"] == {}
    # Both notebooks name their sizes.
    names = {"overhead_sweep", "update_benchmark", "upload_benchmark"}
    names |= {"activity_recognition_stock", "household_power_stock"}
    assert names <= found["dags"].keys()
