"""The images have the versions that Airflow's side has."""

import ast
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from podline import __version__
from podline.contract import CONTRACT_VERSION
from tests.support.requirements import PROJECT, ROOT, STAGE, pins


@pytest.mark.parametrize("target", ["base", "tensorflow", "uploads"])
def test_pins_are_those_of_airflows_side(target: str) -> None:
    inside = pins(STAGE / f"requirements-{target}.txt")
    outside = pins(ROOT / "requirements.txt")
    assert inside == {name: outside[name] for name in inside}


def test_tensorflow_is_base_and_more() -> None:
    base, tensorflow = (pins(STAGE / f"requirements-{name}.txt") for name in ("base", "tensorflow"))
    assert base.items() < tensorflow.items()
    assert {"tensorflow-cpu", "keras"} <= tensorflow.keys() - base.keys()
    assert not [name for name in tensorflow if "airflow" in name or name == "pip"]


@pytest.mark.parametrize("target", ["base", "tensorflow", "uploads"])
def test_all_that_the_project_names_is_pinned(target: str) -> None:
    group = PROJECT["dependency-groups"][f"stage-{target}"]
    names = {Requirement(item).name for item in group if isinstance(item, str)}
    assert names - {"tensorflow"} <= pins(STAGE / f"requirements-{target}.txt").keys()


def test_what_the_runner_imports_is_inside() -> None:
    imported = set()
    outside = (
        "boto3_client.py",
        "html_export.py",
        "in_cluster.py",
        "mlflow_tracking.py",
        "signing.py",
        "weed_security.py",
    )  # these never run in a pod
    for folder in ("runner", "store", "store/upload", "models"):
        for path in (ROOT / "plugins" / "podline" / folder).glob("*.py"):
            if path.name not in outside:
                imported |= modules(path)
    names = {"IPython": "ipython", "sklearn": "scikit-learn", "tensorflow": "tensorflow-cpu"}
    names |= {"matplotlib_inline": "matplotlib-inline", "ai_edge_litert": "ai-edge-litert"}
    needed = {names.get(name, name) for name in imported - sys.stdlib_module_names}
    needed -= {"podline", "airflow", "__main__", "boto3", "botocore"}  # of the image for uploads
    assert {"ipython", "obstore", "cloudpickle"} < needed
    assert needed <= pins(STAGE / "requirements-tensorflow.txt").keys()
    assert (
        needed - {"ai-edge-litert", "keras", "tensorflow-cpu", "tf2onnx"}
        <= pins(STAGE / "requirements-base.txt").keys()
    )


def modules(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_labels_say_what_is_inside() -> None:
    labels = runpy.run_path(str(STAGE / "labels.py"))["labels"]("tensorflow")
    inside = pins(STAGE / "requirements-tensorflow.txt")
    assert labels == {
        "org.opencontainers.image.version": __version__,
        "podline.contract": str(CONTRACT_VERSION),
        "podline.python": "3.13",
        "podline.numpy": inside["numpy"],
        "podline.pandas": inside["pandas"],
        "podline.pyarrow": inside["pyarrow"],
        "podline.scikit-learn": inside["scikit-learn"],
        "podline.tensorflow": inside["tensorflow-cpu"],
        "podline.keras": inside["keras"],
    }


def test_the_store_has_this_versions_image() -> None:
    assert PROJECT["project"]["version"] == __version__
    documents = yaml.safe_load_all((ROOT / "helm-values" / "object-store.yaml").read_text())
    (store,) = (item for item in documents if item["kind"] == "StatefulSet")
    (container,) = store["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"podline-store:{__version__}"
