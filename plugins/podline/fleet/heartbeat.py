"""Keeps a rollout known while it goes on: its record is written, and its lease renewed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from podline.exceptions import PodlineError
from podline.fleet.journal import Journal
from podline.fleet.lease import Lease, LeaseLost
from podline.fleet.rollout import Rollout

_EVERY = 1.0  # seconds between two writes of the record


@asynccontextmanager
async def heartbeat(
    journal: Journal, lease: Lease, record: Callable[[], Rollout], say: Callable[[str], object]
) -> AsyncIterator[list[LeaseLost]]:
    """Keep a rollout known while the block runs, which is cancelled if its lease is lost.

    The block gets a list, which has something then.

    Args:
        journal: writes the record.
        lease: that was taken.
        record: gives the record as it is.
        say: gets what is wrong with the store, which may pass.

    Raises:
        LeaseLost: somebody else has taken it over.
    """
    ended, lost = asyncio.Event(), list[LeaseLost]()
    task = asyncio.current_task()
    assert task

    async def keep() -> None:
        due = 0.0
        while not ended.is_set():
            try:
                await asyncio.to_thread(journal.write, record())
                if time.monotonic() >= due:
                    await asyncio.to_thread(lease.renew)
                    due = time.monotonic() + lease.seconds / 4
            except LeaseLost as error:
                lost.append(error)
                task.cancel()
                return
            except PodlineError as error:
                say(str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(_EVERY, lease.seconds / 4))

    keeping = asyncio.create_task(keep())
    try:
        yield lost
    except asyncio.CancelledError:
        if not lost:
            raise
        task.uncancel()
    finally:
        ended.set()
        await keeping
    if lost:
        raise lost[0]
