"""The page's files: ES modules that the host imports as they are, below an address of their own."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from podline.fleet.rollout import PHASES as ROLLOUT_PHASES
from podline.phases import TABLE

_FOLDER = Path(__file__).with_name("page")
MAIN = "main.js"


@cache
def contents() -> dict[str, bytes]:
    """The files by name: nothing else can be asked for."""
    files = {path.name: path.read_bytes() for path in sorted(_FOLDER.glob("*.js"))}
    phases = json.dumps([asdict(kind) for kind in TABLE])
    of_rollouts = json.dumps(ROLLOUT_PHASES)
    text = f"export const PHASES = {phases};\nexport const ROLLOUT_PHASES = {of_rollouts};\n"
    return files | {"phases.js": text.encode()}


@cache
def digest() -> str:
    """What tells this version of the page from others."""
    parts = hashlib.sha256()
    for name, content in contents().items():
        parts.update(f"{name} {len(content)}\n".encode() + content)
    return parts.hexdigest()[:16]


def address() -> str:
    """Where the host finds the page: relative, so that a prefix of Airflow's stays."""
    return f"podline/page/{digest()}/{MAIN}"
