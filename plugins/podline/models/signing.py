"""Who vouches for a version: an Ed25519 signature of its manifest, which has its files' hashes.

Only Airflow's side has the private key, never a pod that runs a notebook: a stage's versions are
signed when its task has ended, those of Jupyter when they are published.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podline import secrecy, settings
from podline.contract import Json
from podline.exceptions import PodlineError
from podline.models.manifest import Manifest
from podline.store import Store, keys
from podline.store.connection import password_of, variable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_CONTEXT = b"podline manifest 1\n"  # so that nothing else that the key signs is taken for one


class SigningError(PodlineError):
    """A key cannot be used."""


class NotVouchedFor(PodlineError):
    """A version has no signature of a key that is trusted."""


@dataclass(frozen=True)
class Signed(Json):
    """What stands beside a manifest: the public key and the signature, in base64."""

    key: str
    signature: str


def sign(store: Store, manifest: Manifest) -> bool:
    """Sign a version, where the setting names a key; returns whether it did.

    Args:
        store: where the version is.
        manifest: the version.

    Raises:
        SigningError: the connection of the key cannot be used.
        StoreError: the store cannot be used.
    """
    conn_id = settings.signing_conn_id()
    if not conn_id:
        return False
    key = _private_key(conn_id)
    data = bytes(store.get(keys.manifest_key(manifest.name, manifest.version)))
    signed = Signed(_text(key.public_key()), _base64(key.sign(_CONTEXT + data)))
    where, content = keys.signature_key(manifest.name, manifest.version), signed.to_json().encode()
    if not store.put_if_absent(where, content):  # by another key, or by this one
        store.swap(where, content, store.head(where).etag)
    return True


def check(title: str, manifest: bytes, signature: bytes, trusted: Sequence[str]) -> None:
    """Check a manifest's signature.

    Args:
        title: of the version, for the error.
        manifest: its bytes.
        signature: what stands beside it; empty: nothing.
        trusted: the public keys, in base64, of which one must have signed it.

    Raises:
        NotVouchedFor: none has.
    """
    from cryptography.exceptions import InvalidSignature

    if not signature:
        raise NotVouchedFor(f"{title} is not signed, and only signed versions are taken here")
    try:
        signed = Signed.from_json(signature)
        if signed.key not in trusted:
            raise NotVouchedFor(f"{title} is signed by {signed.key}, which is not trusted here")
        raw = base64.b64decode(signed.signature)
        _public_key(signed.key).verify(raw, _CONTEXT + manifest)
    except (InvalidSignature, ValueError, TypeError, AttributeError):
        raise NotVouchedFor(
            f"{title} has a signature that is not one of its manifest: it was changed since"
        ) from None


def new_keys() -> tuple[str, str]:
    """A private key, and the public one that belongs to it, each in base64."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return _base64(key.private_bytes_raw()), _text(key.public_key())


def read_trusted(path: Path) -> tuple[str, ...]:
    """The public keys in a file, a line each.

    Raises:
        SigningError: a line is none.
    """
    found = [line.strip() for line in path.read_text().splitlines()]
    trusted = tuple(line for line in found if line and not line.startswith("#"))
    for line in trusted or ("",):
        try:
            _public_key(line)
        except ValueError:
            raise SigningError(
                f"{path}: {line[:60]!r} is no public key of Ed25519 in base64: `podline models "
                "keys` makes one"
            ) from None
    return trusted


def _private_key(conn_id: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        password = password_of(conn_id)
    except ValueError as error:
        raise SigningError(str(error)) from None
    if password is None:
        raise SigningError(
            f"there is no connection {conn_id!r} ([podline] signing_conn_id): add one of any type, "
            f"whose password is the key, or set {variable(conn_id)}"
        )
    secrecy.hide(password)
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(password, validate=True))
    except ValueError:
        raise SigningError(
            f"the password of the connection {conn_id!r} is no private key of Ed25519 in base64: "
            "`podline models keys` makes one"
        ) from None


def _public_key(text: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def _text(key: "Ed25519PublicKey") -> str:
    return _base64(key.public_bytes_raw())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
