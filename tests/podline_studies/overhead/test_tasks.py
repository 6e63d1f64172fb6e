"""What a design may ask of a notebook."""

from typing import Any

import pytest

from podline_studies.overhead.tasks import TASKS
from podline_studies.validation import DesignError
from tests.support.dags_test import ROOT

PARAMS = {"preset": "quick", "backends": ["kubernetes"], "seed": 1, "models": [200]}


@pytest.fixture(autouse=True)
def _notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__NOTEBOOKS_FOLDER", str(ROOT / "notebooks"))


@pytest.mark.parametrize(
    ("notebook", "change", "message"),
    [
        ("activity_recognition", {"data": [10]}, r"no parameter for its data, of which \[10\]"),
        (
            "household_power",
            {"backends": ["kubernetes", "kubernetes-x4"]},
            "has max_active_runs 1, and 4 runs at once are asked for. fix: give its metadata",
        ),
    ],
)
def test_what_a_notebook_does_not_have_is_refused(
    notebook: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DesignError, match=message):
        TASKS.design(PARAMS | {"notebooks": [notebook]} | change)


def test_both_applications_take_part() -> None:
    design = TASKS.design(PARAMS | {"notebooks": ["activity_recognition"], "data": []})
    assert design.sizes == ((None, 200),)
    assert TASKS.design(PARAMS | {"notebooks": ["household_power"], "steps": [200]}).steps == (200,)
