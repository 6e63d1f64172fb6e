"""The record of a rollout in the store, replaced as it goes on."""

import threading

from podline.fleet.lease import LeaseLost
from podline.fleet.records import read_rollout
from podline.fleet.rollout import Rollout
from podline.store import Conflict, Store, keys


class Journal:
    """Writes a rollout's record. Safe to use from several threads.

    Args:
        store: where to.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._etag: str | None = None
        self._lock = threading.Lock()

    def write(self, record: Rollout) -> None:
        """Replace the record.

        Raises:
            LeaseLost: somebody else has closed it.
        """
        key, data = keys.rollout_key(record.model, record.id), record.to_json().encode()
        with self._lock:
            try:
                self._etag = self.store.swap(key, data, self._etag)
            except Conflict:
                found = read_rollout(self.store, record.model, record.id)
                if found.state == "abandoned":
                    raise LeaseLost(found.decision) from None
                # The answer to our last write was lost.
                self._etag = self.store.swap(key, data, self.store.head(key).etag)
