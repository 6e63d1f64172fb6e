"""What the control plane and a stage say to each other goes to JSON and comes back the same."""

import hashlib
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from podline.contract import (
    Ahead,
    Artifact,
    Binding,
    Carried,
    CellSource,
    CellTime,
    Failure,
    HeadNote,
    Heap,
    Phase,
    PublishedVersion,
    ResultRef,
    StagePlan,
    StageResult,
    StageTask,
    pack,
    unpack,
)
from podline.exceptions import ContractError

PLAN = StagePlan(
    notebook="n",
    notebook_sha256="a" * 64,
    stage="train",
    order=1,
    ancestors={"load": (), "clean": ("load",)},
    cells=(CellSource(3, "x = 'ü\u2028'"), CellSource(5, "")),
    reads=("a", "b"),
    hands_on=("x",),
    guarded={"b": ("left", "right")},
    carried=(
        Carried(1, 2, "import a", ("a",), (), ("a",)),
        Carried(1, 3, "b = f()", ("b",), ("f",), (), True),
    ),
    later_modules=("a",),
    metrics=("x",),
    parameters={"n": 1, "rate": 0.5, "name": "ü", "sizes": [1, [2]], "more": {"k": None}},
    files={"data/ü.csv": "b" * 64},
    files_limit=10,
    beside=("left",),
    reseeds=True,
    seeded=True,
)
TASK = StageTask(PLAN, (ResultRef("load", "k", "h"),), "runs/n", "abc")
NEEDS = {"requires": ("load:b",), "names": ("f",), "libraries": ("numpy",), "shares": "load:b"}
ARTIFACT = Artifact("k", "npy", 8, "c" * 64, "load", 2, "ndarray", part={"row": 0}, **NEEDS)
NAMES = {"a": Binding("load:a", "load", 0, 2), "gone": Binding(None, "train", 1, 5)}
RESULT = StageResult(
    stage="train",
    nonce="abc",
    plan_sha256=PLAN.digest,
    notebook_sha256="a" * 64,
    files={"f": "b"},
    succeeded=False,
    heap=Heap(NAMES, {"load:a": ARTIFACT}, {"f.csv": ARTIFACT}, {"random": ARTIFACT}),
    phases=(Phase("boot", 0.0, 0.25), Phase("code", 0.25, 1.0), Phase("code", 1.25, 0.5)),
    cells=(CellTime(3, 0.25, 0.1),),
    metrics={"loss": 0.5, "bad": float("inf")},
    bytes_in=1,
    bytes_out=2,
    executed_notebook="e",
    peak_memory=3,
    started=4.5,
    failure=Failure("why", 3, "trace"),
    versions={"python": "3.11"},
    data={"household_power": "c" * 64},
    published=(PublishedVersion("power", 3),),
    missing={"data/b.csv": "cell 3, line 1"},
    libraries=("keras",),
    ahead=HeadNote(1.0, 2.0, "in another order"),
)


@pytest.mark.parametrize("value", [PLAN, TASK, RESULT], ids=lambda value: type(value).__name__)
def test_there_and_back(value: Any) -> None:
    text = value.to_json()
    assert type(value).from_json(text) == value
    assert type(value).from_json(text.encode()) == value
    assert type(value).from_json(text).to_json() == text


def test_what_comes_back_is_typed_all_the_way() -> None:
    back = StageResult.from_json(RESULT.to_json())
    assert isinstance(back.heap.objects["load:a"], Artifact)
    assert isinstance(back.heap.objects["load:a"].requires, tuple)
    assert isinstance(back.heap.names["gone"], Binding)
    assert isinstance(back.failure, Failure)
    assert isinstance(back.phases[0], Phase)
    plan = StageTask.from_json(TASK.to_json()).plan
    assert plan.guarded == {"b": ("left", "right")}
    assert plan.parameters == PLAN.parameters  # lists in values stay lists
    assert plan.carried[1].value is True


def test_a_result_without_a_failure() -> None:
    plain = replace(RESULT, failure=None, succeeded=True)
    assert StageResult.from_json(plain.to_json()).failure is None


def test_a_task_for_a_pod_made_ahead_is_sealed() -> None:
    mine, other = (Ahead("plan", key, "runs/d/r", 60.0) for key in ("a1", "b2"))
    sealed = mine.sealed(TASK)
    assert mine.opened(sealed) == TASK
    assert mine.token != other.token
    for wrong in (other.sealed(TASK), sealed.replace(b"train", b"trick"), TASK.to_json().encode()):
        with pytest.raises(ContractError, match="not of who made this pod"):
            mine.opened(wrong)


def test_a_packed_text_comes_back() -> None:
    assert unpack(pack(PLAN.to_json())) == PLAN.to_json()
    assert unpack(PLAN.to_json()) == PLAN.to_json()


def test_the_digest_is_of_the_text() -> None:
    assert PLAN.digest == hashlib.sha256(PLAN.to_json().encode()).hexdigest()
    assert RESULT.digest != TASK.digest


@pytest.mark.parametrize(
    "change", [lambda d: d.update(new=1), lambda d: d.pop("nonce"), lambda d: d["plan"].update(x=1)]
)
def test_an_unknown_or_a_missing_field_is_an_error(change: Any) -> None:
    content = json.loads(TASK.to_json())
    change(content)
    with pytest.raises((TypeError, KeyError)):
        StageTask.from_json(json.dumps(content))


def test_small_answers() -> None:
    assert RESULT.seconds("code") == 1.5
    assert RESULT.seconds("fetch") == 0
    assert PLAN.last_cell == 5
    assert replace(PLAN, cells=()).last_cell == 0


def test_every_field_of_the_parts_is_in_the_examples() -> None:
    """So that a new field is tried as well."""
    for value in (PLAN, TASK, RESULT, ARTIFACT):
        unset = [f.name for f in fields(value) if getattr(value, f.name) in ("", (), {}, None)]
        assert unset == []


def test_it_needs_the_standard_library_only() -> None:
    """Without site-packages, as in an image that has nothing else."""
    plugins = Path(__file__).parents[2] / "plugins"
    code = (
        f"import sys; sys.path.insert(0, {str(plugins)!r})\nimport podline.contract\n"
        "print(*(m for m in ('numpy', 'airflow', 'obstore', 'IPython') if m in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "\n", "")
