"""`podline models`: versions side by side, moved, compared, removed and fetched."""

import json
import re
from pathlib import Path

import pytest

from podline.models.publishing import publish
from podline.models.signing import check
from podline.store import Store, keys

from .conftest import Podline, Refused


@pytest.fixture
def versions(store: Store, tmp_path: Path) -> None:
    """Three versions of `power`; the second is the champion."""
    for number, rmse in enumerate((0.5, 0.4, 0.45), start=1):
        path = tmp_path / "model.skops"
        path.write_bytes(b"weights" * number)
        values = {"metrics": {"rmse": rmse}, "parameters": {"alpha": number}}
        publish(path, "power", **values, monitor="rmse", worse="allow", promote=True)


def test_a_store_without_models(podline: Podline, store: Store) -> None:
    assert "The store has no model yet: a notebook publishes" in podline("models", "list").stdout


@pytest.mark.usefixtures("versions")
def test_models_and_versions_are_listed(podline: Podline) -> None:
    (row,) = podline("models", "list").stdout.splitlines()[2:]
    assert row.split()[:4] == ["power", "3", "3", "2"]
    rows = podline("models", "list", "power").stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert "latest" in rows[0]
    assert "champion" in rows[1]
    assert [row.split()[-1] for row in rows] == ["0.45", "0.4", "0.5"]


@pytest.mark.usefixtures("versions")
def test_one_version(podline: Podline) -> None:
    told = podline("models", "show", "power", "champion").stdout
    for words in ("2 of power", "hand", "model.skops", "14 bytes", "sha256", "rmse", "0.4"):
        assert words in told


@pytest.mark.usefixtures("versions")
def test_two_versions_are_compared(podline: Podline) -> None:
    told = podline("models", "diff", "power", "1", "champion").stdout
    for words in ("metrics.rmse", "parameters.alpha", "files.model.skops"):
        assert words in told
    told = podline("models", "diff", "power", "2", "champion").stdout
    assert told == "2 and champion do not differ\n"


@pytest.mark.usefixtures("versions")
def test_an_alias_is_moved_and_moved_back(podline: Podline) -> None:
    told = podline("models", "promote", "power", "1", "edge").stdout
    assert told == "edge of power is version 1\n"
    told = podline("models", "promote", "power", "latest", "edge").stdout
    assert told == "edge of power is version 3, before that 1\n"
    told = podline("models", "rollback", "power", "edge").stdout
    assert told == "edge of power is version 1 again\n"


@pytest.mark.usefixtures("versions")
def test_a_version_is_deleted(podline: Podline, refused: Refused) -> None:
    said = refused("models", "delete", "power", "2")
    assert "power version 2 is what champion means: move the alias first" in said
    assert podline("models", "delete", "power", "1").stdout == "power version 1 is deleted\n"
    assert "power version 1 was deleted at 20" in refused("models", "show", "power", "1")


@pytest.mark.usefixtures("versions")
def test_files_are_read_again(podline: Podline, store: Store) -> None:
    assert podline("models", "verify", "power").exit_code == 0
    key = keys.version_key("power", 3, "model.skops")
    store.delete([key])
    result = podline("models", "verify", "power")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "power version 3: model.skops is missing",
        "power version 2: complete, as it was published",
        "power version 1: complete, as it was published",
    ]


@pytest.mark.usefixtures("versions")
def test_a_version_is_fetched(podline: Podline, refused: Refused, tmp_path: Path) -> None:
    target = tmp_path / "there"
    assert podline("models", "get", "power", "champion", "--to", target).exit_code == 0
    assert (target / "model.skops").read_bytes() == b"weightsweights"
    said = refused("models", "get", "power", "--to", target)
    assert "is not empty: name another folder with --output" in said


@pytest.mark.usefixtures("versions")
def test_a_model_that_is_not_there(refused: Refused) -> None:
    said = refused("models", "list", "powr")
    assert "nothing is published under this name; there is power" in said


def test_publishers_that_did_not_come_to_an_end_are_cleaned(podline: Podline, store: Store) -> None:
    store.put(keys.claim_key("power", 1), b"")
    store.put(keys.version_key("power", 1, "model.skops"), b"weights")
    told = podline("clean", "--older-than", "0m").stdout
    assert "power version 1, whose publisher did not come to its end, removed" in told
    assert not store.exists(keys.version_key("power", 1, "model.skops"))


@pytest.mark.usefixtures("versions")
def test_keys_and_signatures(
    podline: Podline, refused: Refused, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = podline("models", "keys").stdout
    private, public = re.findall(r"^(?:private|public): +(\S+)$", printed, re.MULTILINE)
    assert "signing_conn_id is not set" in refused("models", "sign", "power")
    monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"password": private}))
    assert podline("models", "sign", "power", "2").stdout == "power version 2 is signed\n"
    manifest = bytes(store.get(keys.manifest_key("power", 2)))
    check("it", manifest, bytes(store.get(keys.signature_key("power", 2))), [public])
