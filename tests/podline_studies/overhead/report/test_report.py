"""The whole report, from whatever was measured; the figures' own tests are in test_figures."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from podline_studies.overhead.report.report import make_report
from podline_studies.reports import page
from podline_studies.reports.page import Report
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.simulated_sweep import about, simulate

# In one process, which draws what they share once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study reports")]

NOTHING = pd.DataFrame()
BOTH = ("notebook", "kubernetes")


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is said only, which is the same, and sooner, without the pictures."""
    monkeypatch.setattr(page, "draw", lambda *of: b"<svg/>")


@pytest.fixture(scope="module")
def report(sweep: Sweep) -> Report:
    return make_report(sweep.runs, sweep.stages, sweep.about)


def made(runs: pd.DataFrame, stages: pd.DataFrame, **more: Any) -> Report:
    found = make_report(runs, stages, about(runs) | more)
    assert json.loads(json.dumps(found.last_line, allow_nan=False)) == found.last_line
    return found


def plain(report: Report) -> str:
    return report.markdown.replace("\N{NO-BREAK SPACE}", " ")


def test_every_question_has_its_section(report: Report) -> None:
    assert re.findall("^## (.*)", report.markdown, re.M) == [
        "What this cannot say",
        "What does a run cost?",
        "Where does the time go?",
        "Would another way cost less?",
        "Can it be predicted?",
        "Do the hypotheses hold?",
        "Which stages are worth joining?",
        "How was it measured?",
        "The tables",
    ]


def test_the_circumstances_are_stated(report: Report) -> None:
    text = plain(report)
    assert "Study simulated; seed 7." in text
    assert "576 runs measured, of 576 planned" in text
    assert "| simulated | 0 and 1 | 2026-05-28 20:26 UTC |" in text
    assert "8.59 GB" in text
    assert "Versions: python 3.13.1, airflow 3.3.2." in text


def test_the_answers_are_sentences_with_intervals(report: Report) -> None:
    text = plain(report)
    percent = r"[\d.]+ %"
    for sentence in (
        r"household_power on kubernetes took [\d.]+ \([\d.]+ to [\d.]+\) times as long as the notebook "
        r"alone, [\d.]+ s to [\d.]+ s more, in the mean over 12 combinations of sizes "
        r"\([\d.]+ to [\d.]+ times, by size\)\. Measured on simulated with 2 processors, one run at a "
        r"time, 8 repeats, images on the node",
        r"In pods it took [\d.]+ times as long "
        r"as in local processes \([\d.]+ to [\d.]+\): (different|not shown to be equivalent) within 10 %\. By part: ",
        r"\| household_power on kubernetes \| a stage \| 2\.\d+ s \(.* s to .* s\)",
        rf"The overhead of pods at a size within what others reach was predicted −{percent} to {percent}",
    ):
        assert re.search(sentence, text), sentence
    assert re.search(
        r"one at a time: \d+ of 384 runs of all pipelines \(9\d\.\d %\) lie inside", text
    )
    assert "| hypothesis | pipeline | repeats | all | model 10 k | model 1 M |" in text
    shown = r"[\d.]+ \([\d.]+ to [\d.]+\): shown"
    falls = r"\| Its share falls as data grows \| household_power on kubernetes \| 8 \| "
    assert re.search(rf"{falls}{shown}, and alone at \d of 3( \| [^|]+){{3}} \|", text)
    assert "household_power on kubernetes: join evaluate and publish, which saves" in text
    assert "Ingest and preprocess were joined, as household_power_joined, and measured." in text


def test_each_figure_has_its_data_beside_it_and_a_narrow_form(report: Report) -> None:
    wide = {name for name in report.figures if not name.endswith("-narrow")}
    assert wide == {"seconds", "parts", "stock", "held-out", "clock"}
    assert {f"{name}-narrow" for name in wide} | wide == set(report.figures)
    assert wide <= set(report.tables)
    for name in report.tables:
        assert len(report.csv(name).splitlines()) == len(report.tables[name]) + 1
        assert (f'download="{name}.csv"' in report.html) == (name != "pairs")


def test_the_same_frames_give_the_same_report() -> None:
    runs, stages = simulate(data=(10_000, 1_000_000), models=(10_000,), backends=BOTH, repeats=2)
    first, again = (made(runs, stages) for _ in range(2))
    assert first.html == again.html
    assert first.markdown == again.markdown
    assert first.figures == again.figures


def test_the_last_line_has_the_numbers(report: Report) -> None:
    line = json.loads(json.dumps(report.last_line, allow_nan=False))
    assert (line["runs"], line["failed"], line["combinations"]) == (576, 0, 48)
    shares = {(one["notebook"], one["backend"]): one["share"] for one in line["overhead"]}
    kubernetes = shares["household_power", "kubernetes"]
    assert 0 < kubernetes["low"] < kubernetes["mean"] < kubernetes["high"]
    assert line["held_out"]["runs"] == 384
    assert line["joins_advised"] > 0


@pytest.mark.usefixtures("_undrawn")
def test_one_run_a_combination_is_reported_without_intervals() -> None:
    text = plain(made(*simulate(repeats=1)))
    assert "not tested, since an interval needs 6 repeats in a session, and there are 1" in text
    assert "each was measured once, so that noise and lack of fit are one" in text
    assert "24 combinations with fewer than 6 runs in a session have no interval." in text


@pytest.mark.usefixtures("_undrawn")
def test_a_quick_sweep_shows_all_its_values(small: Sweep) -> None:
    text = plain(made(small.runs, small.stages))
    assert re.search(r"took [\d.]+ \(each: [\d.]+, [\d.]+\) times as long", text)
    assert "too few to see whether the form is right" in text


@pytest.mark.usefixtures("_undrawn")
def test_one_size_has_no_model() -> None:
    report = made(*simulate(data=(10_000,), models=(10_000,)))
    text = plain(report)
    assert "no model was fitted, since one combination only was measured" in text
    assert "One data size only was measured: nothing is known of how it counts." in text
    assert {"seconds", "parts"} <= set(report.figures)
    assert "held-out" not in report.figures


@pytest.mark.usefixtures("_undrawn")
def test_without_the_whole_notebook_operators_are_compared_all_the_same() -> None:
    report = made(*simulate(backends=("kubernetes", "stock"), models=(10_000,)))
    text = plain(report)
    assert "Nothing can be compared: no run succeeded at a size, repeat and session" in text
    missing = "notebook, notebook-pod, process, stock-tuned, kubernetes-ahead"
    assert f"Not measured: {missing}, kubernetes-x2, kubernetes-x4; nothing is compared" in text
    assert re.search(r"stock takes [\d.]+ s a run more than podline's", text)
    assert set(report.figures) == {"clock", "clock-narrow"}


@pytest.mark.usefixtures("_undrawn")
def test_failures_and_interruptions_are_told_not_hidden(small: Sweep) -> None:
    runs = small.runs.copy()
    died = (runs["backend"] == "kubernetes") & (runs["data"] == 1_000_000)
    runs.loc[died, ["state", "failure"]] = ["failed", "the pod <died> | of memory"]
    runs.loc[died, "wall_s"] = None
    interrupted = [{"after": 7, "session": 2, "started": 1.8e9}]
    failed = ["kubernetes at 1,000,000"]
    report = made(runs, small.stages, interruptions=interrupted, failed=failed)
    text = plain(report)
    assert "4 failed" in text
    assert (
        "| household_power on kubernetes | 1 M | 10 k | 2 | the pod &lt;died&gt; \\| of memory |"
        in text
    )
    assert "Interrupted after 7 measurements: a new session went on." in text
    assert "- kubernetes at 1,000,000." in text
    assert "the pod &lt;died&gt; | of memory" in report.html
    assert report.last_line["failed"] == 4


def test_nothing_measured_is_said_so() -> None:
    report = make_report(NOTHING, NOTHING, {})
    assert "Nothing was measured." in report.markdown
    assert report.figures == {}
    assert report.tables == {}
    json.dumps(report.last_line, allow_nan=False)


@pytest.mark.usefixtures("_undrawn")
def test_runs_without_stages_have_costs_but_no_advice(small: Sweep) -> None:
    text = plain(made(small.runs, NOTHING))
    assert "## What does a run cost?" in text
    assert "## Which stages" not in text


@pytest.mark.usefixtures("_undrawn")
def test_two_ways_of_running_are_two_pipelines(small: Sweep) -> None:
    other = small.runs.assign(way="test", sitting=5)
    runs = pd.concat([small.runs, other], ignore_index=True)
    text = plain(made(runs, small.stages))
    assert "| household_power on kubernetes, by dags test |" in text
    assert "had no scheduler: they are never compared with others" in text


@pytest.mark.usefixtures("_undrawn")
def test_a_kind_of_machine_is_reported_for_itself(sweep: Sweep) -> None:
    """The other one is twice as fast, and its pods are slower beside the notebook."""
    of = sweep.runs["notebook"] == "household_power"
    other = sweep.runs[of & (sweep.runs["repeat"] < 2)].assign(machine="another")
    other[["sitting", "repeat"]] += 10
    seconds = [name for name in other if name.endswith("_s")]
    other.loc[other["backend"] == "kubernetes", seconds] *= 3
    alone, both = (
        make_report(runs, sweep.stages, sweep.about)
        for runs in (sweep.runs[of], pd.concat([sweep.runs[of], other], ignore_index=True))
    )
    row = re.compile(r"\| household_power on kubernetes \| simulated \| 8 \| .*")
    assert row.findall(plain(alone)) == row.findall(plain(both)) != []
    assert re.search(
        r"\| household_power on kubernetes \| another \| 2 \| .* \(each: ", plain(both)
    )
    first, *_ = plain(both).split("\n##")
    elsewhere = r"intervals\. On another it took ([\d.]+) \(each: [\d., ]+\) times as long\.\n"
    assert float(re.findall(elsewhere, first)[0]) > 2.5
    assert "On another" not in plain(alone)


@pytest.mark.usefixtures("_undrawn")
def test_pods_beside_processes_are_told_of_each_kind_of_machine(sweep: Sweep) -> None:
    other = sweep.runs.assign(machine="another")
    other[["sitting", "repeat"]] += 10
    both = pd.concat([sweep.runs, other], ignore_index=True)
    text = plain(make_report(both, sweep.stages, sweep.about))
    told = r"\| [\d.]+ \([\d.]+ to [\d.]+\): (?:different|not shown to be equivalent) \|"
    for machine in ("another", "simulated"):
        assert re.search(rf"\| household_power on kubernetes \| {machine} \| 8 \| .* {told}", text)
        assert re.search(rf"\| household_power on process \| {machine} \| 8 \| .* \| – \|", text)
    assert "Measured on another, one run" in text  # of as many runs, the first by name


@pytest.mark.usefixtures("_undrawn")
def test_the_versions_of_both_sides_are_told(small: Sweep) -> None:
    pods, local = {"python": "3.13.5", "pandas": "3.1.1"}, {"python": "3.11.7", "pandas": "3.1.1"}
    ran_by = {"kubernetes": pods, "process": local, "notebook-pod": pods, "notebook": local}
    text = plain(make_report(small.runs, small.stages, small.about | {"ran_by": ran_by}))
    assert "- Code of kubernetes and notebook-pod ran by python 3.13.5, pandas 3.1.1." in text
    assert "- Code of process and notebook ran by python 3.11.7, pandas 3.1.1." in text
    assert (
        "- Pods, and the notebook in a pod, ran Python 3.13.5; local processes, and the notebook "
        "beside them, 3.11.7."
    ) in text
    alike = dict.fromkeys(ran_by, pods)
    text = plain(make_report(small.runs, small.stages, small.about | {"ran_by": alike}))
    assert "- Code of kubernetes, process, notebook-pod and notebook ran by python" in text
    assert "ran Python" not in text


@pytest.mark.usefixtures("_undrawn")
def test_the_rule_is_the_studys_own(small: Sweep) -> None:
    ruled = small.runs.assign(quiet=0.9, busy=0.7)
    text = plain(make_report(ruled, small.stages, small.about | {"disturbed": 3}))
    assert "for a second in which no more than 90 % of the processors were taken" in text
    assert "a task of which took a second try, was made again: 3 runs." in text
    assert "had no rule" not in text
    unruled = small.runs.assign(busy=0.2)
    unruled.loc[unruled.index[:4], "busy"] = 0.7
    text = plain(make_report(unruled, small.stages, small.about))
    assert "had no rule for what others may take of the machine. By today's, 4 runs that" in text


def test_a_missing_column_is_an_error(small: Sweep) -> None:
    with pytest.raises(ValueError, match="lacks the columns wall_s"):
        make_report(small.runs.drop(columns="wall_s"), small.stages, {})


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 390])
def test_the_page_fits_any_screen(
    report: Report, chromium: Any, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.html)
    page = chromium.new_context(viewport={"width": width, "height": 844}).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    assert [what for what in said if not what.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    loaded = "[...document.images].map(image => [image.complete, image.naturalWidth > 0].join())"
    assert set(page.evaluate(loaded)) == {"true,true"}
    chosen = page.evaluate("document.images[0].naturalWidth")
    assert (chosen < 400) == (width == 390)
