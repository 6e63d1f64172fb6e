"""Telling nodes what to serve: many at once, each as often as it takes, none for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from podline.fleet.client import NodeClient, NodeDenies, NodeRefuses, NodeSilent
from podline.fleet.member import Member

_FIRST_PAUSE = 0.25  # seconds until a node is asked again; then twice as long each time
_LONGEST_PAUSE = 15.0
_REFUSALS = 3  # after which a node is taken at its word: its store may just have been away


class Dispatcher:
    """Tells nodes of one model what to serve.

    Args:
        client: asks them.
        model: the model's name.
        parallel: how many are asked at once.
    """

    def __init__(self, client: NodeClient, model: str, parallel: int) -> None:
        self._client, self._model = client, model
        self._places = asyncio.Semaphore(parallel)

    async def look(self, members: Iterable[Member]) -> None:
        """Ask nodes how they are, once; one that does not answer says so as its `error`."""
        await _all(self._look_at(member) for member in members)

    async def load(
        self, members: Iterable[Member], version: int, patience: float, pin: bool = False
    ) -> None:
        """Have nodes serve a version, each until it does, refuses, or is given up.

        Args:
            members: the nodes.
            version: what they are to answer with then.
            patience: seconds after which one that does not answer is given up.
            pin: whether they are to stay at it; else they follow the alias, which means it.
        """
        ask = version if pin else 0

        async def tell(member: Member) -> None:
            await self._client.load(member.target.address, self._model, ask)

        await _all(self._persuade(member, tell, version, patience) for member in members)

    async def unload(self, members: Iterable[Member], patience: float) -> None:
        """Have nodes serve nothing.

        Args:
            members: the nodes.
            patience: seconds after which one that does not answer is given up.
        """

        async def tell(member: Member) -> None:
            await self._client.unload(member.target.address, self._model)

        await _all(self._persuade(member, tell, None, patience) for member in members)

    async def _persuade(
        self,
        member: Member,
        tell: Callable[[Member], Awaitable[None]],
        version: int | None,
        patience: float,
    ) -> None:
        deadline, pause, refusals = time.monotonic() + patience, _FIRST_PAUSE, 0
        member.state, member.error = "told", ""
        while True:
            said = ""
            try:
                async with self._places:
                    member.tries += 1
                    await tell(member)
            except NodeSilent as error:
                said = str(error)  # its answer was lost, or it takes long
            except NodeRefuses as error:
                said = str(error)
                refusals = _REFUSALS if isinstance(error, NodeDenies) else refusals + 1
            await self._look_at(member)
            answers = not member.error
            if answers and member.version == version:
                member.state = "serving"
                return
            if answers:
                said = said or f"it answers with {_named(member.version)} still"
            member.error = said or member.error
            if refusals == _REFUSALS:
                member.state = "refused"
                return
            if time.monotonic() + pause > deadline:
                member.state = "told" if answers else "unreachable"
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _look_at(self, member: Member) -> None:
        member.error = ""
        try:
            async with self._places:
                began = time.monotonic()
                status = await self._client.status(member.target.address)
                member.heard(status, time.monotonic() - began)
        except NodeSilent as error:
            member.error = str(error)


async def _all(work: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*work)


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
