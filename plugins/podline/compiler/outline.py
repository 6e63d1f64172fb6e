"""What there is to know of a compiled notebook, as plain data.

A `Pipeline` has all that the compiler knows; this is what people are shown (`podline show`), and
what goes to JSON: its fields' names are read by others, and stay.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from podline.compiler.pipeline import Pipeline, Stage
from podline.compiler.tags import OF_PODS, Kind, StageSettings
from podline.contract import Carried


@dataclass(frozen=True)
class StageOutline:
    """A stage.

    Attributes:
        name, cells: its name, and the numbers of its cells.
        waits_for: why it waits, by the stage that it waits for.
        reads: the names that it reads, by the stage that made them last.
        hands_on: the names that it makes or changes and that later stages may read.
        settings: what its tags set, by name.
        not_applied: those of the settings that local processes do not apply.
    """

    name: str
    cells: list[int]
    waits_for: dict[str, str]
    reads: dict[str, list[str]]
    hands_on: list[str]
    settings: dict[str, Any]
    not_applied: list[str]


@dataclass(frozen=True)
class ParameterOutline:
    """A parameter; its `type` is the name in JSON Schema."""

    name: str
    type: str
    default: Any
    description: str


@dataclass(frozen=True)
class CellOutline:
    """A code cell: its number, its kind, and the stage that runs it; none: it is in no stage."""

    number: int
    kind: Kind
    stage: str | None


@dataclass(frozen=True)
class Outline:
    """A notebook; `carried` counts the statements that run in every stage that needs them."""

    notebook: str
    title: str
    parameters: list[ParameterOutline]
    stages: list[StageOutline]
    cells: list[CellOutline]
    carried: dict[str, int]

    @property
    def graph(self) -> dict[str, list[str]]:
        """By stage, the stages that it waits for; each after all of these."""
        return {stage.name: list(stage.waits_for) for stage in self.stages}


def outline(pipeline: Pipeline) -> Outline:
    """Return the outline of a notebook.

    Its stages are in an order in which they can run; of one with errors, in the notebook's.
    """
    stages = pipeline.stages if pipeline.errors else pipeline.in_order()
    handed = {stage.name: pipeline.hands_on(stage) & stage.touched for stage in pipeline.stages}
    return Outline(
        notebook=pipeline.name,
        title=_title(pipeline.document.description),
        parameters=[
            ParameterOutline(p.name, p.type, p.default, p.description) for p in pipeline.parameters
        ],
        stages=[_stage(pipeline, stage, handed) for stage in stages],
        cells=[*_cells(pipeline)],
        carried=_carried(pipeline),
    )


def _title(description: str) -> str:
    return description.strip().partition("\n")[0].lstrip("# ").strip()


def _cells(pipeline: Pipeline) -> Iterator[CellOutline]:
    stages = {cell.number: stage.name for stage in pipeline.stages for cell in stage.cells}
    for number, kind in sorted(pipeline.kinds.items()):
        yield CellOutline(number, kind, stages.get(number))


def _stage(pipeline: Pipeline, stage: Stage, handed: Mapping[str, set[str]]) -> StageOutline:
    settings = dict(_settings(stage.settings))
    return StageOutline(
        name=stage.name,
        cells=[cell.number for cell in stage.cells],
        waits_for=dict(stage.parents),
        reads=_reads(pipeline, stage, handed),
        hands_on=sorted(handed[stage.name]),
        settings=settings,
        not_applied=[name for name in settings if name in OF_PODS],
    )


def _reads(
    pipeline: Pipeline, stage: Stage, handed: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """The names that a stage reads from others, by the last of those above that makes them.

    Args:
        pipeline: the compiled notebook.
        stage: one of its stages.
        handed: by stage, the names that it makes or changes and hands on.
    """
    above = [s.name for s in pipeline.stages[: stage.order] if s.name in stage.ancestors]
    found: dict[str, list[str]] = {name: [] for name in above}
    for name in sorted(stage.effects.all_reads):
        makers = [maker for maker in above if name in handed[maker]]
        if makers:
            found[makers[-1]].append(name)
    return {maker: names for maker, names in found.items() if names}


def _settings(settings: StageSettings) -> Iterator[tuple[str, Any]]:
    """The settings that say something; mappings and tuples as plain ones, to print as JSON."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is None or value == {}:
            continue
        if field.name == "retry":
            value = {k: v for k, v in value._asdict().items() if v is not None}
        elif field.name == "secrets":
            value = {variable: f"{key.name}/{key.key}" for variable, key in value.items()}
        elif not isinstance(value, bool | int | float | str):
            value = dict(value)
        yield field.name, value


def _carried(pipeline: Pipeline) -> dict[str, int]:
    counts = {"import": 0, "definition": 0, "other statement": 0}
    for statement in pipeline.carried:
        if statement.cell not in pipeline.parameter_cells:
            counts[_kind(statement)] += 1
    return counts


def _kind(statement: Carried) -> str:
    word = statement.source.split(maxsplit=1)[0]
    if word in ("import", "from"):
        return "import"
    if word in ("def", "class", "async") or word.startswith("@"):
        return "definition"
    return "other statement"
