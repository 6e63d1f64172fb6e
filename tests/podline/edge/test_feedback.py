"""What was true, told later: how far off a version's answers were."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from podline.edge.feedback import read
from podline.edge.protocol import ProtocolError
from podline.edge.repository import ServedModel
from podline.fleet.status import Quality, Swap


def told(answers: Any, labels: Any, version: Any = 3) -> bytes:
    body = {"model": "power", "version": version, "answers": answers, "labels": labels}
    return json.dumps(body).encode()


@pytest.fixture
def model() -> ServedModel:
    """A model of which versions 2 and 3 have served."""
    found = ServedModel("power", "edge")
    found.swaps.extend(Swap(number, 0, "alias", 0.0, 0.0) for number in (2, 3))
    return found


@pytest.mark.parametrize(
    ("answers", "labels", "error"),
    [
        ([1.5, 0.5], [1.0, 1.0], 0.5),
        ([[1.0], [3]], [[1.5], [3]], 0.25),  # as the protocol has rows
        (2.0, 1.0, 1.0),
        (["walk", "run", "sit", "sit"], ["walk", "run", "sit", "run"], 0.25),
        ([True, False], [True, True], 0.5),
    ],
)
def test_how_far_off_answers_were(
    model: ServedModel, answers: Any, labels: Any, error: float
) -> None:
    read(told(answers, labels)).count(model)
    assert model.quality[3].error == pytest.approx(error)


def test_feedback_adds_up_by_version(model: ServedModel) -> None:
    """Labels come late: a version that served before has them too."""
    read(told([1.0], [2.0])).count(model)
    read(told([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "3")).count(model)
    read(told([1.0], [1.5], 2)).count(model)
    assert model.quality == {3: Quality(4, 0.25), 2: Quality(1, 0.5)}
    model.current = SimpleNamespace(  # type: ignore[assignment]
        number=3, form=SimpleNamespace(name="onnx"), requests=5, errors=0, first_answer=0.0,
        latencies={}, quantile=lambda share: None,
    )  # fmt: skip
    status = model.status()
    assert (status.labels, status.error) == (4, 0.25)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", 'give {"model": "power"'),
        (b"[" * 100_000, 'give {"model": "power"'),
        (b"[]", 'give {"model": "power"'),
        (told([1.0], [1.0], "three"), 'give {"model": "power"'),
        (told([1.0], [1.0, 2.0]), "there are 1 answers and 2 labels"),
        (told([], []), "there are 0 answers and 0 labels"),
        (told([float("nan")], [1.0]), "answers and labels must be finite numbers"),
        (told([10**400], [1.0]), "answers and labels must be finite numbers"),
    ],
)
def test_feedback_that_is_none(body: bytes, said: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        read(body)
    assert said in str(refused.value)
    assert refused.value.status == 400


def test_feedback_of_a_version_that_has_not_served(model: ServedModel) -> None:
    with pytest.raises(ProtocolError, match="version 7 of power has not served here") as refused:
        read(told([1.0], [1.0], 7)).count(model)
    assert refused.value.status == 404
