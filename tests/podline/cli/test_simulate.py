"""`podline edge simulate`: what it refuses, and what it prints and keeps of a replay."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from podline.models.publishing import publish
from podline.store import Store
from tests.support.edge import Edge, serving

from .conftest import Podline, Refused

DAYS = ("--first", "2007-02-01", "--last", "2007-02-03", "--window", 24)


@pytest.fixture
def edge(store: Store, tmp_path: Path) -> Iterator[Edge]:
    """It serves half of what the meter last said, which is never good."""
    rows = pd.DataFrame({"voltage_0h": [240.0, 241.0, 239.0], "power_0h": [1.0, 2.0, 4.0]})
    model = LinearRegression().fit(rows, rows["power_0h"] / 2)
    publish(
        model,
        "household_power",
        formats=["onnx"],
        metrics={"rmse_network": 0.1},
        parameters={"horizon": 1},
    )
    with serving(tmp_path / "edge", models=["household_power"]) as found:
        yield found


def test_a_replay_of_two_days(edge: Edge, podline: Podline, tmp_path: Path) -> None:
    kept, page = tmp_path / "seen.jsonl", tmp_path / "page.html"
    result = podline(
        *("edge", "simulate", "meter", "--url", edge.url, *DAYS, "-o", kept, "--report", page)
    )
    assert result.exit_code == 0, result.output
    first, drift, *_ = result.stdout.splitlines()
    assert first == "2007-02-01 01:00:00  version: version 1 answers"
    assert "2007-02-02 01:00:00  drift: the error of version 1 is " in drift
    assert result.stdout.endswith(f"what was seen: {kept}\nas plots: {page}\n")
    assert page.read_text().startswith("<!doctype html>")
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    seen = [line for line in lines if line["kind"] == "observation"]
    assert len(seen) == 48
    for line in seen:
        assert line["answer"] == pytest.approx(line["baseline"] / 2, abs=1e-4)
    errors = [line["answer"] - line["truth"] for line in seen[-24:]]
    assert seen[-1]["error"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))


def test_all_of_it_as_json_and_kept_in_the_store(
    edge: Edge, podline: Podline, store: Store
) -> None:
    result = podline("edge", "simulate", "meter", "--url", edge.url, *DAYS, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(told) == 48 + 2
    (item,) = store.list("observations/household_power")
    kept = [json.loads(line) for line in bytes(store.get(item.key)).decode().splitlines()]
    assert kept == told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clock"], "'clock': give meter or watch"),
        (["meter", "--dag", "a", "--asset", "b"], "give --dag or --asset, not both"),
    ],
)
def test_arguments_that_cannot_be_used(podline: Podline, arguments: list[str], said: str) -> None:
    result = podline("edge", "simulate", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_is_no_json(refused: Refused) -> None:
    assert "is no JSON object: give one such as" in refused(
        *("edge", "simulate", "meter", "--conf", "[1]")
    )


@pytest.mark.usefixtures("store")
def test_an_edge_that_is_not_there(refused: Refused) -> None:
    said = refused("edge", "simulate", "meter", "--url", "http://127.0.0.1:9")
    assert "the edge does not answer at http://127.0.0.1:9" in said
    assert "fix: start it (`podline edge serve household_power`)" in said


def test_only_a_meter_has_times(edge: Edge, refused: Refused) -> None:
    assert "only the meter can be replayed from one time to another" in refused(
        *("edge", "simulate", "watch", "--model", "household_power", "--url", edge.url, *DAYS)
    )
