"""`podline inspect`: what an editor asks again and again, answered by one process that stays."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from podline.compiler.compiler import check_notebook
from podline.compiler.outline import outline


def command() -> None:
    """Tell an editor what notebooks become, one a line of input.

    A line asks with a JSON object: `path`, the notebook's file, and `notebook`, its content as it
    is in the editor, without outputs. The answer is what `podline show --json` says, as far as the
    notebook compiles, and `problems` as `podline lint --format json` has them.
    """
    for line in sys.stdin:
        typer.echo(json.dumps(_answer(line), ensure_ascii=False))
        sys.stdout.flush()


def _answer(line: str) -> dict[str, Any]:
    """What is known of a notebook; a request that cannot be answered does not end the process."""
    try:
        asked = json.loads(line)
        path, draft = Path(asked["path"]), json.dumps(asked["notebook"]).encode()
        pipeline = check_notebook(path, draft)
        return {**asdict(outline(pipeline)), "problems": [asdict(p) for p in pipeline.problems]}
    except Exception as error:  # the editor shows it, and asks again after the next change
        return {"error": f"the notebook cannot be inspected: {type(error).__name__}: {error}"}
