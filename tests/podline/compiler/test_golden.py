"""The whole plan of some notebooks, as text: any change of the compiler shows in a review.

`PODLINE_UPDATE_GOLDEN=1 make test PYTEST_ARGS="-k golden"` writes the files anew.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline, Stage

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden"
NOTEBOOKS = [
    "carried_needs",
    "kale_notebook",
    "keras_history_and_model",
    "metrics_cell",
    "parallel_alias_guard",
    "parallel_branches_join",
    "parameters_overridden",
    "prev_to_later_stage",
    "sklearn_pipeline",
    "star_import",
]


def render(pipeline: Pipeline) -> str:
    """All that the stages are told, but their sources."""
    return "\n".join(_lines(pipeline)) + "\n"


def _lines(pipeline: Pipeline) -> Iterator[str]:
    yield f"notebook {pipeline.name}"
    for p in pipeline.parameters:
        yield f"parameter {p.name}: {p.type} = {p.default!r}" + (
            p.description and f"  # {p.description}"
        )
    for problem in pipeline.problems:
        yield problem.render(pipeline.name)
    for carried in pipeline.carried:
        yield ""
        yield f"carried from cell {carried.cell}, line {carried.line}" + (
            ", its value made once" if carried.value else ""
        )
        yield from (f"    | {line}" for line in carried.source.split("\n"))
        yield from _named("binds", carried.binds)
        yield from _named("reads", carried.reads)
        yield f"    runs where needed: {' '.join(carried.triggers) or 'everywhere'}"
    for stage in pipeline.stages:
        yield ""
        yield from _stage(pipeline, stage)


def _stage(pipeline: Pipeline, stage: Stage) -> Iterator[str]:
    plan = pipeline.plan(stage, {}, {}, 0)
    yield f"stage {plan.order} {plan.stage}: cells {' '.join(str(c.number) for c in plan.cells)}"
    for parent, why in sorted(stage.parents.items()):
        yield f"    waits for {parent} ({why})"
    yield from _named("goes on from", sorted(plan.ancestors))
    yield from _named("reads", plan.reads)
    yield from _named("hands on", plan.hands_on)
    for name, stages in plan.guarded.items():
        yield f"    must not change {name}, which is read by: {' '.join(stages)}"
    yield from _named("carried, by cell:line", [f"{c.cell}:{c.line}" for c in plan.carried])
    yield from _named("modules of later stages", plan.later_modules)
    yield from _named("metrics", plan.metrics)
    if plan.reseeds:
        yield "    seeds the generators itself"
    said = {k: v for k, v in vars(stage.settings).items() if v}
    yield from (f"    {name}: {value}" for name, value in said.items())


def _named(what: str, names: Iterable[str]) -> Iterator[str]:
    if text := " ".join(names):
        yield f"    {what}: {text}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_golden(name: str) -> None:
    text = render(compile_notebook(TESTS / "notebooks" / f"{name}.ipynb"))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("PODLINE_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(NOTEBOOKS)
