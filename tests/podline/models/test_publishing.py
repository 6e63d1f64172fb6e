"""One call publishes a model, whole or not at all."""

import json
import math
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import Ridge

import podline
from podline.contract import PublishedVersion
from podline.models import lineage, publishing
from podline.models.formats import FormatError
from podline.models.publishing import PublishError, publish
from podline.models.registry import Model, RegistryError
from podline.store import Store, keys

Publish = Callable[..., Any]


@pytest.fixture
def ridge() -> Ridge:
    return Ridge().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0.0, 1.0, 2.0])


@pytest.fixture
def skops(tmp_path: Path) -> Path:
    """A file that is a model, as far as its name goes."""
    path = tmp_path / "model.skops"
    path.write_bytes(b"weights")
    return path


def test_what_is_published(store: Store, ridge: Ridge) -> None:
    version = podline.publish(
        ridge, "power", metrics={"rmse": 0.5}, parameters={"alpha": 1.0, "features": ["a", "b"]}
    )
    assert repr(version) == "power version 1 (models/power/versions/1/manifest.json)"
    found = Model(store, "power").version("latest")
    assert (found.version, found.type) == (1, "sklearn.linear_model._ridge.Ridge")
    assert found.formats == {"skops": "model.skops"}
    assert [file.path for file in found.files] == ["model.skops"]
    assert found.metrics == {"rmse": 0.5}
    assert found.parameters == {"alpha": 1.0, "features": ["a", "b"]}
    assert {"python", "sklearn", "numpy"} <= found.libraries.keys()
    assert found.seconds.keys() == {"serialise", "upload"}
    assert all(0 < took < 60 for took in found.seconds.values())
    assert Model(store, "power").verify(1) == []


def test_what_takes_long_shows_how_far_it_is(
    store: Store, skops: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(skops, "power")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(publishing, "_SHOWN_AFTER", 0)
    skops.write_bytes(bytes(3_000_000))
    publish(skops, "power")
    assert re.search(
        r"power version 2: 100%.*3\.00M/3\.00M .*B/s", capsys.readouterr().err.splitlines()[-1]
    )


def test_where_it_comes_from_in_a_stage(
    store: Store, skops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "_stage", {})
    monkeypatch.setattr(lineage, "_data", {})
    monkeypatch.setattr(lineage, "published", [])
    prefix = "runs/power/manual__1/publish/-1/2-ab12"
    lineage.begin_stage(prefix, "power", "c0ffee")
    lineage.note_data("household_power", "ab12")
    publish(skops, "power")
    found = Model(store, "power").version(1).origin
    assert (found.dag_id, found.run_id, found.task_id) == ("power", "manual__1", "publish")
    assert (found.try_number, found.prefix) == (2, prefix)
    assert (found.notebook, found.notebook_sha256) == ("power", "c0ffee")
    assert found.data == {"household_power": "ab12"}
    assert lineage.published == [PublishedVersion("power", 1)]


def test_where_it_comes_from_in_jupyter(
    store: Store, skops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = tmp_path / "house.ipynb"
    notebook.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))  # what Jupyter's server sets
    publish(skops, "power")
    found = Model(store, "power").version(1).origin
    assert (found.dag_id, found.notebook, found.notebook_sha256[:6]) == ("", "house", "44136f")


def test_what_an_edge_must_know(store: Store, ridge: Ridge) -> None:
    publish(ridge, "power", formats=["skops", "onnx"])
    found = Model(store, "power").version(1)
    assert found.signature
    assert [str(spec) for spec in found.signature.inputs] == ["input (FP32, shape [any, 2])"]
    assert [form.name for form in found.served] == ["onnx"]
    assert {file.path for file in found.files} == {"model.skops", "model.onnx", "sample.npz"}
    assert found.sample == "sample.npz"


def test_what_an_older_podline_published(store: Store, skops: Path) -> None:
    publish(skops, "power")
    key = keys.manifest_key("power", 1)
    written = json.loads(bytes(store.get(key)))
    older = {name: value for name, value in written.items() if name not in _NEWER} | {"schema": 1}
    store.swap(key, json.dumps(older).encode(), store.head(key).etag)
    found = Model(store, "power").version(1)
    assert (found.schema, found.signature, found.served) == (1, None, ())


_NEWER = ("signature", "sample", "served")


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"metrics": {"rmse": math.nan}}, "the metric 'rmse' of 'power' is nan: a metric is a fin"),
        ({"parameters": {"of": {1, 2}}}, r"hold what is no plain value: \{1, 2\} is a set"),
        ({"promote": True}, "promote=True needs a metric to compare with: give monitor="),
        (
            {"monitor": "mae", "metrics": {"rmse": 1}},
            "monitor='mae' is none of the metrics: .*rmse",
        ),
        ({"monitor": "rmse", "metrics": {"rmse": 1}, "mode": "less"}, "mode='less': give 'min' or"),
        ({"edge": "int4"}, "edge='int4': give some of float16, int8"),
        ({"edge": ["int8"]}, "edge='int8' changes what the model answers: give evaluate="),
    ],
    ids=["NaN", "a set", "no metric", "another metric", "another mode", "no form", "unmeasured"],
)
def test_arguments_that_cannot_be_used(
    store: Store, skops: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(PublishError, match=said):
        publish(skops, "power", **arguments)
    assert Model(store, "power").versions() == []


def test_what_has_no_format_but_a_pickle(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a builtins.dict cannot be published: it has no format"):
        publish({"weights": [1.0]}, "power")
    (tmp_path / "model.pkl").write_bytes(b"")
    said = r"model.pkl cannot be published: give a file with one of"
    with pytest.raises(FormatError, match=said):
        publish(tmp_path / "model.pkl", "power")
    assert list(store.list("models")) == []


def test_a_name_that_cannot_be_one(store: Store, skops: Path) -> None:
    with pytest.raises(RegistryError, match="'a/b' is no name for a model"):
        publish(skops, "a/b")


# --- the champion


def published(skops: Path, rmse: float, **arguments: Any) -> int:
    arguments = {"monitor": "rmse", "mode": "min", "promote": True, **arguments}
    return publish(skops, "power", metrics={"rmse": rmse}, **arguments).number


def champion(store: Store) -> int:
    return Model(store, "power").version("champion").version


def test_a_model_that_is_worse_is_refused(store: Store, skops: Path) -> None:
    published(skops, 0.5)
    said = "power would be worse than its champion: rmse is 0.6, and version 1 has 0.5. fix: pub"
    with pytest.raises(PublishError, match=said):
        published(skops, 0.6)
    assert len(Model(store, "power").versions()) == 1
    assert published(skops, 0.5) == 2  # as good is not worse
    assert published(skops, 0.4) == 3
    assert champion(store) == 3


def test_a_model_that_is_worse_is_allowed_and_not_promoted(store: Store, skops: Path) -> None:
    published(skops, 0.5)
    assert published(skops, 0.6, worse="allow") == 2
    assert champion(store) == 1
    assert Model(store, "power").version("latest").version == 2


def test_greater_may_be_better(store: Store, skops: Path) -> None:
    published(skops, 0.5, mode="max")
    published(skops, 0.6, mode="max")
    with pytest.raises(PublishError, match="worse than its champion"):
        published(skops, 0.4, mode="max")
    assert champion(store) == 2


def test_a_champion_without_that_metric(store: Store, skops: Path) -> None:
    publish(skops, "power", metrics={"mae": 1})
    Model(store, "power").promote(1, "champion")
    with pytest.raises(PublishError, match="rmse is 0.5, and version 1 has none"):
        published(skops, 0.5)


# --- many at once, and one that is killed


@pytest.mark.slow
def test_publishers_at_once_each_get_a_version_of_their_own(store: Store, skops: Path) -> None:
    """Two at once, a hundred times."""
    model = Model(store, "power")
    for pair in range(100):
        with ThreadPoolExecutor(2) as pool:
            two = list(pool.map(lambda _: publish(skops, "power").number, range(2)))
        assert sorted(two) == [2 * pair + 1, 2 * pair + 2]
    assert model.version("latest").version == 200
    assert len(model.versions()) == 200


_KILLED = """
import os, sys
from podline.models.publishing import publish
from podline.store.client import Store

steps = int(sys.argv[1])

def counted(name):
    real = getattr(Store, name)
    def step(self, *arguments):
        global steps
        if steps == 0:
            os._exit(9)
        steps -= 1
        return real(self, *arguments)
    setattr(Store, name, step)

for name in ("put_if_absent", "put_same", "swap", "get", "get_version", "list_folders"):
    counted(name)
publish(sys.argv[2], "power", metrics={"rmse": 1}, monitor="rmse", promote=True)
"""


def test_a_publisher_that_is_killed_leaves_nothing_torn(store: Store, tmp_path: Path) -> None:
    """Killed before each of its requests, from the first until it comes to its end."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for name in ("saved_model.pb", "weights", "labels"):
        (folder / name).write_bytes(name.encode())
    model = Model(store, "power")
    for steps in range(100):
        script = textwrap.dedent(_KILLED)
        run = subprocess.run([sys.executable, "-c", script, str(steps), str(folder)])
        assert not any(model.verify(found.version) for found in model.versions())
        for alias in model.aliases.all().values():
            assert model.version(alias.version)
        if run.returncode == 0:
            break
        assert run.returncode == 9
    assert steps > 10
    # The next publisher is not held up by what the killed ones left.
    number = publish(folder, "power").number
    assert model.version("latest").version == number


def test_a_team_publishes_under_its_own_name(
    store: Store, skops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = replace(store.connection, team="vision")
    for name, value in team.to_env().items():
        monkeypatch.setenv(name, value)
    for name in ("power", "forecasts.power", "vision", "visionaries.power"):
        with pytest.raises(RegistryError, match=re.escape(f"publish it as 'vision.{name}'")):
            publish(skops, name)
    assert list(store.list()) == []
    assert publish(skops, "vision.power").number == 1
