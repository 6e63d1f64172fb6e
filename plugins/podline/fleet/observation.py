"""Watching canaries beside nodes that have the old version, until one can judge."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from podline.fleet import verdict
from podline.fleet.dispatcher import Dispatcher
from podline.fleet.member import Member, Target
from podline.fleet.rollout import Measure, Strategy
from podline.fleet.status import ModelStatus
from podline.fleet.verdict import Verdict

_CONTROLS = 16  # nodes with the old version that are watched


@dataclass
class Observation:
    """Two versions side by side.

    Attributes:
        version, before: the new one and the old one.
        strategy: what the new one must keep to.
        dispatcher: asks nodes.
        new, old: how they did by now.
    """

    version: int
    before: int
    strategy: Strategy
    dispatcher: Dispatcher
    new: Measure = field(default_factory=Measure)
    old: Measure = field(default_factory=Measure)

    async def watch(
        self, canaries: Sequence[Member], others: Sequence[Member], deadline: float
    ) -> Verdict:
        """Watch for as long as the strategy has it, or until it is plain that it is worse.

        Args:
            canaries: nodes that have the new version.
            others: nodes that have the old one.
            deadline: when it is judged in any case (monotonic).
        """
        controls = others[:_CONTROLS]
        watched = [*canaries, *controls]
        await self.dispatcher.look(watched)
        began = {member.target: member.last for member in watched}
        due = min(deadline, time.monotonic() + self.strategy.observe)
        pause = min(1.0, max(0.05, self.strategy.observe / 5))
        while True:
            await self.dispatcher.look(watched)
            self._measure(canaries, controls, began)
            if worse := verdict.early(self.new, self.old, self.strategy):
                return worse
            enough = self.new.requests >= self.strategy.requests
            left = (due if enough else deadline) - time.monotonic()
            if left <= 0:
                return self._lost(canaries) or verdict.judge(self.new, self.old, self.strategy)
            await asyncio.sleep(min(pause, left))

    def _measure(
        self,
        canaries: Sequence[Member],
        controls: Sequence[Member],
        began: dict[Target, ModelStatus | None],
    ) -> None:
        def since(members: Sequence[Member]) -> list[tuple[ModelStatus | None, ModelStatus]]:
            return [(began[one.target], one.last) for one in members if one.last]

        self.new = verdict.measure(self.version, since(canaries))
        self.old = verdict.measure(self.before, since(controls))
        if self.old.requests < self.strategy.requests:  # then as it was on the canaries before
            earlier = [member.first for member in canaries if member.first]
            self.old = verdict.measure(self.before, [(None, first) for first in earlier])

    def _lost(self, canaries: Sequence[Member]) -> Verdict | None:
        """What is said of a canary that does not answer with the version any more."""
        for member in canaries:
            why = member.error
            if not why and member.version != self.version:
                why = f"it answers with version {member.version}"
            if why:
                return Verdict(False, f"{member.target.name} had it, and no more: {why}")
        return None
