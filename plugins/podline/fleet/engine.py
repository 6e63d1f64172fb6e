"""Rolls a version out to a fleet: canaries, then the rest; it goes back by itself, and says why."""

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from podline.exceptions import PodlineError
from podline.fleet.client import NodeClient
from podline.fleet.dispatcher import Dispatcher
from podline.fleet.heartbeat import heartbeat
from podline.fleet.journal import Journal
from podline.fleet.lease import Holder, Lease
from podline.fleet.member import Member
from podline.fleet.observation import Observation
from podline.fleet.order import Order, find, waves
from podline.fleet.records import RecordError, read_rollout, remove_oldest
from podline.fleet.rollout import Rollout, State, Step
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.store import Store, StoreError, keys

_SETTLE = 5.0  # seconds in which the rest may answer a first request, for the record
_HASTE = 10.0  # seconds that an interrupted rollout takes to go back at most
_NAMED = 3  # nodes that a sentence names
_T = TypeVar("_T")


def roll_out(
    store: Store, order: Order, say: Callable[[str], object] = lambda line: None
) -> Rollout:
    """Roll a version out, to its end; interrupted (SIGINT, SIGTERM), it goes back first.

    Args:
        store: where models, nodes and records are.
        order: what is to be rolled out.
        say: gets a line at each step.

    Returns:
        Its record.

    Raises:
        RolloutRefused: there is no such version, or it cannot be rolled out.
        RolloutUnderWay: another one of this model goes on.
        LeaseLost: another one took its place, since it was not heard of.
        StoreError: the store cannot be used.
    """
    manifest = find(store, order)
    try:
        return asyncio.run(_roll_out(store, order, manifest, say))
    except asyncio.CancelledError:  # before there was anything to go back from, or a second time
        raise KeyboardInterrupt from None


async def _roll_out(
    store: Store, order: Order, manifest: Manifest, say: Callable[[str], object]
) -> Rollout:
    import httpx

    most = 4 * order.strategy.parallel
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=most)
    async with httpx.AsyncClient(limits=limits) as http:
        dispatcher = Dispatcher(NodeClient(http, order.token), order.model, order.strategy.parallel)
        with _cancelled_by_sigterm():
            return await _Run(store, order, manifest, dispatcher, say).run()


@contextmanager
def _cancelled_by_sigterm() -> Iterator[None]:
    """Have SIGTERM do as Ctrl-C does, where signals come to this thread."""
    task = asyncio.current_task()
    assert task
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


class _GoBack(PodlineError):
    """The version is not good enough, and why."""


class _Run:
    """One rollout."""

    def __init__(
        self,
        store: Store,
        order: Order,
        manifest: Manifest,
        dispatcher: Dispatcher,
        say: Callable[[str], object],
    ) -> None:
        self.store, self.order, self.dispatcher, self.say = store, order, dispatcher, say
        self.strategy, self.version = order.strategy, manifest.version
        self.published = datetime.fromisoformat(manifest.created).timestamp()
        self.model = Model(store, order.model)
        self.started = time.time()
        self.id = _new_id(self.started)
        self.members = [Member(target, order.model) for target in order.targets]
        self.before = 0  # what the alias meant
        self.observation = Observation(self.version, 0, self.strategy, dispatcher)
        self.state: State = "running"
        self.step: Step = "survey"
        self.decision = ""
        self.moves_alias = False  # whether it moved the alias, or was about to

    async def run(self) -> Rollout:
        order = self.order
        lease = Lease(self.store, order.model, self.id, order.started_by, order.lease)
        journal = Journal(self.store)
        holder = await asyncio.to_thread(lease.take)
        async with heartbeat(journal, lease, self.record, self.say) as lost:
            try:
                await self._decide(holder)
            except asyncio.CancelledError:
                if lost:  # the nodes are another one's now
                    raise
                await self._interrupted()
        record = self.record()
        await asyncio.to_thread(journal.write, record)
        await asyncio.to_thread(lease.release)
        with suppress(StoreError):  # the next one tries again
            await asyncio.to_thread(remove_oldest, self.store, order.model)
        return record

    async def _decide(self, holder: Holder | None) -> None:
        try:
            await self._forward(holder)
        except PodlineError as error:
            await self._go_back(str(error), self.strategy.patience)

    async def _interrupted(self) -> None:
        if self.step == "rest":
            self._end("promoted", f"{self.decision}. It was interrupted: {self._outcome()}")
        else:
            await self._go_back("it was interrupted", _HASTE)

    async def _forward(self, holder: Holder | None) -> None:
        await self._survey(holder)
        if self.before == self.version:
            self.decision = f"{self.order.alias!r} meant it already"
        else:
            await self._canaries([member for member in self._ours() if member.first])
            await self._promote()
        await self._rest()
        self._end("promoted", f"{self.decision}. {self._outcome()}")

    # --- its steps ---------------------------------------------------------------------------

    async def _survey(self, holder: Holder | None) -> None:
        """See who is there, and clear up after a rollout that did not come to its end."""
        self.before = await asyncio.to_thread(self._meant)
        self.observation.before = self.before
        self.say(
            f"{self.order.model}: version {self.version} in place of "
            f"{_named(self.before)}, {len(self.members)} nodes"
        )
        await self.dispatcher.look(self.members)
        for member in self.members:
            if not member.error and (why := self._not_ours(member)):
                member.state, member.error = "passed over", why
        if holder:
            await self._clear_up(holder)
        if not any(member.first for member in self._ours()):
            raise _GoBack(self._nobody())

    def _meant(self) -> int:
        """What the alias means now; 0: nothing."""
        alias = self.model.aliases.get(self.order.alias)
        return alias.version if alias else 0

    def _not_ours(self, member: Member) -> str:
        if member.last is None:
            return f"it does not serve {self.order.model}"
        if member.last.alias != self.order.alias:
            return f"it follows the alias {member.last.alias!r}"
        return ""

    def _nobody(self) -> str:
        if not self.members:
            return (
                "there is no node: start `podline edge serve` with --address, or name nodes by "
                "their URLs"
            )
        first = next(member for member in self.members if member.error)
        return (
            f"none of {len(self.members)} nodes can take {self.order.model} by the alias "
            f"{self.order.alias!r}; {first.target.name}: {first.error}"
        )

    async def _clear_up(self, holder: Holder) -> None:
        """Close the record of a rollout whose process has ended, and let go of its canaries."""
        model = self.order.model
        try:
            left = await asyncio.to_thread(read_rollout, self.store, model, holder.rollout)
        except RecordError:
            return
        if left.state != "running":
            return
        why = (
            f"its process ended at the step {left.step}. {left.alias!r} means "
            f"{_named(self.before)}; {self.id} has taken its place"
        )
        self.say(f"{left.id}: {why}")
        closed = replace(left, state="abandoned", ended=time.time(), decision=why)
        await asyncio.to_thread(_overwrite, self.store, closed)
        canaries = {node.address for node in left.nodes if node.wave is not None}
        pinned = [
            member
            for member in self._ours()
            if member.target.address in canaries and member.last and member.last.pinned
        ]
        await self._return(pinned, self.before, self.strategy.patience)
        for member in pinned:
            member.first, member.state = member.last, "waiting"

    async def _canaries(self, candidates: list[Member]) -> None:
        """Have the waves of canaries take the version up, and watch each."""
        deadline = time.monotonic() + self.strategy.limit
        had = 0
        for wave, until in enumerate(waves(self.strategy.canaries, len(candidates))):
            self.step = "canary"
            chosen, had = candidates[had:until], until
            for member in chosen:
                member.wave = wave
            self.say(f"canaries: {_names(chosen)}")
            await self.dispatcher.load(chosen, self.version, self.strategy.patience, pin=True)
            for member in chosen:
                if member.state == "refused":
                    raise _GoBack(f"{member.target.name} refused it: {member.error}")
            serving = [member for member in candidates[:until] if member.state == "serving"]
            if not serving:
                first = chosen[0]
                raise _GoBack(f"no canary took it up; {first.target.name}: {first.error}")
            self.step = "observation"
            found = await self.observation.watch(serving, candidates[until:], deadline)
            if not found.good:
                raise _GoBack(found.why)
            self.decision = found.why
            self.say(found.why)

    async def _promote(self) -> None:
        """Have the alias mean the version, if it still means what it did."""
        self.step, self.moves_alias = "promotion", True
        alias, before = self.order.alias, self.before or None
        await _whole(lambda: self.model.replace(alias, self.version, before))
        self.say(f"{alias!r} of {self.order.model} means version {self.version}")

    async def _rest(self) -> None:
        """Have all nodes follow the alias; those that are away do it when they are back."""
        self.step = "rest"
        ours = self._ours()
        await self.dispatcher.load(ours, self.version, self.strategy.patience)
        refused = [member for member in ours if member.state == "refused"]
        if self.moves_alias and len(refused) > self.strategy.refused * len(ours):
            raise _GoBack(
                f"{len(refused)} of {len(ours)} nodes refused it, and {self.strategy.refused:.0%} "
                f"may; {refused[0].target.name}: {refused[0].error}"
            )
        deadline = time.monotonic() + _SETTLE
        while time.monotonic() < deadline:
            waiting = [one for one in ours if one.waits_for_first_prediction(self.version)]
            if not waiting:
                return
            await asyncio.sleep(0.5)
            await self.dispatcher.look(waiting)

    # --- back --------------------------------------------------------------------------------

    async def _go_back(self, why: str, patience: float) -> None:
        """Undo what was done, and say why."""
        told = [member for member in self._ours() if member.tries]
        if not told and not self.moves_alias:
            self._end("failed", why)
            return
        self.say(f"back: {why}")
        means, trouble = self.before, ""
        if self.moves_alias:
            try:
                means = await _whole(self._move_back)
            except PodlineError as error:
                trouble = f". The alias {self.order.alias!r} could not be moved back: {error}"
        await self._return(told, means, patience)
        left = [member for member in told if member.state != "returned"]
        more = f". {_names(left)} could not be told so: {left[0].error}" if left else ""
        self._end("failed" if trouble else "rolled back", f"{why}{trouble}{more}")

    def _move_back(self) -> int:
        """Have the alias mean what it did, unless somebody else has moved it; returns what."""
        if self._meant() == self.version:
            if self.before:
                self.model.replace(self.order.alias, self.before, self.version)
            else:
                self.model.aliases.leave(self.order.alias, self.version, lambda _: False)
        return self._meant()

    async def _return(self, members: Sequence[Member], means: int, patience: float) -> None:
        """Have nodes answer with what the alias means; 0: with nothing."""
        if means:
            await self.dispatcher.load(members, means, patience)
        else:
            await self.dispatcher.unload(members, patience)
        for member in members:
            if member.state == "serving":
                member.state = "returned"

    # --- what is said ------------------------------------------------------------------------

    def record(self) -> Rollout:
        """It, as it is now."""
        now, last = time.time(), len(self.strategy.canaries)
        members = sorted(
            self.members, key=lambda member: last if member.wave is None else member.wave
        )
        return Rollout(
            id=self.id,
            model=self.order.model,
            alias=self.order.alias,
            version=self.version,
            before=self.before,
            started_by=self.order.started_by,
            started=self.started,
            updated=now,
            ended=now if self.state != "running" else None,
            state=self.state,
            step=self.step,
            decision=self.decision,
            strategy=self.strategy,
            new=self.observation.new,
            old=self.observation.old,
            nodes=tuple(
                member.record(self.version, self.started, self.published) for member in members
            ),
        )

    def _outcome(self) -> str:
        ours = self._ours()
        left = [member for member in ours if member.state != "serving"]
        said = f"{len(ours) - len(left)} of {len(ours)} nodes answer with it"
        return f"{said}; not {_names(left)}: {left[0].error}" if left else said

    def _end(self, state: State, why: str) -> None:
        self.state, self.step, self.decision = state, "end", why
        self.say(f"{state}: {why}")

    def _ours(self) -> list[Member]:
        return [member for member in self.members if member.state != "passed over"]


async def _whole(work: Callable[[], _T]) -> _T:
    """Do this in a thread, to its end also where we are interrupted meanwhile."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _overwrite(store: Store, record: Rollout) -> None:
    key = keys.rollout_key(record.model, record.id)
    store.swap(key, record.to_json().encode(), store.head(key).etag)


def _names(members: Sequence[Member]) -> str:
    names = ", ".join(member.target.name for member in members[:_NAMED])
    return names + (f" and {len(members) - _NAMED} more" if len(members) > _NAMED else "")


def _named(version: int) -> str:
    return f"version {version}" if version else "none"


def _new_id(started: float) -> str:
    when = datetime.fromtimestamp(started, UTC)
    return f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03}Z-{secrets.token_hex(4)}"
