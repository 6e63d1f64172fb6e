"""Requests that came together are answered by one run of the model, and nobody waits for others.

Together is what the event loop has read by the time at which it would look at its sockets again.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from podline.edge.protocol import Tensors
from podline.edge.version import LoadedVersion
from podline.exceptions import PodlineError

MOST = 32  # rows of a run
# To gather costs two turns of the event loop. Where so many requests in a row were alone, it is
# left out for some, and then tried again.
_ALONE = 8
_LEFT_OUT = 16


@dataclass(frozen=True)
class _Waiting:
    inputs: Tensors
    rows: int
    answered: "asyncio.Future[dict[str, Any]]"

    def give(self, outputs: dict[str, Any]) -> None:
        """Answer it, unless nobody waits for that any more."""
        if not self.answered.done():
            self.answered.set_result(outputs)


class Batches:
    """Gathers requests, version by version; of one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[LoadedVersion, list[_Waiting]] = {}
        self._alone = 0  # runs in a row that had one request
        self._left_out = 0  # requests in a row that were not gathered

    async def infer(self, version: LoadedVersion, inputs: Tensors) -> dict[str, Any]:
        """The outputs by name; other requests may be in the same run.

        Args:
            version: what answers, whose rows are independent of each other.
            inputs: the request's.

        Raises:
            InputError: the inputs are not what the model takes.
            RuntimeFailure: the model does not run.
        """
        version.signature.check(inputs)
        loop, waiting = asyncio.get_running_loop(), self._waiting.get(version)
        if waiting is None:
            if self._alone >= _ALONE and self._left_out < _LEFT_OUT:
                self._left_out += 1
                return version.answer(inputs)
            self._left_out, waiting = 0, self._waiting.setdefault(version, [])
            loop.call_soon(self._run, version)
        rows = len(next(iter(inputs.values())))
        one = _Waiting(inputs, rows, loop.create_future())
        waiting.append(one)
        if sum(each.rows for each in waiting) >= MOST:
            self._run(version)
        return await one.answered

    def _run(self, version: LoadedVersion) -> None:
        waiting = self._waiting.pop(version, [])
        if waiting:
            self._alone = self._alone + 1 if len(waiting) == 1 else 0
        if len(waiting) < 2 or not self._run_together(version, waiting):
            for one in waiting:
                try:
                    one.give(version.answer(one.inputs))
                except PodlineError as error:
                    if not one.answered.done():
                        one.answered.set_exception(error)

    def _run_together(self, version: LoadedVersion, waiting: list[_Waiting]) -> bool:
        """Answer all by one run; False: it failed, and one of them may be why."""
        import numpy as np

        joined = {
            name: np.concatenate([one.inputs[name] for one in waiting])
            for name in waiting[0].inputs
        }
        try:
            found = version.answer(joined)
        except PodlineError:
            return False
        first = 0
        for one in waiting:
            rows = slice(first, first + one.rows)
            one.give({name: of[rows] for name, of in found.items()})
            first += one.rows
        return True
