"""The settings, one function each.

Inside Airflow they are the section ``[podline]`` of airflow.cfg; everywhere the environment
variable ``AIRFLOW__PODLINE__NAME`` wins, so that the command line needs no Airflow.
"""

import os
import sys
from pathlib import Path

from podline.exceptions import SettingError

_MIB = 1024 * 1024


def _get(name: str, default: str) -> str:
    value = os.environ.get(f"AIRFLOW__PODLINE__{name.upper()}")
    if value is not None:
        return value
    # Importing Airflow for one setting would cost the command line a second.
    if "airflow.configuration" in sys.modules or "airflow.sdk.configuration" in sys.modules:
        from airflow.sdk.configuration import conf

        return str(conf.get("podline", name, fallback=default))
    return default


def _get_int(name: str, default: int) -> int:
    value = _get(name, str(default))
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise SettingError(f"[podline] {name} = {value!r}: give a whole number of 0 or more")
    return number


def backend() -> str:
    """Where stages run unless a run's conf says otherwise: ``process``."""
    return _get("backend", "process")


def store_conn_id() -> str:
    """Airflow connection (type aws) of the object store."""
    return _get("store_conn_id", "podline_store")


def store_bucket() -> str:
    """Bucket for runs, files and models, unless the connection names one."""
    return _get("store_bucket", "podline")


def notebooks_folder() -> Path:
    """Folder whose notebooks become DAGs; by default ``notebooks`` beside ``plugins``."""
    default = Path(__file__).parents[2] / "notebooks"
    return Path(_get("notebooks_folder", str(default)))


def home() -> Path:
    """Folder of what the embedded default keeps: the store's data and the data sets."""
    default = Path(__file__).parents[2] / ".podline"
    return Path(_get("home", str(default)))


def html() -> bool:
    """Whether executed notebooks are kept as pages too: ``always`` or ``never``."""
    value = _get("html", "always")
    if value not in ("always", "never"):
        raise SettingError(f"[podline] html = {value!r}: give always or never")
    return value == "always"


def files_limit() -> int:
    """Bytes that the files below a stage's working directory may have in all."""
    return _get_int("files_limit_mb", 4096) * _MIB
