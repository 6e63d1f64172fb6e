"""The id of a notebook's DAG: its file's name where Airflow takes that, else one made from it.

Airflow takes letters, digits and `_-.` of ASCII, at most 250 of them, and one id only once. A DAG
file with an id that it does not take has no DAG at all, so no notebook may ask for one::

    power.ipynb             power
    my notes (1).ipynb      my_notes_1_8e02102d
    power_baseline.ipynb    power_baseline, unless power.ipynb is beside it, whose baseline that is

What is made ends in a hash of the name: a file that is put beside the notebook never takes its id.
"""

import hashlib
import os
import re
import unicodedata
from pathlib import Path

from podline.compiler.notebook import WARNING, Problem

BASELINE = "_baseline"  # … of a notebook: all of it in one kernel
_DERIVED = (BASELINE, "_stock", "_stock_tuned")  # all but the first are the overhead study's
# Of the DAG files beside.
_OWN = frozenset(
    {"edge_rollout", "overhead_sweep", "pod_sweep", "update_benchmark", "upload_benchmark"}
)
_LONGEST = 250 - len(BASELINE)
# Some other letters load, and their runs fail: Airflow has the id in addresses.
_LEGAL = re.compile(r"[\w.-]*\w[\w.-]*", re.ASCII)


def dag_id(path: Path, prefix: str = "") -> str:
    """Return the id of the DAG of the notebook in a file.

    Args:
        path: the file.
        prefix: what the ids of its team begin with, 31 characters at most.
    """
    free = _is_free(path) and len(prefix) + len(path.stem) <= _LONGEST
    return prefix + (path.stem if free else _made(path))


def name_problems(path: Path) -> list[Problem]:
    """Say that a notebook's DAG is not called as its file is, if that is so."""
    if _is_free(path):
        return []
    found = dag_id(path)
    message = f"Airflow cannot have a DAG of the name {path.stem!r}: its id is {found!r}"
    return [Problem(message, f"call the file {_words(path)}.ipynb, or leave it", severity=WARNING)]


def _is_free(path: Path) -> bool:
    name = path.stem
    legal = _LEGAL.fullmatch(name) and ".." not in name and len(name) <= _LONGEST
    return bool(legal) and name not in _OWN and not _is_derived(path)


def _is_derived(path: Path) -> bool:
    """Whether a notebook beside this one has a DAG of this one's name."""
    for ending in _DERIVED:
        if path.stem.endswith(ending):
            other = path.with_name(f"{path.stem.removesuffix(ending)}{path.suffix}")
            return os.path.exists(other)
    return False


def _made(path: Path) -> str:
    return f"{_words(path)}_{hashlib.sha256(os.fsencode(path.stem)).hexdigest()[:8]}"


def _words(path: Path) -> str:
    """The name without what Airflow refuses, and letters without their accents."""
    name = unicodedata.normalize("NFKD", path.stem)
    plain = "".join(mark for mark in name if not unicodedata.combining(mark))
    words = re.sub(r"[^a-zA-Z0-9-]+", "_", plain).strip("_-")[:200] or "notebook"
    return f"{words}_2" if words in _OWN or words.endswith(_DERIVED) else words
