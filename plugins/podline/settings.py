"""The settings, one function each.

Inside Airflow they are the section ``[podline]`` of airflow.cfg; everywhere the environment
variable ``AIRFLOW__PODLINE__NAME`` wins, so that the command line needs no Airflow.
"""

import json
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from podline import __version__
from podline.exceptions import SettingError

_MIB = 1024 * 1024
_AHEAD = {"off": 0, "auto": 2}  # stages
_Json = TypeVar("_Json", list[Any], dict[str, Any])


class Backend(StrEnum):
    """Where stages run: as child processes of their tasks, or as pods."""

    PROCESS = "process"
    KUBERNETES = "kubernetes"


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


def _get_choice(name: str, *choices: str) -> str:
    """One of these words, of which the first is the default."""
    value = _get(name, choices[0])
    if value not in choices:
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise SettingError(f"[podline] {name} = {value!r}: give {listed}")
    return value


def _get_bool(name: str, default: bool) -> bool:
    value = _get(name, str(default)).lower()
    if value not in ("true", "false"):
        raise SettingError(f"[podline] {name} = {value!r}: give True or False")
    return value == "true"


def _get_json(name: str, kind: type[_Json], example: str) -> _Json:
    value = _get(name, "")
    if not value:
        return kind()
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise SettingError(f"[podline] {name} = {value!r}: give JSON, such as {example}")
    return found


_CODE = Path(__file__).parents[1]  # such as Airflow's plugins folder


def beside_plugins(folder: str) -> Path | None:
    """A folder beside the plugins folder that this code is in; None where it was installed."""
    installed = _CODE.name in ("site-packages", "dist-packages")
    return None if installed else _CODE.parent / folder


def _get_folder(name: str, default: str) -> Path:
    value = _get(name, "") or beside_plugins(default)
    if value is None:
        raise SettingError(
            f"[podline] {name} is not set, and podline was installed without a folder "
            f"{default!r}: name one, such as AIRFLOW__PODLINE__{name.upper()}=/path/to/folder"
        )
    return Path(value)


def backend() -> str:
    """Where stages run unless a run's conf says otherwise: the name of a `Backend`."""
    return _get("backend", Backend.PROCESS.value)


def store_conn_id() -> str:
    """Airflow connection (type aws) of the object store."""
    return _get("store_conn_id", "podline_store")


def stores() -> list[str]:
    """Airflow connections (type aws) of other stores, to compare with ours, as JSON."""
    return _get_json("stores", list, '["vm_store"]')


def store_bucket() -> str:
    """Bucket for runs, files and models, unless the connection names one."""
    return _get("store_bucket", "podline")


def store_linger() -> int:
    """Seconds for which the embedded store waits for the next command once none uses it."""
    return _get_int("store_linger", 300)


def store_patience() -> int:
    """Seconds for which a stage, and its task, wait for a store that is away."""
    return _get_int("store_patience", 900)


def signing_conn_id() -> str:
    """Airflow connection (any type) whose password signs published versions; none by default."""
    return _get("signing_conn_id", "")


def edge_conn_id() -> str:
    """Airflow connection (any type) whose password is the token of the edges; none by default."""
    return _get("edge_conn_id", "")


def notebooks_folder() -> Path:
    """Folder whose notebooks become DAGs; by default ``notebooks`` beside ``plugins``."""
    return _get_folder("notebooks_folder", "notebooks")


def home() -> Path:
    """Folder of what the embedded default keeps: the store's data and the data sets."""
    return _get_folder("home", ".podline")


def html() -> bool:
    """Whether executed notebooks are kept as pages too: ``always`` or ``never``."""
    return _get_choice("html", "always", "never") == "always"


def ahead() -> int:
    """How many stages wait for their turn, libraries imported: ``off``, ``auto`` or a number."""
    value = _get("ahead", "auto")
    try:
        return read_ahead(value)
    except ValueError as error:
        raise SettingError(f"[podline] ahead = {value!r}: give {error}") from None


def read_ahead(text: str) -> int:
    """How many stages are begun ahead, as a setting, a tag or a run's parameter says it.

    Raises:
        ValueError: it does not say that.
    """
    if text in _AHEAD:
        return _AHEAD[text]
    if not re.fullmatch("[0-9]{1,3}", text):
        raise ValueError("auto, off or a whole number")
    return int(text)


def latency() -> str:
    """Whose latency is recorded: that of ``all`` tasks, of ``stages``, or of ``none``."""
    return _get_choice("latency", "all", "stages", "none")


def files_limit() -> int:
    """Bytes that the files below a stage's working directory may have in all."""
    return _get_int("files_limit_mb", 4096) * _MIB


def mlflow_tracking_uri() -> str:
    """Address of an MLflow server that published versions are logged to as well; none by default.

    MLflow's own variable counts where the setting is missing.
    """
    return _get("mlflow_tracking_uri", os.environ.get("MLFLOW_TRACKING_URI", ""))


# --- pods (the backend `kubernetes`) ---------------------------------------------------------


def kubernetes_conn_id() -> str | None:
    """Airflow connection of the cluster; without one, KUBECONFIG or the pod's own account."""
    return _get("kubernetes_conn_id", "") or None


def namespace() -> str:
    """Namespace of the stages' pods."""
    return _get("namespace", "podline")


def team_namespaces() -> list[str]:
    """Namespaces of teams' pods, as JSON, which are swept too."""
    return _get_json("team_namespaces", list, '["vision", "forecasts"]')


def link_namespace() -> str:
    """Namespace of pods with a link of their own by netem; it admits "privileged" ones."""
    return _get("link_namespace", "podline-links")


_IMAGES = {
    "base": "podline-stage",
    "tensorflow": "podline-stage-tensorflow",
    "uploads": "podline-uploads",
}


def image(target: str) -> str:
    """Image of a stage: ``image_base``, or ``image_tensorflow`` where its notebook needs that.

    The upload study's is ``image_uploads``.
    """
    return _get(f"image_{target}", f"{_IMAGES[target]}:{__version__}")


def store_secret() -> str:
    """Kubernetes Secret with the store's connection in its variable's name; else one is made."""
    return _get("store_secret", "")


def store_endpoint() -> str:
    """Address of the store as pods see it, where that is not the connection's."""
    return _get("store_endpoint", "")


def service_account() -> str | None:
    """Service account of the pods; they get no token of it."""
    return _get("service_account", "") or None


def node_selector() -> dict[str, str]:
    """Labels that a pod's node must have, as JSON."""
    return _get_json("node_selector", dict, '{"disk": "ssd"}')


def tolerations() -> list[dict[str, Any]]:
    """Taints that a pod tolerates, as JSON in Kubernetes' spelling."""
    return _get_json("tolerations", list, '[{"key": "gpu", "operator": "Exists"}]')


def requests() -> dict[str, str]:
    """What a pod asks for unless its tags do."""
    return {"cpu": _get("cpu_request", "100m"), "memory": _get("memory_request", "512Mi")}


def limits() -> dict[str, str]:
    """What a pod may use at most unless its tags say otherwise: no limit for processors."""
    return {"memory": _get("memory_limit", "4Gi")}


def pod_template() -> str | None:
    """File with a pod in YAML, for what there is no setting for; settings and tags go over it."""
    return _get("pod_template", "") or None


def read_only_root() -> str:
    """Size of the only volume that a pod can write to, such as ``4Gi``; without it, its root too.

    A volume delays each pod's start by 0.3 s.
    """
    return _get("read_only_root", "")


def startup_timeout() -> int:
    """Seconds within which a pod's container must run."""
    return _get_int("startup_timeout", 600)


def deferrable() -> bool:
    """Whether a task leaves its worker while its pod runs, unless the operator says."""
    return _get_bool("deferrable", False)


def keep_failed_pods() -> bool:
    """Whether the pod of a failed stage is left, for a look at it."""
    return _get_bool("keep_failed_pods", False)
