"""A study as one file, to be carried to another store: gone on with there, or reported."""

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from podline.store import keys
from podline_studies.registry import kind_of
from podline_studies.report_store import FOLDER
from podline_studies.study import Study, StudyError

if TYPE_CHECKING:
    from podline.store import Store


class _Kind(TypedDict):
    """The first line."""

    kind: str
    name: str


class _Object(TypedDict):
    """Each other line: an object's key below the study's, in parts, and its JSON."""

    place: list[str]
    value: object


def export(study: Study[Any, Any], path: Path) -> int:
    """Write what a study has, but its report, as lines of JSON packed by gzip.

    Args:
        study: which.
        path: the file; one that is there is replaced, its folder is made.

    Returns:
        How many objects there are.

    Raises:
        StudyError: there is no such study.
    """
    study.design()
    root = study.key()
    lines: list[_Kind | _Object] = [{"kind": study.kind.name, "name": study.name}]
    for item in sorted(study.store.list(root), key=lambda item: item.key):
        place = keys.split(item.key)[len(keys.split(root)) :]
        if place[0] != FOLDER:
            lines.append({"place": place, "value": json.loads(bytes(study.store.get(item.key)))})
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a time, so that the same study makes the same file.
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return len(lines) - 1


def load(store: "Store", path: Path) -> Study[Any, Any]:
    """Put a study that was exported into a store; what is there already stays.

    Args:
        store: where to.
        path: the file.

    Raises:
        StudyError: the file is no study, or the store has one of its name with another design.
    """
    about, objects = _read(path)
    study = Study(store, kind_of(about["kind"]), about["name"])
    for entry in sorted(objects, key=lambda entry: entry["place"] != ["design.json"]):
        text = json.dumps(entry["value"], sort_keys=True, separators=(",", ":")).encode()
        key = study.key(*entry["place"])
        new = store.put_if_absent(key, text)
        if not new and bytes(store.get(key)) != text:
            raise StudyError(
                f"{path.name}: the store has another {'/'.join(entry['place'])} of the study "
                f"{study.name!r}"
            )
    return study


def _read(path: Path) -> tuple[_Kind, list[_Object]]:
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        about, *objects = map(json.loads, lines or ["{}"])
        if not {"kind", "name"} <= about.keys():
            raise ValueError("it has no kind and name")
    except (OSError, EOFError, ValueError) as error:
        raise StudyError(f"{path} is not a study that was exported: {error}") from None
    return about, objects
