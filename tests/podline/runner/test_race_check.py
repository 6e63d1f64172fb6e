"""Stages that run side by side: as notes that are compared, and as real stages."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podline.exceptions import ArtifactError
from podline.runner import race_check
from podline.runner.interpreter_state.kind import pickled
from podline.runner.race_check import Notes, Reading

from .conftest import Chain, Ran, Stages, carry, make_plan

STATES = {"cwd": ".", "random": 1, "environ": {}, "pandas": {}}


def notes(stage: str, source: str = "", **did: Any) -> Notes:
    """The notes of a stage; `did`: the states it left, `written` and `read`."""
    written, read = did.pop("written", ()), did.pop("read", ())
    plan = make_plan(
        source, name=stage, order=("left", "right").index(stage), **did.pop("plan", {})
    )
    before = {name: pickled(value) for name, value in STATES.items()}
    after = before | {name: pickled(value) for name, value in did.items()}
    return race_check.take(plan, before, after, written, read)


def test_a_draw_that_should_go_on_from_another() -> None:
    left, right = notes("left", random=2), notes("right", random=3)
    with pytest.raises(ArtifactError) as caught:
        race_check.check(left, right, seeded=True)
    assert str(caught.value) == (
        "the stage 'left' (up to cell 1) draws from the generator 'random', and the stage 'right' "
        "(up to cell 1), which would go by that from top to bottom, runs side by side with it. "
        "fix: tag 'right' prev:left, or seed it in 'right' as well"
    )


def test_an_object_that_no_cell_names() -> None:
    left, right = notes("left"), notes("right")
    changes, sees = replace(left, altered=("2.1:log",)), replace(right, objects=("2.1:log",))
    with pytest.raises(ArtifactError, match="changes 'log', and the stage"):
        race_check.check(changes, sees, seeded=False)
    race_check.check(
        replace(left, objects=("2.1:log",)), replace(right, altered=("2.1:log",)), False
    )
    race_check.check(changes, replace(right, objects=("3.1:log", "load:log")), False)


def test_a_stage_sees_what_its_functions_name(chain: Chain) -> None:
    define = "def keep(f):\n    R.append(f)\n    return f\nR = []"
    chain.carried = (
        carry(define, "keep R"),
        replace(carry("@keep\ndef g(): return 1", "R g", "keep"), line=5),
        replace(carry("LOG = []", "LOG"), line=7),
        replace(carry("class T:\n    def add(self): LOG.append(1)", "T", "LOG"), line=8),
    )
    chain.stage("t = T(); h = [g]", reads="T g", hands_on="t h")
    beside: Any = {"beside": ("other",)}
    change = chain.stage("t.add(); h[0]()", reads="t h", **beside)
    assert change.memory.altered == {"0.7:LOG"}
    assert change.memory.seen() == {"s1:t", "s1:h", "0.8:T", "0.7:LOG", "0.5:g"}


def test_a_second_name_of_a_number_changes_nothing(chain: Chain) -> None:
    chain.stage("x = 1", hands_on="x")
    other: Any = {"beside": ("other",)}
    assert chain.stage("y = x", reads="x", hands_on="y", **other).memory.altered == set()


def test_draws_that_do_not_matter() -> None:
    left, right = notes("left", random=2), notes("right", random=3)
    race_check.check(left, right, seeded=False)  # by chance anyway
    race_check.check(left, notes("right"), seeded=True)
    race_check.check(notes("left"), right, seeded=True)
    race_check.check(left, notes("right", random=3, plan={"reseeds": True}), seeded=True)


@pytest.mark.parametrize(
    ("source", "state", "refused"),
    [
        ("", {"pandas": {"rows": 4}}, True),
        ("", {"cwd": "out"}, True),
        ("os.environ['A'] = '1'", {"environ": {"A": "1"}}, True),
        ("import tensorflow", {"environ": {"TF2_BEHAVIOR": "1"}}, False),
        ("", {"sklearn": {}}, False),  # which the other one never imported
    ],
)
def test_settings(source: str, state: dict[str, Any], refused: bool) -> None:
    left = notes("left", source, **state)
    race_check.check(left, notes("right", source, **state), seeded=True)  # set alike
    if refused:
        with pytest.raises(ArtifactError, match=r"changes the state of .* imports cell"):
            race_check.check(left, notes("right"), seeded=False)
    else:
        race_check.check(left, notes("right"), seeded=False)


ERROR, IGNORE = "warnings.simplefilter('error')", "warnings.filterwarnings('ignore', 'a')"


@pytest.mark.parametrize(
    ("left", "right", "refused"),
    [
        (ERROR, IGNORE, True),
        (ERROR, "try: f()\nexcept RuntimeWarning: pass", True),
        (ERROR, "with warnings.catch_warnings(record=True) as seen: f()", True),
        (IGNORE, IGNORE, False),
        (IGNORE, "rows = f()", False),  # no value depends on it
        ("import sklearn", IGNORE, False),  # a library's own doing
    ],
)
def test_filters_of_warnings(left: str, right: str, refused: bool) -> None:
    one, other = notes("left", left, warnings=["l"]), notes("right", right, warnings=["r"])
    if refused:
        with pytest.raises(
            ArtifactError, match=r"changes the state of 'warnings'.*fix: tag 'right"
        ):
            race_check.check(one, other, seeded=False)
    else:
        race_check.check(one, other, seeded=False)


@pytest.mark.parametrize(
    ("left", "right", "refused"),
    [
        ("getLogger('a').setLevel(40)", "getLogger('a').warning('w')", True),
        ("getLogger('a').setLevel(40)", "rows = 3", False),  # it logs nothing
        ("import a", "getLogger('a').warning('w')", False),  # a library's own doing
    ],
)
def test_loggers(left: str, right: str, refused: bool) -> None:
    one, other = notes("left", left, **{"loggers:a": 40}), notes("right", right)
    if refused:
        with pytest.raises(ArtifactError, match="changes the state of 'loggers:a'"):
            race_check.check(one, other, seeded=False)
    else:
        race_check.check(one, other, seeded=False)


@pytest.mark.parametrize(
    ("right", "refused"),
    [
        ({"read": ["out/a.csv"]}, True),
        ({"read": ["out/"]}, True),
        ({"source": "pq.read_table('out/a.csv')"}, True),  # by a way of its own
        ({"source": "f = open('out/a.csv', 'w')", "written": ["out/a.csv"]}, False),
        ({"read": ["a.csv", "in/"]}, False),
    ],
)
def test_files(right: dict[str, Any], refused: bool) -> None:
    left = notes("left", written=["out/a.csv"])
    if refused:
        with pytest.raises(ArtifactError, match=r"writes the file 'out/a\.csv'"):
            race_check.check(left, notes("right", **right), seeded=False)
    else:
        race_check.check(left, notes("right", **right), seeded=False)


def test_what_was_read(tmp_path: Path) -> None:
    for name in ("read", "appended", "written", "made", "unseen"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "module_of_a_test.py").write_text("")
    reading = Reading(tmp_path)
    reading.start()
    (tmp_path / "read").read_bytes()
    with (tmp_path / "appended").open("a"), (tmp_path / "written").open("w"):
        pass
    os.close(os.open(tmp_path / "made", os.O_WRONLY | os.O_TRUNC))
    list((tmp_path / "folder").iterdir())
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ImportError):
            import no_such_module_anywhere  # type: ignore[import-not-found] # noqa: F401
    finally:
        sys.path.remove(str(tmp_path))
    reading.active = False
    (tmp_path / "unseen").read_bytes()
    assert reading.paths == {"read", "appended", "folder/"}


# --- as real stages -----------------------------------------------------------------------------


def beside(stages: Stages, after: Ran, name: str, other: str, source: str) -> Ran:
    return stages.run(source, after=[after], name=name, beside=(other,), seeded=True)


def test_the_second_to_end_is_refused(stages: Stages) -> None:
    load = stages.run("import random; random.seed(1)", name="load")
    draw = "import random; x = random.random()"
    assert beside(stages, load, "left", "right", draw).ok
    assert (
        "draws from the generator 'random'" in beside(stages, load, "right", "left", draw).failure
    )


def test_another_version_of_the_notebook_does_not_count(stages: Stages) -> None:
    load = stages.run("import random; random.seed(1)", name="load")
    draw = "import random; x = random.random()"
    changes = {"after": [load], "name": "left", "beside": ("right",), "seeded": True}
    assert stages.run(draw, notebook_sha256="1" * 64, **changes).ok  # type: ignore[arg-type]
    assert beside(stages, load, "right", "left", draw).ok
