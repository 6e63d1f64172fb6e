"""What a task does with the versions that its stage published."""

import json
from pathlib import Path
from typing import Any

import pytest

from podline.assets import PUBLISHED, announce
from podline.contract import PublishedVersion
from podline.models import lineage
from podline.models.publishing import publish
from podline.models.registry import RegistryError
from podline.models.signing import check, new_keys
from podline.store import Store, keys


class Events:
    """Stands for Airflow's events of an alias."""

    def __init__(self) -> None:
        self.added: list[dict[str, Any]] = []

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.added.append({"asset": asset.name, **extra})


def test_a_stages_version_is_signed_by_its_task(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage has no key; its task has, in a connection."""
    monkeypatch.setattr(lineage, "_stage", {})
    monkeypatch.setattr(lineage, "published", [])
    lineage.begin_stage("runs/power/manual__1/publish/-1/1-ab12", "power", "c0ffee")
    (tmp_path / "model.skops").write_bytes(b"weights")
    publish(tmp_path / "model.skops", "power")
    assert not store.exists(keys.signature_key("power", 1))

    private, public = new_keys()
    monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"password": private}))
    events = Events()
    context: Any = {"outlet_events": {PUBLISHED: events}}
    announce([PublishedVersion("power", 1)], store, context)
    (event,) = events.added
    assert (event["asset"], event["model"], event["version"]) == ("model-power", "power", 1)
    manifest = bytes(store.get(keys.manifest_key("power", 1)))
    check("it", manifest, bytes(store.get(keys.signature_key("power", 1))), [public])


def test_a_stage_that_names_a_model_of_another_team(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A team's key cannot publish it; what a stage says is written by who wrote its notebook."""
    (tmp_path / "model.skops").write_bytes(b"weights")
    for name in ("vision.power", "forecasts.power"):
        publish(tmp_path / "model.skops", name)
    monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"password": new_keys()[0]}))
    events = Events()
    context: Any = {"outlet_events": {PUBLISHED: events}}
    said = [PublishedVersion("vision.power", 1), PublishedVersion("forecasts.power", 1)]
    with pytest.raises(RegistryError, match="the team 'vision' cannot publish the model 'foreca"):
        announce(said, store, context, "vision")
    assert events.added == []
    announce(said[:1], store, context, "vision")
    assert [event["model"] for event in events.added] == ["vision.power"]
    signed = {
        name: store.exists(keys.signature_key(name, 1)) for name in (one.name for one in said)
    }
    assert signed == {"vision.power": True, "forecasts.power": False}
