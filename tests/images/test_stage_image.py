"""The images of stages, as pods that "restricted" admits."""

import importlib.metadata
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from podline.contract import CONTRACT_VERSION
from tests.support.image_pods import BASE, TENSORFLOW, UPLOADS, pod
from tests.support.requirements import STAGE, pins

pytestmark = pytest.mark.cluster

IMAGES = {"base": BASE, "tensorflow": TENSORFLOW, "uploads": UPLOADS}
every_image = pytest.mark.parametrize("target", IMAGES)


@every_image
def test_versions_are_the_hosts(target: str, python: Any) -> None:
    code = """if True:
        import importlib.metadata, json
        print(json.dumps({d.name: d.version for d in importlib.metadata.distributions()}))
    """
    found = python(IMAGES[target], code)
    inside = {canonicalize_name(name): version for name, version in found.items()}
    assert inside == pins(STAGE / f"requirements-{target}.txt")
    assert inside == {name: importlib.metadata.version(name) for name in inside}


@every_image
def test_the_runner_is_all_there(target: str, python: Any) -> None:
    code = """if True:
        import importlib, json, pkgutil, sys
        import podline.contract, podline.datasets, podline.models, podline.runner, podline.store
        for package in (podline.runner, podline.store, podline.models):
            for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
                importlib.import_module(module.name)
        print(json.dumps([podline.contract.CONTRACT_VERSION, "airflow" in sys.modules]))
    """
    assert python(IMAGES[target], code) == [CONTRACT_VERSION, False]


def test_tensorflow_computes(python: Any) -> None:
    code = "import keras, json; print(json.dumps(float(keras.ops.sum(keras.ops.ones((2, 3))))))"
    assert python(TENSORFLOW, code) == 6


def test_the_upload_studys_visits_find_all_they_need(run: Any) -> None:
    pytest.importorskip("podline_studies")
    code = "import podline_studies.uploads.batch as v, boto3; print(*v.CLIENTS)"
    script = f"python -W error -c '{code}' && tc -V && ip -V"
    found = run(UPLOADS, "sh", "-c", script)
    assert found.startswith("podline boto3 ")
    assert "tc utility, iproute2" in found


@every_image
def test_nothing_is_writable_but_the_users_own_folder(target: str, run: Any) -> None:
    script = (
        "id -u; id -g; touch /tmp/a /var/tmp/b && ls -d /home/podline/[ab];"
        "find / '(' -path /proc -o -path /sys -o -path /dev ')' -prune"
        " -o -writable ! -type l -print 2>/dev/null | sort"
    )
    made = ["/home/podline/a", "/home/podline/b"]
    expected = ["10001", "10001", *made, "/home/podline", *made]
    assert run(IMAGES[target], "sh", "-c", script).split() == expected


@every_image
def test_all_is_compiled_and_nothing_depends_on_times(target: str, python: Any) -> None:
    code = """if True:
        import importlib.util, json, pathlib, sysconfig
        flags = {}
        for folder in ("/opt/podline", sysconfig.get_path("stdlib") + "/json"):
            for path in pathlib.Path(folder).rglob("*.py"):
                if path.suffix == ".py" and path.parent.name != "bin":  # programs are not kept
                    found = pathlib.Path(importlib.util.cache_from_source(str(path)))
                    flag = found.read_bytes()[4] if found.exists() else None
                    flags.setdefault(str(flag), []).append(str(path))
        print(json.dumps({flag: sorted(paths) for flag, paths in flags.items()}))
    """
    flags = python(IMAGES[target], code)
    assert "None" not in flags
    # The base image may have compiled its own standard library, by time.
    assert not [path for path in flags.get("0", ()) if path.startswith("/opt/podline")]
    assert len([path for path in flags["1"] if path.startswith("/opt/podline/code/")]) > 50


@every_image
def test_no_compiler_is_inside(target: str, run: Any) -> None:
    script = "for name in cc gcc c++ clang ld make; do command -v $name; done; true"
    assert run(IMAGES[target], "sh", "-c", script) == ""


def test_a_read_only_root_needs_one_folder(python: Any) -> None:
    code = """if True:
        import json, tempfile
        import matplotlib.pyplot as plt
        from IPython.core.interactiveshell import InteractiveShell
        InteractiveShell.instance().run_cell("x = 1")
        plt.plot([1])
        plt.savefig("/tmp/figure.png")
        print(json.dumps(tempfile.mkdtemp().split("/")[:3]))
    """
    context = pod(BASE)["spec"]["containers"][0]["securityContext"]
    spec = {
        "container": {
            "securityContext": context | {"readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "scratch", "mountPath": "/home/podline"}],
        },
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    assert python(BASE, code, **spec) == ["", "home", "podline"]


def test_the_namespace_refuses_what_is_not_restricted(core: Any, namespace: str) -> None:
    from kubernetes.client.exceptions import ApiException

    body = pod(BASE, "true")
    del body["spec"]["securityContext"]
    with pytest.raises(ApiException, match="violates PodSecurity .*restricted"):
        core.create_namespaced_pod(namespace, body)
