"""What each tag says, and what is said about the tags that say nothing."""

import subprocess
import sys

import pytest

from podline.compiler.tag_words import RESERVED_STAGES, Retry, SecretKey
from podline.compiler.tags import EXAMPLES, CellTags, StageSettings, parse_defaults, parse_tags


def read(*tags: object) -> CellTags:
    """Read tags that must be right."""
    cell, problems = parse_tags(tags)
    assert problems == []
    return cell


def complaint(*tags: object) -> str:
    """Read tags of which one must be wrong, and return all that is said about it."""
    _, problems = parse_tags(tags)
    assert len(problems) == 1, problems
    return f"{problems[0].severity}: {problems[0]}"


def settings(*tags: str) -> StageSettings:
    return read("step:train", *tags).settings


# --- what a cell is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "cell"),
    [
        ([], CellTags("stage")),  # joins the cell before
        (["step:"], CellTags("stage")),  # Kale's extension writes it; the same
        (["block:"], CellTags("stage")),
        (["step:load"], CellTags("stage", "load")),
        (["block:load"], CellTags("stage", "load")),
        (["step:load", "step:load"], CellTags("stage", "load")),
        (["step:_2_load"], CellTags("stage", "_2_load")),
        (["step:" + "a" * 250], CellTags("stage", "a" * 250)),  # the longest task id
        (["imports"], CellTags("imports")),
        (["functions"], CellTags("functions")),
        (["skip"], CellTags("skip")),
        (["pipeline-parameters"], CellTags("parameters")),
        (["parameters"], CellTags("parameters")),
        (["parameters", "pipeline-parameters"], CellTags("parameters")),
        (["pipeline-metrics"], CellTags("metrics")),
        (["raises-exception"], CellTags(may_raise=True)),
        (["step:a", "raises-exception"], CellTags(stage="a", may_raise=True)),
    ],
)
def test_kind_and_stage(tags: list[str], cell: CellTags) -> None:
    assert read(*tags) == cell


def test_a_skipped_cell_may_keep_any_other_tag() -> None:
    assert read("step:train", "prev:load", "limit:memory", "skip", 3) == CellTags("skip")


@pytest.mark.parametrize(
    ("tags", "prev"),
    [
        (["step:train"], None),  # nothing said: the data decides
        (["step:train", "prev:load"], ("load",)),
        (["step:train", "prev:load", "prev:clean"], ("load", "clean")),
        (["prev:load", "step:train", "prev:load"], ("load",)),
        (["step:train", "prev:"], ()),  # said: nothing comes before it
    ],
)
def test_prev(tags: list[str], prev: tuple[str, ...] | None) -> None:
    assert read(*tags).prev == prev


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("step:Bad Name!", "bad_name"),
        ("step:train-model", "train_model"),
        ("step: load", "load"),
        ("step:load\n", "load"),
        ("block:2nd", "_2nd"),
        ("prev:Load", "load"),
    ],
)
def test_a_name_that_is_none_gets_one_suggested(tag: str, name: str) -> None:
    assert complaint(tag).endswith(f"call it `{name}`")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["step"], "error: `step`: it has no value: write it like `step:train`"),
        (["step:!!"], "unlike '!!': write it like `step:train`"),
        (["step:" + "a" * 251], "at most 250"),
        (["prev:a,b", "step:c"], "one tag names one stage: write a `prev:` tag for each"),
        (["prev:a;b", "step:c"], "one tag names one stage"),
        (["imports:numpy"], "error: `imports:numpy`: `imports` takes no value: write `imports`"),
        (["notebook:other"], "error: `notebook:other`: a pipeline comes from one notebook"),
        ([3], "error: the tag 3 is not text but int"),
        ([{"step": "load"}], "error: the tag {'step': 'load'} is not text but dict"),
        (["step:a", "step:b"], "error: `step:b` contradicts `step:a` on the same cell"),
        (["step:a", "block:b"], "error: `block:b` contradicts `step:a`"),
        (["step:", "step:b"], "error: `step:b` contradicts `step:`"),
        (["imports", "functions"], "error: `functions` contradicts `imports`"),
        (["imports", "step:load"], "error: `step:load` cannot be on a cell of imports"),
        (["step:load", "parameters"], "error: `step:load` cannot be on a cell of parameters"),
        (["imports", "limit:cpu:1"], "warning: `limit:cpu:1` does nothing on a cell of imports"),
        (["prev:load"], "error: `prev:load` is on a cell that names no stage: add `step:NAME`"),
        (["limit:cpu:1"], "error: `limit:cpu:1` is on a cell that names no stage"),
        (["block:", "prev:load"], "warning: `prev:load` does nothing beside a `step:` with no"),
        (["step:a", "prev:a"], "error: `prev:a` makes the stage wait for itself"),
        (["step:a", "prev:", "prev:b"], "error: `prev:b` contradicts `prev:`"),
    ],
)
def test_structure_that_cannot_be(tags: list[object], said: str) -> None:
    assert said in complaint(*tags)


@pytest.mark.parametrize("name", sorted(RESERVED_STAGES))
def test_a_stage_is_not_named_like_a_kind_of_cell(name: str) -> None:
    assert complaint(f"step:{name}").endswith(f"write `{name}`, or choose another name")


def test_an_unreadable_name_is_one_problem_however_many_tags_are_beside_it() -> None:
    assert "`step:Train`" in complaint("step:Train", "prev:load", "limit:cpu:1")


def test_a_tag_with_a_problem_is_left_out_and_the_others_stay() -> None:
    cell, problems = parse_tags(["step:train", "prev:train", "limit:memory", "limit:cpu:1", "x"])
    assert cell == CellTags("stage", "train", None, StageSettings(limits={"cpu": "1"}))
    assert [problem.tag for problem in problems] == ["limit:memory", "x", "prev:train"]


# --- tags of others -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    ["hide-input", "remove_cell", "remove-output", "scroll-output", "full-width", "nbval-skip"],
)
def test_tags_about_looks_are_none_of_our_business(tag: str) -> None:
    assert read("step:load", tag) == CellTags("stage", "load")


@pytest.mark.parametrize(
    ("tag", "fix"),
    [
        ("stpe:load", "did you mean `step:load`?"),
        ("Step:load", "did you mean `step:load`?"),
        (" step:load", "did you mean `step:load`?"),
        ("limits:memory:2Gi", "did you mean `limit:memory:2Gi`?"),
        ("import", "did you mean `imports`?"),
        ("function", "did you mean `functions`?"),
        ("pipeline_parameters", "did you mean `pipeline-parameters`?"),
        ("steps", "did you mean `step:train`?"),
        ("todo", "it changes nothing"),
        ("", "it changes nothing"),
    ],
)
def test_a_strange_tag_is_a_warning(tag: str, fix: str) -> None:
    said = complaint("step:load", tag)
    assert said.startswith(f"warning: `{tag}` is not one of podline's tags")
    assert fix in said


@pytest.mark.parametrize("tag", ["report:enabled", "report:disabled", "report:yes", "report"])
def test_kale_s_report_is_accepted_and_does_nothing(tag: str) -> None:
    assert complaint("step:load", tag).startswith(f"warning: `{tag}` does nothing")
    assert parse_tags(["step:load", tag])[0] == read("step:load")
    settings, (problem,) = parse_defaults([tag])
    assert (settings, problem.severity) == (StageSettings(), "warning")


# --- how a stage runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_readable(example: str) -> None:
    setting = ":" in example and not example.startswith(("step:", "block:"))
    assert read(*(["step:train"] if setting else []), example) != CellTags()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("image:python:3.12-slim", StageSettings(image="python:3.12-slim")),
        ("image:Registry:5000/a/b_c", StageSettings(image="Registry:5000/a/b_c")),
        ("image:[fd00::1]:5000/a:1", StageSettings(image="[fd00::1]:5000/a:1")),
        (f"image:a/b@sha256:{'0f' * 32}", StageSettings(image=f"a/b@sha256:{'0f' * 32}")),
        ("cache:enabled", StageSettings(cache=True)),
        ("cache:disabled", StageSettings(cache=False)),
        ("limit:cpu:500m", StageSettings(limits={"cpu": "500m"})),
        ("limit:cpu:1.5", StageSettings(limits={"cpu": "1.5"})),
        ("limit:memory:1Gi", StageSettings(limits={"memory": "1Gi"})),
        ("limit:memory:1e9", StageSettings(limits={"memory": "1e9"})),
        ("limit:nvidia.com/gpu:2", StageSettings(limits={"nvidia.com/gpu": "2"})),
        (
            "limit:nvidia.com/mig-1g.5gb:1",
            StageSettings(limits={"nvidia.com/mig-1g.5gb": "1"}),
        ),
        ("limit:hugepages-2Mi:64Mi", StageSettings(limits={"hugepages-2Mi": "64Mi"})),
        ("request:ephemeral-storage:2G", StageSettings(requests={"ephemeral-storage": "2G"})),
        ("label:team:ml", StageSettings(labels={"team": "ml"})),
        ("label:example.com/app:ml", StageSettings(labels={"example.com/app": "ml"})),
        (
            "label:app.kubernetes.io/part-of:ml",
            StageSettings(labels={"app.kubernetes.io/part-of": "ml"}),
        ),
        ("label:example.com/Team:", StageSettings(labels={"example.com/Team": ""})),
        # Kale drops the colons of such a value.
        (
            "annotation:example.com/log:https://host:80/x y",
            StageSettings(annotations={"example.com/log": "https://host:80/x y"}),
        ),
        (
            "secret:db.credentials:tls.key:DB_KEY",
            StageSettings(secrets={"DB_KEY": SecretKey("db.credentials", "tls.key")}),
        ),
        ("pool:big machines", StageSettings(pool="big machines")),
        ("priority_weight:10", StageSettings(priority_weight=10)),
        ("max_active_tis_per_dag:1", StageSettings(max_active_tis_per_dag=1)),
        ("retry:0", StageSettings(retry=Retry(0))),
        ("retry:3", StageSettings(retry=Retry(3))),
        ("retry:3:1m", StageSettings(retry=Retry(3, 60.0))),
        ("retry:3:30s:2:10m", StageSettings(retry=Retry(3, 30.0, 2.0, 600.0))),
        ("timeout:90", StageSettings(timeout=90.0)),
        ("timeout:0.5s", StageSettings(timeout=0.5)),
        ("timeout:30m", StageSettings(timeout=1800.0)),
        ("timeout:2h", StageSettings(timeout=7200.0)),
        ("timeout:1d", StageSettings(timeout=86400.0)),
    ],
)
def test_a_setting(tag: str, expected: StageSettings) -> None:
    assert settings(tag) == expected


def test_settings_add_up() -> None:
    assert settings("limit:cpu:1", "limit:memory:2Gi", "request:cpu:100m", "label:a:b") == (
        StageSettings(
            limits={"cpu": "1", "memory": "2Gi"}, requests={"cpu": "100m"}, labels={"a": "b"}
        )
    )


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("image:", "`image:`: it has no value"),
        ("image:python 3.12", "'python 3.12' is not the reference of an image"),
        ("image:Python:3.12", "'Python:3.12' is not"),
        ("cache:maybe", "'maybe' is neither enabled nor disabled: write it like `cache:disabled`"),
        ("limit", "`limit`: it has no value: write it like `limit:memory:2Gi`"),
        ("limit:memory", "it says no quantity of memory: write it like `limit:memory:2Gi`"),
        ("limit:memory:lots", "'lots' is not a quantity of Kubernetes: write it like"),
        ("limit:memory:512MB", "'512MB' is not a quantity of Kubernetes: write 512Mi"),
        ("limit:memory:4g", "write 4Gi"),
        ("limit:memory:-1Gi", "'-1Gi' is not a quantity"),
        ("limit:memory:512m", "'512m' is a fraction of a byte: write 512Mi"),
        ("limit:nvidia.com/gpu:0.5", "'0.5' is a fraction of a device: write a whole number"),
        ("limit:gpu:1", "no resource 'gpu': cpu, memory, ephemeral-storage, or a device"),
        ("request:/gpu:1", "no resource '/gpu'"),
        ("label:team", "it has no value for 'team'"),
        ("label:podline:stage", "'podline' tells podline's own pods from others"),
        ("label:podline-kept:true", "'podline-kept' tells podline's own pods"),
        ("label:podline.dev/edge:true", "write `label:example.com/edge:true`"),
        ("label:app:object-store", "write `label:example.com/app:object-store`"),
        ("label:component:scheduler", "'component' tells"),
        ("label:app.kubernetes.io/component:s3", "'app.kubernetes.io/component' tells"),
        ("label:team name:ml", "'team name' is not the key of a label"),
        ("label:team:a b", "unlike 'a b': shorten it, or use an annotation"),
        ("label:team:" + "a" * 64, "at most 63 letters"),
        ("annotation:-x:y", "'-x' is not the key of an annotation"),
        ("annotation:" + "a" * 64 + ":y", "is not the key of an annotation"),
        ("secret:db:password", "it must say a Secret, a key in it and an environment variable"),
        ("secret:DB:password:X", "'DB' is not the name of a Secret"),
        ("secret:db:pass word:X", "'pass word' is not a key of a Secret"),
        ("secret:db:password:2X", "'2X' is not the name of an environment variable"),
        ("pool:" + "p" * 257, "a pool's name has at most 256 characters"),
        ("priority_weight:high", "'high' is not a whole number from 0 to 9999"),
        ("priority_weight:-1", "'-1' is not a whole number"),
        ("max_active_tis_per_dag:0", "with 0 the stage would never run"),
        ("retry:many", "'many' is not a number of retries, 0 to 9999"),
        ("retry:-1", "'-1' is not a number of retries"),
        ("retry:3:soon", "'soon' is not a time of more than 0"),
        ("retry:3:30s:0.5", "'0.5' is not a factor of 1 or more"),
        ("retry:3:30s:2:10s", "the longest interval 10s is shorter than the first, 30s"),
        ("retry:3:30s:2:1h:x", "it says more than times, interval, factor and longest interval"),
        ("timeout:0", "'0' is not a time of more than 0, such as 90, 90s, 30m, 2h or 1d"),
        ("timeout:1h30m", "'1h30m' is not a time"),
    ],
)
def test_a_setting_that_is_none(tag: str, said: str) -> None:
    found = complaint("step:train", tag)
    assert found.startswith("error: ")
    assert tag in found
    assert said in found


@pytest.mark.parametrize(
    "tags",
    [
        ("cache:enabled", "cache:disabled"),
        ("limit:cpu:1", "limit:cpu:2"),
        ("secret:a:b:X", "secret:c:d:X"),
        ("timeout:60", "timeout:2m"),
    ],
)
def test_settings_that_contradict_each_other(tags: tuple[str, str]) -> None:
    assert f"`{tags[1]}` contradicts `{tags[0]}`" in complaint("step:train", *tags)


def test_the_same_setting_twice_is_no_contradiction() -> None:
    assert settings("timeout:60", "timeout:1m").timeout == 60


# --- the notebook's defaults --------------------------------------------------------------------


def test_a_stage_goes_over_the_defaults() -> None:
    defaults, problems = parse_defaults(
        ["limit:cpu:1", "limit:memory:1Gi", "retry:2", "cache:enabled"]
    )
    assert problems == []
    stage = settings("limit:cpu:2", "cache:disabled")
    assert stage.over(defaults) == StageSettings(
        cache=False, limits={"cpu": "2", "memory": "1Gi"}, retry=Retry(2)
    )
    assert StageSettings().over(defaults) == defaults


@pytest.mark.parametrize("tag", ["step:load", "prev:load", "imports", "skip"])
def test_defaults_are_not_about_one_cell(tag: str) -> None:
    found, (problem,) = parse_defaults([tag, "limit:cpu:1"])
    assert found == StageSettings(limits={"cpu": "1"})
    assert str(problem).startswith(f"`{tag}` is about one cell")


# --- what it costs ------------------------------------------------------------------------------


def test_reading_tags_loads_nothing_heavy() -> None:
    code = (
        "import sys; from podline.compiler.tags import parse_tags;"
        "parse_tags(['step:a', 'limit:cpu:1', 'hide-input']);"
        "print(*sorted({'difflib', 'airflow', 'pandas', 'nbformat', 'IPython'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
