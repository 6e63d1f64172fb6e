"""Where the work of this process comes from: what a model that it publishes says of itself."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline.contract import PublishedVersion

if TYPE_CHECKING:  # most stages publish nothing
    from podline.models.manifest import Lineage

_stage: dict[str, Any] = {}  # in a stage of a pipeline, what a Lineage says of it
_data: dict[str, str] = {}
published: list[PublishedVersion] = []  # by this process


def begin_stage(prefix: str, notebook: str, notebook_sha256: str) -> None:
    """Say that this process runs a stage.

    Args:
        prefix: the try's folder in the store.
        notebook: the notebook's name.
        notebook_sha256: its hash, with the files shipped with it.
    """
    from podline.store.keys import TryKey

    ids = {name: value for name, value in vars(TryKey.at(prefix)).items() if name != "nonce"}
    _stage.update(ids, prefix=prefix, notebook=notebook, notebook_sha256=notebook_sha256)


def note_data(name: str, sha256: str) -> None:
    """Note that a data set was read."""
    _data[name] = sha256


def data() -> dict[str, str]:
    """The sha256 of each data set that was read by now, here or in a stage before."""
    return dict(_data)


def in_stage() -> bool:
    """Whether this process runs a stage."""
    return bool(_stage)


def current() -> "Lineage":
    """Where what this process makes comes from."""
    from podline.models.manifest import Lineage

    return Lineage(**(_stage or _by_hand()), data=data())


def _by_hand() -> dict[str, str]:
    """In Jupyter: the notebook as it was last saved, where the server says which it is."""
    path = Path(os.environ.get("JPY_SESSION_NAME", ""))
    if path.suffix != ".ipynb" or not path.is_file():
        return {}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"notebook": path.stem, "notebook_sha256": digest}
