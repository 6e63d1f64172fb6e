"""`podline show` tells what a notebook becomes, as tables, as JSON and as a graph."""

import json
import re
from pathlib import Path

from .conftest import Podline, Write


def test_parameters_stages_and_graph(podline: Podline, write: Write) -> None:
    path = write(
        "power",
        ("parameters", "rows = 10  # how [many] rows\nname = 'a'"),
        ("imports", "import json"),
        ("functions", "def double(x):\n    return 2 * x"),
        ("step:load limit:memory:2Gi retry:2:30s", "data = list(range(rows))"),
        ("step:left prev:load", "left = double(data)"),
        ("step:right prev:load", "right = json.dumps(data)"),
        ("step:join prev:left prev:right", "print(left, right)"),
    )
    result = podline("show", path)
    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "rows integer 10 how [many] rows" in rows
    assert "name string 'a'" in rows
    assert "1 load 4 data limits*: memory=2Gi" in rows
    assert "retry: times=2, interval=30.0" in rows
    assert "2 left 5 load (prev) load: data left" in rows
    assert "4 join 7 left (prev) left: left" in rows
    assert "* not applied where stages run as local processes" in result.stdout
    assert "1 import, 1 definition." in result.stdout
    assert "├─╮\n● │  left\n│ ●  right\n├─╯\n●    join" in result.stdout


def test_json_has_all_of_it(podline: Podline, notebooks: Path) -> None:
    found = json.loads(podline("show", notebooks / "kale_notebook.ipynb", "--json").stdout)
    assert found["notebook"] == "kale_notebook"
    assert found["parameters"][0]["name"] == "COUNT"
    load, square, total = found["stages"]
    assert load["settings"] == {"limits": {"memory": "1Gi"}}
    assert load["not_applied"] == ["limits"]
    assert square["waits_for"] == {"load": "prev"}
    assert square["hands_on"] == ["squares"]
    assert total["reads"] == {"load": ["numbers"], "square": ["squares"]}


def test_a_name_comes_from_the_last_stage_that_makes_it(podline: Podline, write: Write) -> None:
    path = write(
        "rebound",
        ("step:first", "x = 1\ny = 1"),
        ("step:second", "x = x + 1"),
        ("step:third", "print(x, y)"),
    )
    stages = json.loads(podline("show", path, "--json").stdout)["stages"]
    assert stages[2]["reads"] == {"first": ["y"], "second": ["x"]}
    assert stages[2]["waits_for"] == {"second": "reads x"}


def test_stages_come_in_an_order_that_can_run(podline: Podline, notebooks: Path) -> None:
    found = json.loads(podline("show", notebooks / "prev_to_later_stage.ipynb", "--json").stdout)
    done: set[str] = set()
    for stage in found["stages"]:
        assert stage["waits_for"].keys() <= done
        done.add(stage["name"])


def test_mermaid_is_the_graph_only(podline: Podline, notebooks: Path) -> None:
    result = podline("show", notebooks / "kale_notebook.ipynb", "--mermaid")
    assert result.stdout.splitlines()[0] == "flowchart TD"
    assert '    s1["load"]' in result.stdout
    assert "    s1 --> s3\n    s2 --> s3\n" in result.stdout


def test_errors_are_told_as_lint_tells_them(podline: Podline, notebooks: Path) -> None:
    for path in sorted((notebooks / "invalid").glob("*.ipynb")):
        shown, linted = podline("show", path), podline("lint", path)
        assert shown.exit_code == 1
        assert shown.stdout == ""
        assert shown.stderr == linted.stdout


def test_a_value_that_json_lacks_is_no_parameter(podline: Podline, write: Write) -> None:
    path = write("odd", ("parameters", "kinds = [{1, 2}]"), ("step:load", "x = kinds"))
    assert json.loads(podline("show", path, "--json").stdout)["parameters"] == []


def test_it_is_shown_as_airflow_calls_it(podline: Podline, write: Write) -> None:
    result = podline("show", write("my notes", ("step:load", "x = 1")))
    assert result.exit_code == 0
    assert re.match(r"my_notes_[0-9a-f]{8} ", result.stdout)
    assert "Airflow cannot have a DAG of the name 'my notes'" in result.stderr
