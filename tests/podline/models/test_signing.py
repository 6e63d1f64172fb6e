"""An edge can tell who published a version, and that nobody changed it since."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from podline.models import signing
from podline.models.manifest import Manifest
from podline.models.publishing import publish
from podline.models.registry import Model
from podline.models.signing import NotVouchedFor, SigningError, check, new_keys, read_trusted
from podline.store import Store, keys
from tests.podline.models.conftest import Add


@pytest.fixture(autouse=True)
def _without_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Jupyter and on the command line; tests/podline/test_assets.py signs inside Airflow."""
    monkeypatch.delitem(sys.modules, "airflow.sdk", raising=False)


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> str:
    """The public key of the one in the connection."""
    return use_new_key(monkeypatch)


def use_new_key(monkeypatch: pytest.MonkeyPatch) -> str:
    private, public = new_keys()
    monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
    connection = {"conn_type": "generic", "password": private}
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps(connection))
    return public


def stored(store: Store, manifest: Manifest) -> tuple[bytes, bytes]:
    place = manifest.name, manifest.version
    manifest_key, signature_key = keys.manifest_key(*place), keys.signature_key(*place)
    return bytes(store.get(manifest_key)), bytes(store.get(signature_key))


def test_a_signed_version(store: Store, add: Add, public: str) -> None:
    made = add()
    assert signing.sign(store, made)
    check("it", *stored(store, made), [public])
    assert signing.sign(store, made)  # again


def test_by_another_key_afterwards(
    store: Store, add: Add, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add()
    signing.sign(store, made)
    newer = use_new_key(monkeypatch)
    signing.sign(store, made)
    check("it", *stored(store, made), [newer])
    with pytest.raises(NotVouchedFor, match="it is signed by .* which is not trusted here"):
        check("it", *stored(store, made), [public])


def test_what_was_changed_since(store: Store, add: Add, public: str) -> None:
    made = add()
    signing.sign(store, made)
    manifest, signature = stored(store, made)
    changed = manifest.replace(b'"version":1', b'"version":2')
    assert changed != manifest
    for bad in (
        (changed, signature),
        (manifest, signature.replace(b'"signature":"', b'"signature":"AAAA')),
        (manifest, b"no JSON"),
        (manifest, b"[]"),
    ):
        with pytest.raises(NotVouchedFor, match="has a signature that is not one of its manifest"):
            check("it", *bad, [public])
    with pytest.raises(NotVouchedFor, match="it is not signed, and only signed versions are taken"):
        check("it", manifest, b"", [public])


def test_published_by_hand_it_is_signed_at_once(store: Store, public: str, tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"weights")
    publish(tmp_path / "model.skops", "power")
    check("it", *stored(store, Model(store, "power").version(1)), [public])


def test_without_a_key_nothing_is_signed(store: Store, add: Add) -> None:
    made = add()
    assert not signing.sign(store, made)
    assert not store.exists(keys.signature_key(made.name, made.version))


def test_with_the_version_goes_its_signature(store: Store, add: Add, public: str) -> None:
    made = add()
    signing.sign(store, made)
    Model(store, made.name).delete(made.version)
    assert not store.exists(keys.signature_key(made.name, made.version))


# --- keys that cannot be used


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, r"there is no connection 'signer' \(\[podline\] signing_conn_id\)"),
        ({"AIRFLOW_CONN_SIGNER": "{"}, "AIRFLOW_CONN_SIGNER is no connection"),
        ({"AIRFLOW_CONN_SIGNER": '{"password": "c2hvcnQ="}'}, "is no private key of Ed25519"),
        ({"AIRFLOW_CONN_SIGNER": '{"password": "?"}'}, "is no private key of Ed25519"),
    ],
    ids=["no connection", "no JSON", "too short", "no base64"],
)
def test_connections_without_a_key(
    store: Store, add: Add, monkeypatch: pytest.MonkeyPatch, variables: Any, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = add()
    with pytest.raises(SigningError, match=said):
        signing.sign(store, made)


def test_the_file_of_trusted_keys(tmp_path: Path) -> None:
    one, other = new_keys()[1], new_keys()[1]
    path = tmp_path / "keys"
    path.write_text(f"# Airflow's\n{one}\n\n{other}\n")
    assert read_trusted(path) == (one, other)
    for content in ("no key\n", ""):
        path.write_text(content)
        with pytest.raises(SigningError, match=r"is no public key of Ed25519 in base64"):
            read_trusted(path)
