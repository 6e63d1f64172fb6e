"""The table of phases: whole, and what the documentation says."""

import json
from typing import get_args

from podline.phases import (
    OUTSIDE,
    OVERHEAD_PARTS,
    OWN,
    PHASES,
    STAGE_PHASES,
    TABLE,
    WHERE,
    Part,
    PhaseName,
    Where,
    phases_of,
)
from podline.web.static_files import contents
from tests.support.dags_test import ROOT
from tests.support.phases import drawn_axis


def test_every_phase_has_a_row_and_a_place_in_the_order() -> None:
    assert tuple(sorted(get_args(PhaseName), key=PHASES.index)) == PHASES
    assert len(PHASES) == len(set(PHASES)) == len(get_args(PhaseName))
    assert set(WHERE.values()) == set(get_args(Where))
    assert all(kind.meaning for kind in TABLE)


def test_the_stage_measures_what_is_spent_in_it() -> None:
    inside = tuple(name for name in PHASES if WHERE[name] == "stage")
    assert inside == (*STAGE_PHASES, "run")


def test_each_phase_within_a_try_counts_to_one_part() -> None:
    parts = [phases_of(part) for part in get_args(Part)]
    assert sorted(sum(parts, OUTSIDE)) == sorted(PHASES)
    assert all(parts)
    assert OWN == ("code", "run")
    assert OVERHEAD_PARTS == ("kubernetes", "transfer", "libraries", "pipeline")
    assert OUTSIDE == ("scheduled", "queued", "adopted", "cleanup")


def test_the_page_has_the_same_table() -> None:
    text, *_ = contents()["phases.js"].decode().splitlines()
    rows = json.loads(text.removeprefix("export const PHASES = ").removesuffix(";"))
    assert [row["name"] for row in rows] == list(PHASES)


def test_a_time_axis_in_the_documentation_has_the_usual_phases_in_order() -> None:
    usual = [name for name in PHASES if name not in ("adopted", "run", "defer", "resume")]
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        assert drawn_axis(page.read_text()) in ([], usual), page
