"""One rollout of a model at a time: who has its lease renews it, and who lost it stops.

A lease that was not renewed for its seconds is its holder's no more, and the next one takes it.
For that alone clocks are compared: they may differ by less than those seconds.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store import Conflict, ObjectMissing, Store, keys


class RolloutUnderWay(PodlineError):
    """Somebody else rolls out the model."""


class LeaseLost(PodlineError):
    """Somebody else has taken the lease over."""


@dataclass(frozen=True)
class Holder(Json):
    """Who has a lease.

    Attributes:
        rollout: the id of the rollout; empty: nobody has it.
        by: who started that.
        renewed: when it was renewed (epoch); `seconds`: how long that holds.
    """

    rollout: str
    by: str
    renewed: float
    seconds: float

    @property
    def is_lost(self) -> bool:
        """Whether nobody has it any more."""
        return not self.rollout or time.time() > self.renewed + self.seconds


class Lease:
    """The lease of a model. Safe to use from several threads.

    Args:
        store: where it is.
        model: the model's name.
        rollout: the id of the rollout that wants it.
        by: who started that.
        seconds: for which it holds.
    """

    def __init__(self, store: Store, model: str, rollout: str, by: str, seconds: float) -> None:
        self.store, self.model, self.seconds = store, model, seconds
        self._key = keys.lease_key(model)
        self._me = Holder(rollout, by, 0.0, seconds)
        self._etag: str | None = None
        self._lock = threading.Lock()

    def take(self) -> Holder | None:
        """Take it; returns who had it, where that one's process has ended.

        Raises:
            RolloutUnderWay: somebody has it.
        """
        while True:
            holder, etag = self._read()
            if holder and not holder.is_lost:
                since = time.time() - holder.renewed
                raise RolloutUnderWay(
                    f"{self.model} is being rolled out already: {holder.rollout}, started "
                    f"{holder.by}, heard of {max(0.0, since):.0f} s ago. Wait until that has "
                    f"ended; if its process has, it is over in {holder.seconds:g} s"
                )
            with suppress(Conflict):
                self._swap(self._me, etag)
                return holder if holder and holder.rollout else None

    def renew(self) -> None:
        """Say that we are still there.

        Raises:
            LeaseLost: somebody else has it.
        """
        with self._lock:
            try:
                self._swap(self._me, self._etag)
            except Conflict:
                holder, etag = self._read()
                if holder is None or holder.rollout != self._me.rollout:
                    raise self._lost(holder) from None
                self._swap(self._me, etag)  # the answer to our last renewal was lost

    def release(self) -> None:
        """Give it back."""
        with self._lock, suppress(Conflict):
            self._swap(replace(self._me, rollout="", by=""), self._etag)

    def _lost(self, holder: Holder | None) -> LeaseLost:
        by = f"{holder.rollout}, started {holder.by}" if holder else "somebody"
        return LeaseLost(
            f"this rollout of {self.model} was not heard of for {self.seconds:g} s, and {by} has "
            "taken its place"
        )

    def _read(self) -> tuple[Holder | None, str | None]:
        try:
            data, etag = self.store.get_version(self._key)
        except ObjectMissing:
            return None, None
        try:
            return Holder.from_json(bytes(data)), etag
        except (ValueError, TypeError, AttributeError):
            return None, etag  # nobody's

    def _swap(self, holder: Holder, etag: str | None) -> None:
        data = replace(holder, renewed=time.time()).to_json().encode()
        self._etag = self.store.swap(self._key, data, etag)
