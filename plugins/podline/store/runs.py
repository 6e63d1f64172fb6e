"""What the tasks of a run left in the store."""

from typing import TYPE_CHECKING

from podline.store.keys import RUNS, TryKey, join

if TYPE_CHECKING:
    from podline.store.client import Store


def last_tries(store: "Store", dag_id: str, run_id: str) -> dict[str, "Left"]:
    """Return what the last try of each task left, by task id; mapped tasks are passed over.

    Args:
        store: where to look.
        dag_id: the run's DAG.
        run_id: the run.

    Raises:
        StoreError: the store does not answer.
    """
    found: dict[str, Left] = {}
    for item in store.list(join(RUNS, dag_id, run_id)):
        try:
            where, name = TryKey.parse(item.key)
        except ValueError:
            continue  # a file that was shipped with the run
        if where.map_index < 0:
            left = found.setdefault(where.task_id, Left())
            left.add(where.try_number, name, item.key)
    return found


class Left:
    """The objects of a task's last try.

    Attributes:
        try_number: which it is.
        keys: by the object's name in the try's folder.
    """

    def __init__(self) -> None:
        self.try_number = 0
        self.keys: dict[str, str] = {}

    def add(self, try_number: int, name: str, key: str) -> None:
        """Take an object in; those of earlier tries are dropped."""
        if try_number > self.try_number:
            self.try_number, self.keys = try_number, {}
        if try_number == self.try_number:
            self.keys[name] = key
