"""The thread that keeps a node in the fleet: it says in the store what the node serves."""

import threading
import time
from collections.abc import Callable
from dataclasses import fields

from podline.edge.logs import log
from podline.exceptions import PodlineError
from podline.fleet.node import Node, NodeModel
from podline.fleet.status import NodeStatus
from podline.store import Conflict, ObjectMissing, Store, keys

_LOOK = 1.0  # seconds between two looks at what has changed
_EVERY = 15.0  # seconds after which a node says that it is there
_END = 2.0  # seconds that its end waits for the store


class Registration:
    """A node's place in the fleet. That the store cannot be written to is logged, and no trouble.

    Args:
        store: where it is.
        address: the URL at which others reach the node.
        status: gives all that the node says of itself.
        every: seconds after which it says that it is there, if nothing has changed.
    """

    def __init__(
        self, store: Store, address: str, status: Callable[[], NodeStatus], every: float = _EVERY
    ) -> None:
        self.store, self.address, self.status, self.every = store, address, status, every
        self._key = keys.node_key(status().node)
        self._etag: str | None = None
        self._told: tuple[object, ...] = ()  # what was said last of what does not count
        self._due = 0.0  # when it is said again (monotonic)
        self._told_why = False  # what is wrong
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)

    def start(self) -> None:
        """Register, and stay registered, from a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the fleet, if the store answers soon."""
        self._ended.set()
        self._thread.join(_END)

    def _run(self) -> None:
        while True:
            self._keep(self._say)
            if self._ended.wait(_LOOK):
                self._keep(lambda: self.store.delete([self._key]))
                return

    def _keep(self, do: Callable[[], None]) -> None:
        try:
            do()
            self._told_why = False
        except PodlineError as error:
            if not self._told_why:
                log("not registered", reason=str(error))
            self._told_why = True

    def _say(self) -> None:
        """Write what the node serves, if that has changed or it is time."""
        status = self.status()
        told = tuple(
            (model.version, model.pinned, model.state, model.reason) for model in status.models
        )
        if told == self._told and time.monotonic() < self._due:
            return
        self._told, self._due = told, time.monotonic() + self.every  # also if it fails
        self._write(_node(status, self.address, self.every).to_json().encode())

    def _write(self, data: bytes) -> None:
        try:
            self._etag = self.store.swap(self._key, data, self._etag)
        except Conflict:  # of a process before, or of another node with this name
            try:
                self._etag = self.store.head(self._key).etag
            except ObjectMissing:
                self._etag = None
            self._etag = self.store.swap(self._key, data, self._etag)


def _node(status: NodeStatus, address: str, every: float) -> Node:
    names = [field.name for field in fields(NodeModel)]
    return Node(
        name=status.node,
        address=address,
        podline=status.podline,
        started=status.started,
        seen=status.now,
        every=every,
        memory=status.memory,
        models=tuple(
            NodeModel(**{name: getattr(model, name) for name in names}) for model in status.models
        ),
    )
