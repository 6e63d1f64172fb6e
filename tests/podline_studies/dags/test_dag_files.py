"""The studies' DAG files: each loads, beside the product's."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.dags_test import load_dags


def test_the_studies_add_their_dags(tmp_path: Path) -> None:
    found = load_dags(tmp_path)
    assert found["errors"] == {}
    # Both notebooks name their sizes.
    names = {"overhead_sweep", "update_benchmark", "upload_benchmark"}
    names |= {"activity_recognition_stock", "household_power_stock"}
    assert names <= found["dags"].keys()


@pytest.mark.parametrize("after", [timedelta(hours=3), timedelta(days=3)], ids=str)
def test_a_study_that_is_unpaused_waits_for_its_next_sunday(
    after: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a Sunday: it takes hours, which nobody asked for yet."""
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    from podline_studies.dag_tasks import WEEKLY

    sunday = datetime(2026, 11, 29, tzinfo=UTC)
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: sunday + after)
    found = coerce_to_core_timetable(WEEKLY["schedule"]).next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=WEEKLY["catchup"]),
    )
    assert found is not None
    assert found.run_after == sunday + timedelta(weeks=1)
