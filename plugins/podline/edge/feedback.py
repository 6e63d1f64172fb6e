"""What was true, told later: how far off a version's answers were."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from math import inf, isfinite
from typing import Any

from podline.edge.protocol import ProtocolError
from podline.edge.repository import ServedModel
from podline.fleet.status import Quality

_HELP = 'give {"model": "power", "version": 3, "answers": [1.5, 0.7], "labels": [1.4, 0.9]}'


@dataclass(frozen=True)
class Feedback:
    """Answers that a version gave, and what was true.

    Attributes:
        model: the model's name.
        version: the one that answered.
        labels: how many there are.
        error: how far off they were in all: of numbers the difference, of texts and truth values
            1 where they differ.
    """

    model: str
    version: int
    labels: int
    error: float

    def count(self, model: ServedModel) -> None:
        """Count them with those that came before.

        Raises:
            ProtocolError: the version has not served here.
        """
        known = {swap.version for swap in model.swaps}
        if self.version not in known:
            raise ProtocolError(
                f"version {self.version} of {model.name} has not served here", HTTPStatus.NOT_FOUND
            )
        model.quality = {number: had for number, had in model.quality.items() if number in known}
        had = model.quality.get(self.version, Quality(0, 0.0))
        labels = had.labels + self.labels
        model.quality[self.version] = Quality(
            labels, (had.labels * had.error + self.error) / labels
        )


def read(body: bytes) -> Feedback:
    """Read a request's body.

    Raises:
        ProtocolError: it is not what is expected.
    """
    try:
        value = json.loads(body)
        answers, labels = [*_flat(value["answers"])], [*_flat(value["labels"])]
        name, version = str(value["model"]), int(value["version"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ProtocolError(_HELP) from None
    if len(answers) != len(labels) or not labels:
        raise ProtocolError(f"there are {len(answers)} answers and {len(labels)} labels: {_HELP}")
    return Feedback(name, version, len(labels), sum(map(_apart, answers, labels)))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _apart(answer: Any, label: Any) -> float:
    if not (_is_number(answer) and _is_number(label)):
        return float(answer != label)
    try:
        apart = abs(float(answer) - float(label))
    except OverflowError:
        apart = inf
    if not isfinite(apart):
        raise ProtocolError("answers and labels must be finite numbers")
    return apart


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
