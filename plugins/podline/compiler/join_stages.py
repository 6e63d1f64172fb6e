"""Joins two stages of a notebook that follow upon each other.

Each stage costs the start of a process or pod, and the storing and loading of what it hands on.
Where that outweighs what running apart gains, two stages are better one. Joining `a` and `b`::

    step:a            x = load()        step:a            x = load()
    step:b prev:a     y = f(x)                            y = f(x)
    step:c prev:b     z = g(y)          step:c prev:a     z = g(y)

Only tags change, so the notebook runs in Jupyter as before.
"""

import json
from pathlib import Path
from typing import Any

from podline.compiler.compiler import compile_notebook
from podline.exceptions import NotebookError

JOINED = "_joined"  # ends the new notebook's name
_STEPS = ("step:", "block:")


def join_stages(path: Path, first: str, second: str) -> str:
    """Return the notebook's text with one stage in place of two.

    The joined stage has the first one's name and settings, and waits for what either waited for.

    Args:
        path: the notebook.
        first: a stage.
        second: the stage whose cells come next.

    Raises:
        NotebookError: the notebook does not compile, or they are no such stages.
    """
    pipeline = compile_notebook(path)
    names = [stage.name for stage in pipeline.stages]
    for name in (first, second):
        if name not in names:
            raise NotebookError(
                f"{path.name} has no stage {name!r}; its stages are {', '.join(names)}"
            )
    if names.index(second) != names.index(first) + 1:
        raise NotebookError(
            f"{path.name}: {second!r} does not come right after {first!r}; its stages are, in "
            f"order, {', '.join(names)}"
        )
    content = json.loads(path.read_text())
    waits = [name for name in pipeline.stage(second).prev or () if name != first]
    begun = False
    for cell in content["cells"]:
        tags = (cell.get("metadata") or {}).get("tags")
        if not tags:
            continue
        if not begun and _names(tags, first):
            begun = True
            tags[:] = [*tags, *(f"prev:{name}" for name in waits if f"prev:{name}" not in tags)]
            if waits and "prev:" in tags:
                tags.remove("prev:")
        elif _names(tags, second):
            tags[:] = [tag for tag in tags if ":" not in tag]  # it joins the cells above it
        tags[:] = [f"prev:{first}" if tag == f"prev:{second}" else tag for tag in tags]
        tags[:] = dict.fromkeys(tags)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _names(tags: list[Any], stage: str) -> bool:
    return any(f"{word}{stage}" in tags for word in _STEPS)
