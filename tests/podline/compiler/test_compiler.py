"""From cells and tags to stages: what waits for what and why, and every error before a run."""

import re
import sys
from collections.abc import Sequence

import pytest

from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline
from podline.exceptions import NotebookError

from .conftest import Check, Write

Cells = Sequence[Sequence[str]]


def edges(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    """Why each stage waits, by stage and by the stage that it waits for."""
    assert pipeline.errors == []
    return {stage.name: stage.parents for stage in pipeline.stages}


def errors(pipeline: Pipeline) -> list[str]:
    """The errors as a user sees them."""
    return [problem.render("example.ipynb") for problem in pipeline.errors]


def error(pipeline: Pipeline) -> str:
    (text,) = errors(pipeline)
    return text


# --- cells become stages ------------------------------------------------------------------------


def test_untagged_cells_join_what_stands_before(check: Check) -> None:
    pipeline = check(
        ("imports", "import json"),
        ("", "import math"),
        ("functions", "def f(): return json, math"),
        ("", "def g(): return f()"),
        ("step:a", "x = g()"),
        ("", "y = x"),
        ("step:a", "z = y"),
        ("step:b", "w = z"),
        ("skip", "w = nowhere"),
        ("", "v = w"),
    )
    assert {s.name: [c.number for c in s.cells] for s in pipeline.stages} == {
        "a": [5, 6, 7],
        "b": [8, 10],
    }
    assert [c.binds[0] for c in pipeline.carried] == ["json", "math", "f", "g"]
    assert pipeline.errors == []


def test_settings_come_from_the_tags_of_a_stage_over_the_notebook_s(check: Check) -> None:
    defaults = {"kubeflow_notebook": {"steps_defaults": ["limit:cpu:1", "retry:2"]}}
    pipeline = check(
        ("step:a limit:memory:1Gi", "x = 1"),
        ("step:a timeout:5m", "y = 1"),
        ("step:b retry:0", "z = 1"),
        metadata=defaults,
    )
    a, b = (stage.settings for stage in pipeline.stages)
    assert a.limits == {"cpu": "1", "memory": "1Gi"}
    assert (a.timeout, a.retry and a.retry.times) == (300, 2)
    assert (b.limits, b.timeout, b.retry and b.retry.times) == ({"cpu": "1"}, None, 0)


def test_a_label_of_podlines_own_is_named_with_its_cell(check: Check) -> None:
    text = error(check(("step:a", "x = 1"), ("step:b label:app:object-store", "y = 1")))
    assert text.startswith("example.ipynb, cell 2: error: `label:app:object-store`: 'app' tells")
    assert "label:example.com/app:object-store" in text
    defaults = {"kubeflow_notebook": {"steps_defaults": ["label:podline.dev/edge:true"]}}
    assert "'podline.dev/edge' tells" in error(check(("step:a", "x = 1"), metadata=defaults))


# --- what waits for what ------------------------------------------------------------------------


def test_in_order_unless_a_tag_says_otherwise(check: Check) -> None:
    pipeline = check(
        ("step:a", "1"), ("step:b", "2"), ("step:c prev:a", "3"), ("step:d prev:", "4")
    )
    assert edges(pipeline) == {"a": {}, "b": {"a": "order"}, "c": {"a": "prev"}, "d": {}}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("x = 1", "print(x)", "reads x"),
        ("x = 1", "x += 1", "reads x"),
        ("x = 1", "def f(): return x\nf()", "reads x"),
        ("x = 1", "[x for y in range(3)]", "reads x"),
        ("x = 1", "df = None\ndf.query('a > @x')", "reads x"),
        ("def f(): return 1", "f()", "reads f"),
        ("class A: pass", "A()", "reads A"),
        ("def f():\n global x\n x = 1\nf()", "print(x)", "reads x"),
        ("x = 1", "x = 2", None),
        ("x = 1", "def f(x): return x\nf(2)", None),
        ("x = 1", "[x for x in range(3)]", None),
        ("x = 1", "x = 2\ndef f(): return x\nf()", None),
        ("import json", "json.dumps(1)", None),  # carried
        ("import numpy as np\nnp.sort([1])", "np.sort([2])", None),  # numpy is not changed
        ("import functools\n@functools.wraps(len)\ndef g(): pass", "functools.reduce", None),
    ],
)
def test_data_edges(check: Check, first: str, second: str, reason: str | None) -> None:
    found = edges(check(("step:a", first), ("step:b prev:", second)))
    assert found["b"].get("a") == reason


def test_the_nearest_stage_that_made_the_value(check: Check) -> None:
    cells = (
        ("step:a", "x = []\ny = 1"),
        ("step:b prev:a", "x.append(1)"),
        ("step:c prev:a", "z = 1"),
        ("step:d prev:", "print(x, y)"),
        ("step:e prev:", "x = 0"),
        ("step:f prev:", "print(x)"),
    )
    found = edges(check(*cells))
    assert found["d"] == {"b": "reads x"}  # which goes on from a
    assert found["f"] == {"e": "reads x"}


def test_all_that_may_have_bound_a_name(check: Check) -> None:
    found = edges(
        check(
            ("step:a", "flag = x = 1"),
            ("step:b prev:a", "if flag: x = 2"),
            ("step:c prev:a", "for x in []: pass"),
            ("step:d prev:", "print(x)"),
        )
    )
    assert found["d"] == {"b": "reads x", "c": "reads x"}


def test_a_definition_between_ends_the_search(check: Check) -> None:
    cells = (("step:a", "k = 1"), ("functions", "k = 2"), ("step:b prev:", "print(k)"))
    assert edges(check(*cells))["b"] == {}


def test_an_edge_by_order_gives_way_to_the_data_s_reason(check: Check) -> None:
    cells = (("step:a", "x = 1"), ("step:b", "print(x)"), ("step:c prev:b", "print(x)"))
    assert edges(check(*cells)) == {"a": {}, "b": {"a": "reads x"}, "c": {"b": "prev"}}


def test_a_stage_further_down_is_waited_for_and_not_gone_on_from(check: Check) -> None:
    pipeline = check(("step:a prev:b", "x = 1"), ("step:b prev:", "y = 2"))
    assert edges(pipeline) == {"a": {"b": "prev"}, "b": {}}
    assert pipeline.stage("a").ancestors == set()


# --- what a stage gets and hands on -------------------------------------------------------------


def test_a_stage_s_plan(check: Check) -> None:
    pipeline = check(
        ("imports", "import json\nimport math"),
        ("parameters", "rows = 3"),
        ("functions", "def double(x): return 2 * x * unit"),
        ("step:load", "unit = 1\ndata = list(range(rows))\nunused = 1"),
        ("step:left prev:load", "left = double(data[0])\nnp_like = math.pi"),
        ("step:right prev:load", "right = json.dumps(data)"),
        ("functions", "def late(): return 1"),
        ("step:join prev:left prev:right", "print(left, right, late(), rows)"),
    )
    assert pipeline.errors == []
    load, left, right, join = (
        pipeline.plan(stage, {"rows": 9}, {"f": "abc"}, 5) for stage in pipeline.stages
    )
    assert {"data", "unit"} <= set(load.hands_on)
    assert "unused" not in load.hands_on
    assert (load.reads, right.reads) == (("rows",), ("data", "json"))
    assert {"data", "double", "math", "unit"} == set(left.reads)
    assert left.guarded == {"data": ("right",), "json": ("right",)}
    assert right.guarded == {}
    assert load.later_modules == ("json", "math")
    assert join.ancestors == {"left": ("load",), "load": (), "right": ("load",)}
    assert [c.binds for c in left.carried] == [("json",), ("math",), ("rows",), ("double",)]
    assert [c.binds for c in join.carried][-1] == ("late",)
    assert next(c.source for c in load.carried if c.cell == 2) == "rows = 9"
    assert (load.parameters, load.files, load.files_limit) == ({"rows": 9}, {"f": "abc"}, 5)
    assert [(c.number, c.source) for c in right.cells] == [(6, "right = json.dumps(data)")]


def test_a_step_s_own_imports_are_carried_to_later_stages_only(check: Check) -> None:
    pipeline = check(("step:a", "import json\nx = 1"), ("step:b", "json.dumps(x)"))
    a, b = (pipeline.plan(stage, {}, {}, 0) for stage in pipeline.stages)
    assert a.carried == ()
    assert [c.source for c in b.carried] == ["import json"]
    assert a.hands_on == ("x",)


def test_a_star_import_runs_for_what_nobody_binds(check: Check) -> None:
    pipeline = check(
        ("imports", "from math import *"), ("step:a", "x = sqrt(4)"), ("step:b", "y = x + pi")
    )
    assert pipeline.errors == []
    assert set(pipeline.carried[0].triggers) == {"sqrt", "pi"}


def test_seeding_and_metrics(check: Check) -> None:
    pipeline = check(
        ("step:a", "import random\nrandom.seed(1)"),
        ("step:b", "a = random.random()"),
        ("pipeline-metrics", "print(a)"),
        ("step:c", "b = 1"),
        ("pipeline-metrics", "b = 2\nc: float = 3"),
    )
    plans = [pipeline.plan(stage, {}, {}, 0) for stage in pipeline.stages]
    assert [plan.reseeds for plan in plans] == [True, False, False]
    assert all(plan.seeded for plan in plans)
    assert [plan.metrics for plan in plans] == [(), ("a",), ("b", "c")]


def test_the_baseline_is_the_notebook_from_top_to_bottom(check: Check) -> None:
    pipeline = check(
        ("parameters", "n = 1  # how many"),
        ("imports", "import json"),
        ("step:a", "x = n"),
        ("skip", "x = 5"),
        ("pipeline-metrics", "print(x)"),
    )
    plan = pipeline.baseline({"n": 7}, {}, 0)
    assert [(c.number, c.source) for c in plan.cells] == [
        (1, "n = 7  # how many"),
        (2, "import json"),
        (3, "x = n"),
        (5, "print(x)"),
    ]
    assert (plan.metrics, plan.carried, plan.hands_on) == (("x",), (), ())


def test_a_parameters_cell_below_wins(check: Check) -> None:
    pipeline = check(
        ("parameters", "n = 1\nm = 2"), ("parameters", "n = 1.5"), ("step:a", "print(n, m)")
    )
    assert [(p.name, p.default) for p in pipeline.parameters] == [("m", 2), ("n", 1.5)]


def test_an_untagged_cell_below_parameters_holds_parameters_too(check: Check) -> None:
    pipeline = check(("parameters", "n = 1"), ("", "m = 2"), ("step:a", "print(n, m)"))
    assert [p.name for p in pipeline.parameters] == ["n", "m"]
    plan = pipeline.plan(pipeline.stage("a"), {"m": 5}, {}, 0)
    assert [c.source for c in plan.carried] == ["n = 1", "m = 5"]
    assert [c.source for c in pipeline.baseline({"m": 5}, {}, 0).cells][:2] == ["n = 1", "m = 5"]


# --- errors -------------------------------------------------------------------------------------

ERRORS: list[tuple[Cells, str]] = [
    (
        [("step:a", "x = 1\n\ny = x + rowz")],
        "example.ipynb, cell 1, line 3: error: undefined name 'rowz'\n"
        "    y = x + rowz\n"
        "    fix: bind or import it in a cell above; is its cell tagged skip?",
    ),
    (
        [("step:a", "threshold = 1"), ("step:b", "print(treshold)")],
        "example.ipynb, cell 2, line 1: error: undefined name 'treshold'\n"
        "    print(treshold)\n"
        "    fix: did you mean 'threshold'?",
    ),
    (
        [("step:a", "print(x)"), ("step:b", "x = 1")],
        "example.ipynb, cell 1, line 1: error: 'x' is read before it is bound: it is bound only "
        "from cell 2 on\n"
        "    print(x)\n"
        "    fix: move the cell that binds it up",
    ),
    (
        [("step:a", "x = 1\ndel x"), ("step:b", "print(x)")],
        "example.ipynb, cell 2, line 1: error: 'x' is deleted in cell 1, before it is read here\n"
        "    print(x)\n"
        "    fix: do not delete it there, or bind 'x' again",
    ),
    (
        [("functions", "def f():\n    return hepler()"), ("step:a", "f()")],
        "example.ipynb, cell 1, line 2: error: undefined name 'hepler'\n"
        "    return hepler()\n"
        "    fix: bind or import it in a cell above; is its cell tagged skip?",
    ),
    (
        [("step:a", "x = 1"), ("step:b", "y = _ + Out[1]")],
        "example.ipynb, cell 2, line 1: error: '_' is IPython's memory of cells and outputs, "
        "which is not carried\n"
        "    y = _ + Out[1]\n"
        "    fix: give the value a name\n"
        "example.ipynb, cell 2, line 1: error: 'Out' is IPython's memory of cells and outputs, "
        "which is not carried\n"
        "    y = _ + Out[1]\n"
        "    fix: give the value a name",
    ),
    (
        [("step:load", "x = 1"), ("step:b prev:laod", "y = 1")],
        "example.ipynb, cell 2: error: `prev:laod`: there is no stage 'laod' for 'b' to wait for\n"
        "    fix: did you mean prev:load?",
    ),
    (
        [("step:a", "x = 1"), ("step:b prev:zzzz", "y = 1")],
        "example.ipynb, cell 2: error: `prev:zzzz`: there is no stage 'zzzz' for 'b' to wait for\n"
        "    fix: the stages are: a",
    ),
    (
        [("step:a skip", "x = 1"), ("step:b prev:a", "y = 1")],
        "example.ipynb, cell 2: error: `prev:a`: there is no stage 'a' for 'b' to wait for\n"
        "    fix: cell 1 begins it, and is tagged skip: remove that tag or this one",
    ),
    (  # the cell that has the tag, not the one without any that its stage begins with
        [("", "x = 1"), ("step:a", "y = 1"), ("step:a prev:laod", "z = 1")],
        "example.ipynb, cell 3: error: `prev:laod`: there is no stage 'laod' for 'a' to wait for\n"
        "    fix: the stages are: none",
    ),
    (
        [("", "w = 1"), ("step:a prev:b", "x = 1"), ("step:b", "print(x)")],
        "example.ipynb, cell 2: error: the stages wait for each other in a circle: a waits for b "
        "(prev); b waits for a (reads x)\n"
        "    fix: remove one of the prev: tags, or reorder the cells",
    ),
    (
        [("", "w = 1"), ("step:a", "x = 1"), ("step:b", "y = 1"), ("step:a", "z = 1")],
        "example.ipynb, cell 4: error: the stage 'a' starts a second time; it began in cell 2, "
        "and others stand between\n"
        "    fix: give this one another name, or move its cells together",
    ),
    (
        [("parameters", "rows = 1\nbackend = 'gpu'"), ("step:a", "print(rows, backend)")],
        "example.ipynb, cell 1, line 2: error: the parameter 'backend' is podline's own: a run's "
        "parameter of that name says where its stages run\n"
        "    backend = 'gpu'\n"
        "    fix: give the notebook's another name, such as my_backend",
    ),
    (
        [("step:a prev:b", "x = 1"), ("step:b", "print(x)")],
        "example.ipynb, cell 1: error: the stages wait for each other in a circle: a waits for b "
        "(prev); b waits for a (reads x)\n"
        "    fix: remove one of the prev: tags, or reorder the cells",
    ),
    (
        [("step:a", "x = 1"), ("step:b", "y = 1"), ("step:a", "z = 1")],
        "example.ipynb, cell 3: error: the stage 'a' starts a second time; it began in cell 1, "
        "and others stand between\n"
        "    fix: give this one another name, or move its cells together",
    ),
    (
        [("step:Train-Model", "x = 1"), ("step:b", "print(x)")],
        "example.ipynb, cell 1: error: `step:Train-Model`: a stage's name has at most 250 of "
        "a-z, 0-9 and _, not a digit first, unlike 'Train-Model'\n"
        "    fix: call it `train_model`",
    ),
    (
        [("step:a", "x = 1"), ("functions", "y = x"), ("step:b", "print(y)")],
        "example.ipynb, cell 2, line 1: error: reads 'x', which the stage 'a' binds; but imports "
        "and functions run in every stage that needs them, also before that\n"
        "    y = x\n"
        "    fix: pass it as an argument, or move the line into a step",
    ),
    (
        [("imports", "import pandas as pd"), ("step:a", "x = 1\npd.DataFrame.peek = len")],
        "example.ipynb, cell 2, line 2: error: sets pd.DataFrame.peek, a part of 'pandas', which "
        "other stages import afresh and would not see\n"
        "    pd.DataFrame.peek = len\n"
        "    fix: move the line into an imports or functions cell: those run in every stage",
    ),
    (
        [
            ("imports", "import pandas as pd"),
            ("step:a", "@pd.api.extensions.register_series_accessor('x')\nclass X: pass"),
        ],
        "example.ipynb, cell 2, line 2: error: registers the accessor 'X', a part of 'pandas', "
        "which other stages import afresh and would not see\n"
        "    class X: pass\n"
        "    fix: move the line into an imports or functions cell: those run in every stage",
    ),
    (
        [("step:a", "code = 'x = 1'\nexec(code)")],
        "example.ipynb, cell 1, line 2: error: exec() runs text that is only known at run time: "
        "its names cannot be seen\n"
        "    exec(code)\n"
        "    fix: write it as ordinary code, or give it a constant text",
    ),
    (
        [("step:a", "x = 1\n%whos")],
        "example.ipynb, cell 1, line 2: error: the magic %whos looks at every name or cell of the "
        "notebook, and a stage has only its own\n"
        "    %whos\n"
        "    fix: print the names that matter",
    ),
    (
        [("step:a", "y = 'z'\nx = get_ipython().user_ns[y]")],
        "example.ipynb, cell 1, line 2: error: get_ipython().user_ns sees every name of the "
        "notebook, and a stage has only those that it reads\n"
        "    x = get_ipython().user_ns[y]\n"
        "    fix: write the names out, or keep the values in a dict of your own; to ask for one "
        "name as a text is fine: 'rows' in globals()",
    ),
    (
        [
            ("imports", "from collections.abc import Sized"),
            ("step:a", "class C: pass\nSized.register(C)"),
        ],
        "example.ipynb, cell 2, line 2: error: calls Sized.register(), a part of 'collections', "
        "which other stages import afresh and would not see\n"
        "    Sized.register(C)\n"
        "    fix: move the line into an imports or functions cell: those run in every stage",
    ),
    (
        [("imports", "from codecs import register_error"), ("step:a", "register_error('q', len)")],
        "example.ipynb, cell 2, line 1: error: calls register_error(), a part of 'codecs', which "
        "other stages import afresh and would not see\n"
        "    register_error('q', len)\n"
        "    fix: move the line into an imports or functions cell: those run in every stage",
    ),
    (
        [
            ("imports", "from IPython.core.magic import register_line_magic"),
            ("step:a", "@register_line_magic\ndef greet(line): return line"),
            ("step:b", "x = 1\n%greet you"),
        ],
        "example.ipynb, cell 3, line 2: error: uses the magic %greet, which the stage 'a' registers "
        "(cell 2) with the IPython of its own process\n"
        "    %greet you\n"
        "    fix: move its definition into a cell tagged functions",
    ),
    (
        [("step:a", "x = 1\n!server --port 80 &")],
        "example.ipynb, cell 1, line 2: error: starts a process in the background, which IPython's "
        "shell lines cannot\n"
        "    !server --port 80 &\n"
        "    fix: leave the & out; or start it by subprocess.Popen, and end it in the same stage",
    ),
    (
        [("imports", "import polars as pl"), ("step:a", "pl.set_random_seed(1)")],
        "example.ipynb, cell 2, line 1: error: seeds the generator of polars, and where that stands "
        "cannot be handed on to the next stages\n"
        "    pl.set_random_seed(1)\n"
        "    fix: give seed= to the calls that draw",
    ),
    (
        [("imports", "from math import *"), ("step:a", "sqrt(4)"), ("step:b", "x = Out[2]")],
        "example.ipynb, cell 3, line 1: error: 'Out' is IPython's memory of cells and outputs, "
        "which is not carried\n"
        "    x = Out[2]\n"
        "    fix: give the value a name",
    ),
    (
        [("step:a", "5"), ("step:b", "x = _"), ("", "7"), ("", "y = _")],
        "example.ipynb, cell 2, line 1: error: '_' is IPython's memory of cells and outputs, "
        "which is not carried\n"
        "    x = _\n"
        "    fix: give the value a name",
    ),
    (
        [("step:a", "x = 1\n%run other.py")],
        "example.ipynb, cell 1, line 2: error: the magic %run changes names in a way that cannot "
        "be seen beforehand\n"
        "    %run other.py\n"
        "    fix: import the script's functions from a module beside the notebook",
    ),
    (
        [("step:a", "x = 1"), ("step:b", "y = (")],
        "example.ipynb, cell 2, line 1: error: syntax error: '(' was never closed\n"
        "    y = (\n"
        "    fix: correct the line; the cell must run in Jupyter",
    ),
    (
        [("step:a", "x = 1\nreturn x")],
        "example.ipynb, cell 1, line 2: error: syntax error: 'return' outside a function\n"
        "    return x\n"
        "    fix: correct the line; the cell must run in Jupyter",
    ),
    ([], "example.ipynb: error: has no cells\n    fix: write some, and tag them step:NAME"),
    (
        [("imports", "import json")],
        "example.ipynb: error: has no stage\n    fix: tag at least one cell step:NAME",
    ),
]


@pytest.mark.parametrize(("cells", "expected"), ERRORS)
def test_errors(check: Check, cells: Cells, expected: str) -> None:
    assert "\n".join(errors(check(*cells))) == expected


def test_a_file_outside_the_notebook_s_folder(check: Check, write: Write) -> None:
    source = "a = '../nowhere.csv'\nb = open('../data.csv')\nimport sys\nsys.path.append('..')"
    (write().parents[1] / "data.csv").write_text("")
    text = error(check(("step:a", source)))
    assert text.startswith("example.ipynb, cell 1, line 2: error: names '../data.csv', which is ")
    assert text.endswith("fix: move the file beside the notebook, or read it from the store")


OUTSIDE = [
    ("open(os.path.join('..', 'up', 'a.csv'))", "names '../up/a.csv'"),
    ("ROOT = Path.cwd().parent\n(ROOT / 'up' / 'a.csv').read_text()", "names '../up/a.csv'"),
    ("Path('..').resolve() / 'up'", "names '../up'"),
    ("f'../up/{name}.csv'", "names '../up/*.csv'"),
    ("os.path.dirname(os.getcwd()) + '/up'", "names '../up'"),
    ("Path.cwd().parents[0].joinpath('up', 'a.csv')", "names '../up/a.csv'"),
    ("os.listdir('..')", "lists '..'"),
    ("list(Path('..').glob('*.csv'))", "lists '../*.csv'"),
    ("glob.glob('../up/*')", "lists '../up/*'"),
    ("os.chdir('..')", "enters '..'"),
    ("%cd ..\nx = 1", "enters '..'"),
    ("os.chdir(Path.cwd().parent)\nos.listdir()", "enters '..'"),
]
NOT_OUTSIDE = """
sys.path.append('../up') | sys.path.insert(0, str(Path.cwd().parent)) | ROOT = Path('..')
open('../new.csv', 'w') | 'up/../x.csv' | print('..') | a = '../..' | os.chdir('b')
os.chdir('b'); os.chdir('..') | os.makedirs('b'); os.chdir('b'); os.listdir('..') | rows[..., 0] | x.parent / y
"""
NAMES = ("imports", "import glob, os, sys\nfrom pathlib import Path\nname = rows = x = y = None")


@pytest.mark.parametrize(("source", "expected"), OUTSIDE)
def test_what_is_above_the_notebook_s_folder(
    check: Check, write: Write, source: str, expected: str
) -> None:
    folder = write().parents[1] / "up"
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("")
    text = error(check(NAMES, ("step:a", source)))
    assert f"error: {expected}, which is outside the notebook's folder: a stage gets" in text


@pytest.mark.parametrize("source", re.split(r" \| |\n", NOT_OUTSIDE.strip()))
def test_what_only_looks_as_if_it_were(check: Check, write: Write, source: str) -> None:
    (write().parents[1] / "up").mkdir(exist_ok=True)
    assert errors(check(NAMES, ("step:a", source))) == []


def test_files_of_the_metadata_are_below_the_folder(check: Check) -> None:
    for pattern in ("../data/*.csv", "/etc/hosts", "~/x", "a/../../b"):
        text = error(check(("step:a", "x = 1"), metadata={"podline": {"files": [pattern]}}))
        assert f"the notebook's metadata podline.files is ['{pattern}']" in text


def test_all_errors_come_at_once_in_the_order_of_the_cells(write: Write) -> None:
    path = write(
        ("step:b prev:nowhere", "print(one)"),
        ("step:c limit:memory", "two = ("),
        ("skip", "three = ("),
        ("step:d", "print(four)"),
    )
    with pytest.raises(NotebookError) as caught:
        compile_notebook(path)
    heads = [line for line in str(caught.value).splitlines() if not line.startswith(" ")]
    assert [head.partition(": error")[0] for head in heads] == [
        "example.ipynb, cell 1",
        "example.ipynb, cell 1, line 1",
        "example.ipynb, cell 2",
        "example.ipynb, cell 2, line 1",
        "example.ipynb, cell 4, line 1",
    ]


def test_a_warning_is_no_error(check: Check) -> None:
    pipeline = check(("step:a", "x = 1"), ("step:b important", "y = 1"), ("step:c report:yes", ""))
    assert pipeline.errors == []
    assert [(p.severity, p.cell) for p in pipeline.problems] == [("warning", 2), ("warning", 3)]


NO_ERRORS = [
    "try:\n    cache\nexcept NameError:\n    cache = {}",
    "if 'cache' not in globals():\n    cache = {}",
    "print(__name__, __doc__, get_ipython(), display)",
    "!echo $HOME\n!awk '{print $1}' x",
    "_ = 3\nprint(_)",
    "3\nprint(_)",
    "def f(): return later\nlater = 1",
    "class A:\n    def m(self): return A, helper()\ndef helper(): pass",
    "import os\nos.environ['A'] = '1'",
    "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 100",
    "import pandas as pd\npd.options.display.max_rows = 5",
    "import sys\nsys.path[0:0] = ['src']",
    "text = 'mail me@example.com about @nothing'\nprint(text)",
    "import pickle\npickle.loads(pickle.dumps(1))",
    "for i in range(3):\n    if i: break\n    continue",
    "import json\njson = {}\njson['a'] = 1",
]


@pytest.mark.parametrize("source", NO_ERRORS)
def test_what_is_right(check: Check, source: str) -> None:
    assert errors(check(("step:a", source))) == []


def test_a_cell_before_the_first_stage_is_a_part_of_it(check: Check) -> None:
    pipeline = check(("", "x = 1"), ("imports", "import os"), ("step:a", "y = x"), ("step:b", "y"))
    assert [cell.number for cell in pipeline.stage("a").cells] == [1, 3]
    (problem,) = pipeline.problems
    assert (problem.severity, problem.cell) == ("warning", 1)
    assert "stands before the first stage: 'a' runs it" in problem.message


# --- what Airflow's database would not take -----------------------------------------------------


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"tags": ["t" * 101]}, "podline.tags"),
        ({"owner": "o" * 501}, "podline.owner"),
        ({"retries": 10**9}, "podline.retries"),
        ({"max_active_runs": 10**30}, "podline.max_active_runs"),
        ({"pool": "p" * 257}, "podline.pool"),
        ({"pool": ""}, "podline.pool"),
        ({"priority_weight": 10**10}, "podline.priority_weight"),
        ({"max_active_tis_per_dag": 0}, "podline.max_active_tis_per_dag"),
        ({"schedule": "0 0 31 2 *"}, "podline.schedule"),  # a day that never comes
        ({"schedule": "@continuous", "max_active_runs": 2}, "podline.max_active_runs"),
    ],
)
def test_metadata_that_would_cost_other_dags(
    check: Check, about: dict[str, object], expected: str
) -> None:
    text = error(check(("step:a", "x = 1"), metadata={"podline": about}))
    assert f"the notebook's metadata {expected} is " in text
    assert "fix: give " in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\0", "cell 1: error: has a character that nothing can store"),
        ("x = '\ud83d'", "cell 1: error: has a character that nothing can store"),
        (f"x = {'(' * 9000}", "cell 1, line 1: error: syntax error: too many nested parentheses"),
        (f"x = {' + '.join('1' * 2500)}", "cell 1: error: nests an expression too deeply"),
    ],
    ids=["null", "surrogate", "parentheses", "sum"],
)
def test_a_cell_that_breaks_a_parser_is_named(check: Check, source: str, expected: str) -> None:
    assert error(check(("step:a", source), ("step:b", "f = abs"))).startswith(
        f"example.ipynb, {expected}"
    )


def test_a_warning_does_not_hide_that_there_is_no_stage(check: Check) -> None:
    pipeline = check(("imports", "import json"), metadata={"podline": {"nonsense": 1}})
    assert "has no stage" in error(pipeline)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python takes it")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ntype Pair = tuple[int, int]", "line 2: error: syntax error: the statement `type`"),
        ("def first[T](rows: list[T]) -> T: ...", "line 1: error: syntax error: a type parameter"),
        ("class Box[T]:\n    pass", "line 1: error: syntax error: a type parameter"),
        ("d = {}\nf'{d['a']}'", "line 2: error: syntax error: a quote inside an f-string's braces"),
        ("f\"{', '.join(str(v)\n for v in [1])}\"", "line 1: error: syntax error: an f-string's b"),
        (r"""f'{chr(92) + "\n"}'""", "line 1: error: syntax error: a backslash inside"),
    ],
)
def test_what_a_newer_python_takes_is_said(check: Check, source: str, said: str) -> None:
    text = error(check(("step:a", source)))
    assert text.startswith(f"example.ipynb, cell 1, {said}")
    assert " is of Python 3.12, and podline reads notebooks with Python 3.11 here\n" in text
    assert (
        "fix: write it as Python 3.11 takes it, or run Airflow and podline with the newer" in text
    )


@pytest.mark.parametrize(
    "source", ["f'{x'", "f'{x\ny = 1", "type = 1 2", "def f(: pass", "x = [1, 2", "class A[: 1"]
)
def test_what_no_python_takes_is_only_wrong(check: Check, source: str) -> None:
    assert "is of Python" not in error(check(("step:a", source)))
