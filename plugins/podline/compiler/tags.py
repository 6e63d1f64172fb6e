"""The tags of a notebook's cells: what each may say, read into typed values.

The vocabulary is the union of Kale's (0.5 to 2.3), papermill's ``parameters`` and Jupyter's
``raises-exception``, with
``request:``, ``retry:``, ``timeout:`` and an empty ``prev:`` added. One cell is read at a time:
which stage an unnamed cell joins, and whether a ``prev:`` names a stage, is the compiler's part.

A tag is a promise of its writer, and one that is misread is a stage that runs otherwise than it
says. So nothing is guessed and nothing is passed over: a tag that cannot hold is an error, one
that does nothing a warning, and only tags that are known to be about a cell's looks are silent::

    ["step:train", "prev:load", "limit:memory"]    error: it says no quantity of memory
    ["step:train", "stpe:load"]                    warning: did you mean `step:load`?
    ["step:train", "hide-input"]                   nothing to say
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

from podline.compiler.notebook import Severity
from podline.compiler.tag_words import WORDS, Retry, SecretKey, Unreadable
from podline.text import nearest

Kind = Literal["stage", "imports", "functions", "skip", "parameters", "metrics"]

_KINDS: dict[str, Kind] = {
    "imports": "imports",
    "functions": "functions",
    "skip": "skip",
    "parameters": "parameters",  # papermill
    "pipeline-parameters": "parameters",
    "pipeline-metrics": "metrics",
}
MAY_RAISE = "raises-exception"  # Jupyter's
STAGE_WORDS = ("step", "block", "notebook")

# One readable tag for each word, for documents and their tests.
EXAMPLES: tuple[str, ...] = (
    *_KINDS,
    MAY_RAISE,
    *(word.example for name, word in WORDS.items() if name != "notebook"),
)


@dataclass(frozen=True)
class TagProblem:
    """What is wrong with one tag.

    Attributes:
        severity: ``error`` when the notebook must not run so, ``warning`` when the tag does
            nothing.
        tag: the tag as written (the ``repr`` of one that is not text).
        message: what is wrong, naming the tag.
        fix: what to write instead.
    """

    severity: Severity
    tag: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}"


# The settings below that only a pod has a use for.
OF_PODS = ("image", "limits", "requests", "labels", "annotations", "secrets", "cache")


@dataclass(frozen=True)
class StageSettings:
    """How a stage runs, as far as tags say; None or an empty mapping: nothing said.

    Attributes:
        image: reference of the container image.
        cache: whether an earlier run's outputs may be used again.
        limits, requests: Kubernetes quantities as text, by resource.
        labels, annotations: of the pod.
        secrets: keys of Kubernetes Secrets, by the environment variable that gets the value.
        retry: how often and when to try again.
        timeout: seconds that one try may take.
        ahead: how many stages before its turn it may be begun with.
        pool, priority_weight, max_active_tis_per_dag: of its task, as Airflow has them.
    """

    image: str | None = None
    cache: bool | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    retry: Retry | None = None
    timeout: float | None = None
    ahead: int | None = None
    pool: str | None = None
    priority_weight: int | None = None
    max_active_tis_per_dag: int | None = None

    def over(self, defaults: Self) -> Self:
        """Return these settings, and those of ``defaults`` where these say nothing."""
        said: dict[str, Any] = {
            name: {**getattr(defaults, name), **mine} if isinstance(mine, Mapping) else mine
            for name, mine in vars(self).items()
            if mine is not None
        }
        return replace(defaults, **said)


@dataclass(frozen=True)
class CellTags:
    """What the tags of one code cell say.

    Attributes:
        kind: what the cell is; ``stage`` for code that one stage runs.
        stage: the stage that the cell belongs to; None: it joins what the cell before belongs to.
        prev: the stages that must end first; None: not said; empty: none (an empty ``prev:``).
        settings: how the stage runs.
        may_raise: whether the cell's error does not end the stage.
    """

    kind: Kind = "stage"
    stage: str | None = None
    prev: tuple[str, ...] | None = None
    settings: StageSettings = field(default_factory=StageSettings)
    may_raise: bool = False


def parse_tags(tags: Sequence[object]) -> tuple[CellTags, list[TagProblem]]:
    """Read the tags of one code cell.

    Args:
        tags: the list ``metadata.tags`` of the cell, as it is in the notebook.

    Returns:
        What the readable tags say, and the problems of the others; a tag with a problem is left out
        of the first. Nothing is raised.
    """
    # Whoever skips a cell keeps its other tags for later: nothing to complain about.
    if "skip" in tags:
        return CellTags(kind="skip"), []
    readings, problems = _read_all(tags)
    kind: Kind = _first(readings, "kind") or "stage"
    stage: str | None = _first(readings, "stage")
    # An unreadable name is one problem, not one more for each tag beside it.
    misnamed = stage is None and any(p.tag.partition(":")[0] in STAGE_WORDS for p in problems)
    kept = []
    for reading in readings:
        problem = None if misnamed else _misplaced(reading, kind, stage)
        if problem is None:
            kept.append(reading)
        else:
            problems.append(problem)
    # An empty `prev:` alone says that nothing comes before; beside names it contradicts them.
    prev = tuple(reading.value for reading in kept if reading.field == "prev") or None
    if prev and "" in prev:
        prev = tuple(filter(None, prev))
        if prev:
            problems.append(_contradiction("prev:", f"prev:{prev[0]}"))
    may_raise = _first(kept, "may_raise") is True
    return CellTags(kind, _first(kept, "stage") or None, prev, _settings(kept), may_raise), problems


def parse_defaults(tags: Sequence[object]) -> tuple[StageSettings, list[TagProblem]]:
    """Read the tags that hold for every stage: Kale's ``steps_defaults`` in a notebook's metadata.

    Args:
        tags: the list, in the spelling of a cell's tags.

    Returns:
        The settings, for :meth:`StageSettings.over`, and the problems. Nothing is raised.
    """
    readings, problems = _read_all(tags)
    kept = []
    for reading in readings:
        if reading.field in ("kind", "stage", "prev", "may_raise"):
            message = f"`{reading.tag}` is about one cell, and cannot hold for every stage"
            problems.append(TagProblem("error", reading.tag, message, "tag the cell itself"))
        else:
            kept.append(reading)
    return _settings(kept), problems


class _Reading(NamedTuple):
    """One readable tag: the field it fills; the key, in a field that holds several; the value."""

    tag: str
    field: str
    key: str
    value: Any


def _read_all(tags: Sequence[object]) -> tuple[list[_Reading], list[TagProblem]]:
    readings: dict[tuple[str, str], _Reading] = {}
    problems: list[TagProblem] = []
    for reading in map(_read, tags):
        if isinstance(reading, TagProblem):
            problems.append(reading)
        elif reading is not None:
            first = readings.setdefault((reading.field, reading.key), reading)
            if first.value != reading.value:
                problems.append(_contradiction(first.tag, reading.tag))
    return list(readings.values()), problems


def _read(tag: object) -> _Reading | TagProblem | None:
    """Read one tag; None: it is of another tool, and nothing to us."""
    if not isinstance(tag, str):
        message = f"the tag {tag!r} is not text but {type(tag).__name__}"
        return TagProblem("error", repr(tag), message, "put it in quotes, or remove it")
    name, colon, text = tag.partition(":")
    if name in _KINDS or name == MAY_RAISE:
        if not colon:
            field, value = ("kind", _KINDS[name]) if name in _KINDS else ("may_raise", True)
            return _Reading(tag, field, "", value)
        return TagProblem("error", tag, f"`{tag}`: `{name}` takes no value", f"write `{name}`")
    if name == "report":  # Kale keeps a step's cells as HTML if it says so
        what = "does nothing: every stage's executed cells are kept"
        return TagProblem("warning", tag, f"`{tag}` {what}", "remove it, or leave it")
    if name not in WORDS:
        return _foreign(tag)
    word = WORDS[name]
    try:
        if not colon or (not text and word.field not in ("stage", "prev")):
            raise Unreadable("it has no value")
        value = word.read(text)
    except Unreadable as why:
        fix = why.fix or f"write it like `{word.example}`"
        return TagProblem("error", tag, f"`{tag}`: {why.message}", fix)
    key, value = value if word.keyed else ("", value)
    return _Reading(tag, word.field, key, value)


# Tags of Jupyter Book, nbconvert and nbval that change a cell's look or a test of it. A notebook
# may have one on every cell, and warnings about them would hide the one that matters.
_LOOK = re.compile(r"(hide|remove|scroll|output_scroll|full-width|margin|popout|nbval)([-_].*)?")


def _foreign(tag: str) -> TagProblem | None:
    name, _, text = (part.strip() for part in tag.partition(":"))
    if _LOOK.fullmatch(name):
        return None
    fix = "correct it, or leave it: it changes nothing"
    ours = {example.partition(":")[0]: example for example in EXAMPLES}
    if near := nearest(name.lower(), ours, cutoff=0.7):
        meant = f"{near}:{text}" if near in WORDS and text else ours[near]
        fix = f"did you mean `{meant}`?"
    return TagProblem("warning", tag, f"`{tag}` is not one of podline's tags", fix)


def _contradiction(first: str, second: str) -> TagProblem:
    message = f"`{second}` contradicts `{first}` on the same cell"
    return TagProblem("error", second, message, "keep one of the two")


def _first(readings: Iterable[_Reading], field: str) -> Any:
    return next((reading.value for reading in readings if reading.field == field), None)


def _misplaced(reading: _Reading, kind: Kind, stage: str | None) -> TagProblem | None:
    """Say what is wrong with a readable tag beside the others of its cell, if anything is.

    Args:
        reading: the tag.
        kind: of the cell.
        stage: the cell's stage; none: no tag names one; empty: a ``step:`` without a name.
    """
    found: tuple[Severity, str, str]
    if reading.field == "kind" or (reading.field == "stage" and kind == "stage"):
        return None
    if reading.field == "stage" and reading.value:
        found = "error", f"cannot be on a cell of {kind}", "keep one of the two tags"
    elif reading.field == "may_raise" and kind in ("stage", "metrics"):
        return None
    elif kind != "stage":
        found = "warning", f"does nothing on a cell of {kind}", "move it to a cell with a `step:`"
    elif stage is None:
        found = "error", "is on a cell that names no stage", "add `step:NAME`, or move it to one"
    elif not stage:
        found = "warning", "does nothing beside a `step:` with no name", "name the stage"
    elif reading.field == "prev" and reading.value == stage:
        found = "error", "makes the stage wait for itself", "name another stage, or remove the tag"
    else:
        return None
    severity, what, fix = found
    return TagProblem(severity, reading.tag, f"`{reading.tag}` {what}", fix)


def _settings(readings: Iterable[_Reading]) -> StageSettings:
    settings = StageSettings()
    for reading in readings:
        if reading.field in StageSettings.__dataclass_fields__:
            value: Any = {reading.key: reading.value} if reading.key else reading.value
            settings = StageSettings(**{reading.field: value}).over(settings)
    return settings
