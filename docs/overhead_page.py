"""The words of docs/overhead.md: a study's report, and what other studies add to its answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import sweep_parts
from docs.markdown import table, unwrapped
from podline_studies.overhead.analysis.operator_comparison import OURS
from podline_studies.overhead.design import AHEAD, AT_ONCE, STOCK, TUNED
from podline_studies.overhead.frames import OverheadCircumstances
from podline_studies.reports import formatting, provenance
from podline_studies.reports.page import Report

if TYPE_CHECKING:
    import pandas as pd

LIMITS, OTHERS = "What this cannot say", "Would another way cost less?"
HYPOTHESES, JOINING = "Do the hypotheses hold?", "Which stages are worth joining?"
MEASURED = "How was it measured?"

_COLD_PULL = Path(__file__).parent / "benchmarks" / "cold-pull.json"
_ABSENT = re.compile(r"^- Not measured: .*\n", re.M)  # in this study; others have it, or lack
_WAYS = {
    AHEAD: "stages begun ahead of time, the default",
    **{name: f"{number} runs at once, until the last ends" for name, number in AT_ONCE.items()},
    STOCK: "Airflow's own operator",
    TUNED: "Airflow's own operator, polling every 0.05 s",
}
# What the raw data do not say of themselves.
_OF_THE_MACHINE = """\
- One virtual machine of two cores held Airflow, the store and the cluster's only node: nothing is
  said of several nodes, of a network between them, of pods that wait for a place, of other users.
- Images were on the node already: no number includes pulling one. Once a node a stage's start takes
  {tensorflow:.0f} s more with TensorFlow's image, and {stage:.0f} s with the other, over 100 Mbit/s
  (`make bench-cold-pull`, [n = {n}](benchmarks.md)).
- Nothing was begun ahead of its stage, but where it is said.
- household_power reads the year that it is judged on whatever its size: from 10 k to 10 M there are
  20 times the rows read, not 1,000 times. From 1.55 M on they repeat.
"""
_OF_THE_STUDIES = """\
- `make sweep-full` remakes all of this in six studies of fixed designs, in about {hours} hours by
  the seconds measured here.{missing}
- Of 2026-11-sizes six repeats were planned, and six more once their results were known, to see them
  again on another day. These were on another kind of machine: nothing is taken together.
- The study of sizes before this one, full-2 of 25 November 2026 (revision dfc1b1a), is not shown:
  its baseline ran outside of pods, by another Python, and a repeat was added after a look at its
  results. It found 2.06 times. Of full-1 and join-1, which such names suggest, no data are kept.
"""
_OF_OTHERS = """\
No difference was seen where Airflow's own operator polls every 0.05 s: after its container's end
it sleeps for 1 s and for 2 s at a time, which no parameter sets
(apache-airflow-providers-cncf-kubernetes 10.25.0, `pod_manager.py`).

Argo Workflows, on which Kubeflow Pipelines and so Kale run, takes 9.0 s for a step with one second
of code as it is installed, and 5.3 s with its requeue time at 100 ms, where a bare pod with that
code takes 1.8 s: version 4.0.5 on a cluster of this kind, n = 8, in turns, measured apart and
without the notebook; the samples are not kept. Its
[issue 6262](https://github.com/argoproj/argo-workflows/issues/6262) tells of 10.6 s.
"""


def with_others(
    sections: Mapping[str, str],
    others: Mapping[str, Report],
    about: Mapping[str, OverheadCircumstances],
) -> dict[str, str]:
    """Return the page's sections by title: those of a study, with what others add.

    Args:
        sections: of the report of the study of sizes; the page's own comes first.
        others: the reports of further studies, by the name of their part (`sweep_parts.FULL`).
        about: how these were measured, likewise.
    """
    page = dict(sections)
    title = next(iter(page))
    if "load" in others:
        first, _, rest = page[title].partition("\n\n")
        page[title] = f"{first} {_by_default(others['load'])}\n\n{rest}"
    machine = unwrapped(_OF_THE_MACHINE.format(**_cold_pulls()))
    page[LIMITS] = machine + _ABSENT.sub("", page[LIMITS])
    # Pods beside processes, which the study has here, are in its first sentences.
    page[OTHERS] = "\n\n".join([_other_ways(others), unwrapped(_OF_OTHERS)])
    page[MEASURED] = f"{_of_the_studies(others)}{page[MEASURED]}\n{_measured(about)}\n"
    if "activity" in others:
        page[OTHERS] += f"\nOf another notebook: {answer(others['activity'])}\n"
    if "steps" in others:
        page[HYPOTHESES] += f"\n{_more_steps(others['steps'])}\n"
    if "join" in others:
        page[JOINING] += f"\n{_joined(others['join'])}\n"
    return page


def answer(report: Report) -> str:
    """A report's first two paragraphs."""
    return " ".join(report.markdown.split("\n\n")[1:3])


def _cold_pulls() -> dict[str, float]:
    """Seconds that a node without the image adds to a start, in the median, and of how many."""
    told = json.loads(_COLD_PULL.read_text())

    def added(image: str) -> float:
        of = told["pulls"][f"{image}, 100 Mbit/s"]
        return float(of["cold_s"]["median"] - of["warm_s"]["median"])

    images = {"tensorflow": "podline-stage-tensorflow", "stage": "podline-stage"}
    return {name: added(image) for name, image in images.items()} | {"n": told["n"]}


def _of_the_studies(studies: Mapping[str, Report]) -> str:
    absent = [part.name for part in sweep_parts.FULL[1:] if part.name not in studies]
    missing = f" Not measured yet: {', '.join(absent)}." if absent else ""
    hours = sum(map(sweep_parts.hours, sweep_parts.FULL))
    return unwrapped(_OF_THE_STUDIES.format(hours=f"{hours:.1f}", missing=missing))


def _by_default(report: Report) -> str:
    claims = report.tables["claims"].to_dict("records")
    exists = [one for one in claims if one["claim"] == "exists" and one["backend"] == AHEAD]
    sizes = report.tables["combinations"].iloc[0]
    where = f"{formatting.size(sizes['data'])} × {formatting.size(sizes['model'])}"
    return (
        "By default stages are begun ahead of time: so it took "
        f"{_estimate(exists[0], 'effect')} times as long as the notebook, at {where} on "
        f"{exists[0]['machine']}."
    )


def _measured(about: Mapping[str, OverheadCircumstances]) -> str:
    rows = [
        (
            name,
            str(session.get("machine")),
            provenance.when(session.get("started")),
            f"{(session['ended'] - session['started']) / 3600:.1f}",
            str(one["planned"]),
            str(one["disturbed"]),
            str(session.get("versions", {}).get("podline")),
        )
        for name, one in about.items()
        for session in one["sessions"]
    ]
    head = ("study", "machine", "began", "hours", "runs planned", "disturbed", "podline")
    return f"The other studies:\n\n{table(head, rows, 3)}"


def _other_ways(others: Mapping[str, Report]) -> str:
    rows = [
        (
            _WAYS[row["than"]],
            f"{formatting.size(row['data'])} × {formatting.size(row['model'])}",
            str(row["n"]),
            _estimate(row, "ratio"),
            _estimate(row, "saved_s", formatting.seconds),
        )
        for part in ("load", "stock")
        if part in others
        for row in _main(others[part], "operators").to_dict("records")
    ]
    head = ("instead", "data × model", "repeats", "times podline's pods", "more a run")
    return f"Beside podline's pods, one run at a time:\n\n{table(head, rows, 2)}"


def _more_steps(report: Report) -> str:
    claims = _main(report, "claims")
    found = claims[claims["model"].notna()].groupby(["steps", "model"])
    data = formatting.size(report.tables["combinations"]["data"].iloc[0])
    where = f"at a data size of {data}, on {claims['machine'].iloc[0]}"
    rows = []
    for _, some in found:
        of = {row["claim"]: row for row in some.to_dict("records")}
        exists, training = of["exists"], of["training"]
        share = f"{_estimate(training, 'effect')}: {training['verdict']}"
        sizes = f"{exists['steps']:g}", formatting.size(exists["model"])
        rows.append((*sizes, str(exists["n"]), _estimate(exists, "effect"), share))
    head = ("steps", "model", "repeats", "times the notebook's", "training over all other code")
    return f"The hypotheses hang on the steps of training, {where}:\n\n{table(head, rows, 0)}"


def _joined(report: Report) -> str:
    found = _main(report, "joined")
    told = [
        f"{' and '.join(row['stages'].split())} as one stage of {row['joined']} saved "
        f"{_estimate(row, 'measured_s', formatting.seconds)} a run, where "
        f"{_estimate(row, 'predicted_s', formatting.seconds)} was predicted (n = {row['n']})"
        for row in found.to_dict("records")
    ]
    return f"Measured, {'; '.join(told)}."


def _main(report: Report, name: str) -> pd.DataFrame:
    """A table's rows of podline's pods, on the kind of machine with most of them."""
    rows = report.tables[name]
    ours = rows["backend"] == OURS
    machine = rows.loc[ours, "machine"].mode()[0]
    found: pd.DataFrame = rows[ours & (rows["machine"] == machine)]
    return found


def _estimate(
    row: Mapping[Any, Any], name: str, form: formatting.Format = formatting.number
) -> str:
    mean, low, high = (form(float(row[f"{name}_{end}"])) for end in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
