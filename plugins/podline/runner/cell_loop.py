"""The event loop that cells run in: as in Jupyter's kernel, it is running whatever a cell is.

So a plain cell may make a task, which goes on while later cells await, and between cells; and
`asyncio.run()` is refused there, as in Jupyter:

    job = asyncio.create_task(fetch())    # a cell that awaits nothing
    rows = await job                      # a later one
"""

import asyncio
import contextvars
import sys
from typing import Any

_TURNS = 50  # of the loop between two cells: what waits for nothing comes to its end


class CellLoop:
    """Runs cells in one event loop, in the context that all of them share."""

    def __init__(self, context: contextvars.Context) -> None:
        self.context = context
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def run(self, shell: Any, source: str, store_history: bool) -> None:
        """Run a cell, and give its tasks some turns.

        Args:
            shell: IPython's.
            source: the cell's text.
            store_history: whether it counts.
        """
        cell = self._run(shell, source, store_history)
        self.loop.run_until_complete(self.loop.create_task(cell, context=self.context))

    async def _run(self, shell: Any, source: str, store_history: bool) -> None:
        try:
            transformed, failure = shell.transform_cell(source), None
        except Exception:
            transformed, failure = source, sys.exc_info()
        how: dict[str, Any] = {"transformed_cell": transformed, "preprocessing_exc_tuple": failure}
        if shell.should_run_async(source, **how):
            result = None
            try:
                # A task of its own, as in Jupyter: what it sets in its context is not kept.
                cell = shell.run_cell_async(source, store_history=store_history, **how)
                result = await asyncio.ensure_future(cell)
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
            shell.note(result)
        else:
            shell.run_cell(source, store_history=store_history)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if not self.pending():
                break

    def pending(self) -> list[str]:
        """The tasks that are not done, each as its function's name."""
        tasks = asyncio.all_tasks(self.loop)
        current = asyncio.current_task(self.loop)
        return sorted(_name(task) for task in tasks if task is not current and not task.done())


def _name(task: "asyncio.Task[Any]") -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))
