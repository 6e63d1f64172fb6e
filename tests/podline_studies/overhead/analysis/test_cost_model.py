"""The model of the overhead, on simulated sweeps whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest

from podline_studies.overhead.analysis.cost_model import (
    Costs,
    Unfitted,
    errors_by_size,
    fit,
    forecast,
    hold_out,
)
from podline_studies.overhead.analysis.pairs import pair
from podline_studies.overhead.frames import check_runs
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.simulated_sweep import BYTES_A_ROW, Truth, baseline, overhead, simulate

QUIET = Truth(sd=0.001, jitter=0.001)


def fitted(runs: pd.DataFrame) -> dict[str, Costs]:
    models = list(fit(pair(check_runs(runs))))
    assert all(isinstance(model, Costs) for model in models)
    return {model.pipeline.backend: model for model in models if isinstance(model, Costs)}


def reasons(runs: pd.DataFrame) -> set[str]:
    models = list(fit(pair(check_runs(runs))))
    return {model.reason for model in models if isinstance(model, Unfitted)}


def test_fixed_part_per_byte_and_per_weight_are_found() -> None:
    models = fitted(simulate(truth=QUIET)[0])
    for backend, starts in (("process", 0.4), ("kubernetes", 2.0)):
        model = models[backend]
        assert model.terms == ("stages", "bytes", "weights")
        assert model.overhead("stages").value == pytest.approx(starts, rel=0.02)
        assert model.overhead("bytes").value == pytest.approx(3.0, rel=0.1)
        beside = model.beside_code("weights")
        assert beside is not None
        assert beside.value == pytest.approx(0.4, rel=0.02)
        assert model.baseline("stages").value == pytest.approx(6.0, rel=0.01)
        assert model.baseline("bytes").value == pytest.approx(20.0, rel=0.02)


def test_sessions_of_other_speed_do_not_count_as_noise(sweep: Sweep) -> None:
    kubernetes = fitted(sweep.runs[sweep.runs["notebook"] == "household_power"])["kubernetes"]
    assert kubernetes.regression.residuals.std() == pytest.approx(0.08, rel=0.15)
    assert kubernetes.regression.lack_of_fit() is not None


def test_a_prediction_between_the_sizes_measured() -> None:
    model = fitted(simulate(truth=QUIET)[0])["kubernetes"]
    expected = 1 + overhead(QUIET, "kubernetes", 300_000, 2_000_000) / baseline(
        QUIET, 300_000, 2_000_000
    )
    found = model.predict(300_000, 2_000_000)
    assert found.ratio.value == pytest.approx(expected, rel=0.002)
    assert (
        found.single.low
        < found.ratio.low
        < found.ratio.value
        < found.ratio.high
        < found.single.high
    )


def test_nothing_is_predicted_beyond_what_was_measured() -> None:
    model = fitted(simulate(truth=QUIET)[0])["kubernetes"]
    with pytest.raises(ValueError, match=r"data = 2e\+07 lies outside of what was measured"):
        model.predict(20_000_000, 10_000)
    sizes = {one.cell.data for one in forecast(model)}
    assert sizes == {10_000, 32_000, 100_000, 320_000, 1_000_000, 3_200_000, 10_000_000}


def test_no_forecast_for_a_model_size_that_no_size_near_it_was_measured_for() -> None:
    runs, _ = simulate(truth=QUIET)
    few = (runs["data"] == 10_000_000) & (runs["model"] > 10_000)
    (model,) = (m for m in fitted(runs[~few]).values() if m.pipeline.backend == "kubernetes")
    largest = {one.cell.model: 0.0 for one in forecast(model)}
    for one in forecast(model):
        largest[one.cell.model] = max(largest[one.cell.model], one.cell.data)
    assert largest == {10_000: 10_000_000, 1_000_000: 1_000_000, 10_000_000: 1_000_000}


def test_a_term_more_where_the_data_ask_for_one_and_not_elsewhere() -> None:
    runs, _ = simulate(truth=Truth(sd=0.01, jitter=0.005))
    plain = fitted(runs)["kubernetes"]
    assert (plain.terms, plain.added) == (("stages", "bytes", "weights"), None)
    pods = runs["backend"] == "kubernetes"
    slower = 3.0 * runs["bytes_read"] / 1e9 * runs["weights"] / 1e6
    runs.loc[pods, "wall_s"] += slower[pods]
    runs.loc[pods, "transfer_s"] += slower[pods]
    model = fitted(runs)["kubernetes"]
    assert model.terms[-1] == "bytes × weights"
    assert model.added is not None
    assert model.added < 0.001
    assert model.unit("bytes × weights") == "a GB read times a million weights"
    assert model.overhead("bytes × weights").value == pytest.approx(3.0, rel=0.1)


def test_how_far_off_each_size_is_predicted_without_it(sweep: Sweep) -> None:
    errors = errors_by_size(hold_out(pair(sweep.runs)))
    assert len(errors) == 4 * 12
    assert errors["error"].abs().median() < 0.1
    largest = errors[(errors["data"] == 10_000_000) | (errors["model"] == 10_000_000)]
    assert not largest["beyond"].any()  # others have that data, or that model
    one = hold_out(pair(check_runs(simulate(models=(10_000,))[0])))
    beyond = errors_by_size(one).groupby("data")["beyond"].all()
    assert beyond.to_dict() == {1e4: True, 1e5: False, 1e6: False, 1e7: True}


def test_held_out_combinations_lie_in_their_intervals(sweep: Sweep) -> None:
    table = hold_out(pair(sweep.runs))
    assert len(table) == 4 * 12 * 8
    assert table["predicted"].notna().all()
    assert 0.9 <= table["inside"].mean() <= 0.99


def test_a_combination_is_predicted_from_the_others_only(sweep: Sweep) -> None:
    pairs = pair(sweep.runs)
    pairs = pairs[(pairs["backend"] == "kubernetes") & (pairs["notebook"] == "household_power")]
    held = (pairs["data"] == 100_000) & (pairs["model"] == 1_000_000)
    (others,) = fit(pairs[~held])
    assert isinstance(others, Costs)
    terms = np.array([5.0, 100_000 * BYTES_A_ROW / 1e9, 1.0])
    expected = others.regression.predict(terms).single
    row = hold_out(pairs)[held.to_numpy()].iloc[0]
    assert (row["data"], row["model"]) == (100_000, 1_000_000)
    found = row[["predicted", "low", "high"]].astype(float).to_numpy() + 1
    assert found == pytest.approx([expected.value, expected.low, expected.high])


def test_a_combination_off_the_line_is_not_predicted() -> None:
    runs, _ = simulate(truth=QUIET)
    odd = (runs["data"] == 1_000_000) & (runs["model"] == 10_000) & (runs["backend"] != "notebook")
    runs.loc[odd, ["wall_s", "pipeline_s"]] += 20.0
    table = hold_out(pair(check_runs(runs)))
    off = (table["data"] == 1_000_000) & (table["model"] == 10_000)
    assert not table.loc[off, "inside"].any()
    lack = fitted(runs)["kubernetes"].regression.lack_of_fit()
    assert lack is not None
    assert lack[1] < 0.001


def test_a_size_that_did_not_vary_is_no_term() -> None:
    model = fitted(simulate(models=(10_000,))[0])["process"]
    assert model.terms == ("stages", "bytes")
    assert model.predict(100_000, 10_000).ratio.value > 1


def test_bytes_that_no_run_tells_are_those_of_the_parameter() -> None:
    runs, _ = simulate(truth=QUIET)
    model = fitted(runs.drop(columns="bytes_read"))["kubernetes"]
    assert model.by_parameter == ("bytes",)
    assert model.unit("bytes") == "10⁹ of the data parameter"
    assert model.overhead("bytes").value == pytest.approx(3.0 * BYTES_A_ROW, rel=0.1)


def test_a_run_that_does_not_tell_its_bytes_has_those_of_its_combination() -> None:
    runs, _ = simulate(truth=QUIET)
    known = fitted(runs)["kubernetes"].overhead("bytes")
    runs.loc[runs["repeat"] == 2, "bytes_read"] = None
    model = fitted(runs)["kubernetes"]
    assert model.by_parameter == ()
    assert model.overhead("bytes") == known


def test_why_there_is_no_model() -> None:
    one, _ = simulate(data=(10_000,), models=(10_000,))
    assert reasons(one) == {"one combination only was measured"}
    line, _ = simulate(data=(10_000, 100_000), models=(10_000,), repeats=1)
    assert reasons(line) == {"there are as many parts of the model as measurements"}
    runs, _ = simulate(repeats=2)
    runs.loc[runs["data"] == 10_000, "stages"] = 4
    assert reasons(runs) == {"its runs do not all have the same stages"}
    apart, _ = simulate(models=(10_000,), repeats=2)
    apart["sitting"] = apart["data"].map({10_000: 0, 100_000: 1, 1_000_000: 2, 10_000_000: 3})
    assert reasons(apart) == {"sizes and sessions do not tell the parts of the model apart"}


def test_without_another_combination_nothing_is_held_out() -> None:
    runs, _ = simulate(data=(10_000,), models=(10_000,))
    table = hold_out(pair(check_runs(runs)))
    assert set(table["reason"]) == {"one combination only was measured"}
    assert table["predicted"].isna().all()
    assert all(math.isnan(low) for low in table["low"])
