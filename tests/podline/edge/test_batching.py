"""Requests that come together are answered by one run, each by its own rows."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podline.edge.batching import MOST, Batches
from podline.edge.version import LoadedVersion
from podline.models.manifest import Lineage, Manifest, ServedForm
from podline.models.publishing import publish
from podline.models.runtimes import RuntimeFailure
from podline.models.sample import Sample
from podline.models.signature import ANY, InputError, Signature, TensorSpec
from tests.support.edge import request, serving, write_line

INPUTS = (TensorSpec("input", "FP32", (ANY, 2)),)
OUTPUTS = (TensorSpec("output", "FP32", (ANY, 1)),)


@dataclass
class Sums:
    """Adds up each row, and notes of how many rows each run was.

    Attributes:
        of_all: whether rows have a part in each other's answers.
    """

    of_all: bool = False
    inputs: tuple[TensorSpec, ...] = INPUTS
    outputs: tuple[TensorSpec, ...] = OUTPUTS
    runs: list[int] = field(default_factory=list)

    def run(self, given: Any) -> dict[str, Any]:
        rows = given["input"]
        self.runs.append(len(rows))
        if (rows < 0).any():
            raise RuntimeFailure("the model does not run: a row is negative")
        return {"output": rows.sum(axis=1, keepdims=True) / (rows.max() if self.of_all else 1)}


def loaded(runtime: Sums, rows: int = 4) -> LoadedVersion:
    """A version that was tried with a sample."""
    form = ServedForm("onnx", "model.onnx", 0.0, 1e-3)
    manifest = Manifest(
        "power", 1, "2026-01-01T00:00:00+00:00", "", {}, (), {}, {}, Lineage(), {},
        signature=Signature(runtime.inputs, runtime.outputs), sample="sample.npz", served=(form,),
    )  # fmt: skip
    version = LoadedVersion(manifest, form, runtime)
    given = {"input": np.arange(2.0 * rows, dtype="float32").reshape(rows, 2)}
    version.try_out(Sample(given, runtime.run(given)))
    runtime.runs.clear()
    return version


def ask(version: LoadedVersion, *requests: Sequence[Sequence[float]]) -> list[Any]:
    """What requests that come together are answered, or why they are not."""

    async def all_at_once() -> list[Any]:
        batches = Batches()
        given = ({"input": np.array(rows, "float32")} for rows in requests)
        asked = (batches.infer(version, inputs) for inputs in given)
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(all_at_once())
    return [one if isinstance(one, Exception) else one["output"].tolist() for one in found]


def test_requests_that_come_together_are_one_run() -> None:
    runtime = Sums()
    found = ask(loaded(runtime), [[1, 2]], [[3, 4], [5, 6]], [[7, 8]])
    assert found == [[[3]], [[7], [11]], [[15]]]
    assert runtime.runs == [4]


def test_one_alone_is_a_run() -> None:
    runtime = Sums()
    assert ask(loaded(runtime), [[1, 2]]) == [[[3]]]
    assert runtime.runs == [1]


def test_who_is_always_alone_is_not_gathered_until_others_come() -> None:
    runtime = Sums()
    version = loaded(runtime)
    batches, given = Batches(), {"input": np.ones((1, 2), "float32")}

    async def one_after_another(times: int) -> int:
        """How many of them let others go first."""
        waited = 0
        for _ in range(times):
            asked = batches.infer(version, given)
            try:
                asked.send(None)
                waited += 1
                asked.close()
                await asyncio.sleep(0)
            except StopIteration:
                pass
        return waited

    async def run() -> None:
        assert await one_after_another(8) == 8
        assert await one_after_another(16) == 0
        assert await one_after_another(17) == 1
        runtime.runs.clear()
        # The first of these is tried, and has the others with it.
        await asyncio.gather(*(batches.infer(version, given) for _ in range(20)))
        assert runtime.runs == [20]

    asyncio.run(run())


def test_a_run_has_no_more_rows_than_it_may() -> None:
    runtime = Sums()
    found = ask(loaded(runtime), *([[number, 0]] for number in range(MOST + 3)))
    assert found == [[[number]] for number in range(MOST + 3)]
    assert runtime.runs == [MOST, 3]


def test_a_request_that_the_model_does_not_take_is_in_no_run() -> None:
    runtime = Sums()
    first, wrong, last = ask(loaded(runtime), [[1, 2]], [[1, 2, 3]], [[3, 4]])
    assert isinstance(wrong, InputError)
    assert (first, last) == ([[3]], [[7]])
    assert runtime.runs == [2]


def test_a_run_that_fails_is_tried_request_by_request() -> None:
    runtime = Sums()
    first, wrong, last = ask(loaded(runtime), [[1, 2]], [[-1, 2]], [[3, 4]])
    assert isinstance(wrong, RuntimeFailure)
    assert (first, last) == ([[3]], [[7]])
    assert runtime.runs == [3, 1, 1, 1]


def test_who_has_gone_takes_nothing_from_the_others() -> None:
    version = loaded(Sums())

    async def one_goes() -> Any:
        batches, given = Batches(), {"input": np.ones((1, 2), "float32")}
        asked = [asyncio.ensure_future(batches.infer(version, given)) for _ in range(3)]
        await asyncio.sleep(0)
        asked[1].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    first, gone, last = asyncio.run(one_goes())
    assert first["output"] == last["output"] == 2
    assert isinstance(gone, asyncio.CancelledError)


def test_two_versions_have_runs_of_their_own() -> None:
    runtimes = Sums(), Sums()
    one, other = map(loaded, runtimes)

    async def both() -> None:
        batches, given = Batches(), {"input": np.ones((1, 2), "float32")}
        await asyncio.gather(*(batches.infer(each, given) for each in (one, other, one)))

    asyncio.run(both())
    assert [runtime.runs for runtime in runtimes] == [[2], [1]]


@pytest.mark.parametrize("edge", ["", "int8"])
def test_a_server_answers_many_at_once_each_by_its_own_row(
    store: object, tmp_path: Path, edge: str
) -> None:
    path = write_line(tmp_path / "model.onnx", 2, filling=20_000)
    publish(path, "power", edge=[edge] if edge else (), evaluate=lambda _: {"none": 0.0})
    with serving(tmp_path / "edge") as server, ThreadPoolExecutor(16) as pool:
        rows = [(float(number), 1.0, 1.0) for number in range(200)]
        found = list(pool.map(lambda row: server.infer(request(*row)).json(), rows))
    answered = [one["outputs"][0]["data"][0] for one in found]
    expected = [2 * sum(row) for row in rows]
    assert answered == pytest.approx(expected, rel=0.02 if edge else 1e-4)


@pytest.mark.parametrize(
    ("runtime", "rows", "apart"),
    [
        (Sums(), 4, True),
        (Sums(of_all=True), 4, False),  # as dynamic int8: the largest number of a run counts
        (Sums(), 1, False),  # one row says nothing of it
        (Sums(inputs=(TensorSpec("input", "FP32", (4, 2)),)), 4, False),
        (Sums(outputs=(TensorSpec("output", "FP32", (1,)),)), 4, False),
    ],
    ids=["rows apart", "rows together", "one row", "so many rows", "one answer"],
)
def test_only_rows_that_are_apart_may_be_in_one_run(runtime: Sums, rows: int, apart: bool) -> None:
    assert loaded(runtime, rows).rows_apart is apart
