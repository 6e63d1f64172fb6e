"""How fast the images are: built again after a change of podline's code, and started in a pod.

The change is made in a copy of what the images are built from. The start is that of
`python -m podline.runner` on an empty task: the interpreter, all imports of our own, and the end.
It needs a builder, and the cluster of KUBECONFIG with the images of `make images`.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import asked, goal, print_last_line, summary
from podline import __version__
from tests.support.namespaces import connect

ROOT = Path(__file__).parents[1]
NAMES = ("podline-stage", "podline-stage-tensorflow")
REBUILD_LIMIT = 10.0  # seconds, all images
START_LIMIT = 0.2  # seconds
_STARTS = """
import json, subprocess, sys, time
command = [sys.executable, "-m", "podline.runner"]
seconds = []
for _ in range(int(sys.argv[1]) + 1):
    start = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds[1:]))
"""


def rebuilds(n: int) -> list[float]:
    """Build all images after each of `n` changes of the code; returns the seconds of each."""
    builder = next(filter(shutil.which, ("buildah", "podman", "docker")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in ("Makefile", "pyproject.toml", "requirements.txt", ".dockerignore"):
            shutil.copy(ROOT / path, folder / path)
        for path in ("images", "plugins/podline"):
            shutil.copytree(ROOT / path, folder / path)
        seconds = []
        for _ in range(n + 1):
            start = time.perf_counter()
            build = ["make", "images", f"BUILDER={builder}", "IMAGE_PREFIX=bench/"]
            subprocess.run(build, cwd=folder, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
            with (folder / "plugins/podline/runner/runner.py").open("a") as file:
                file.write(f"# {secrets.token_hex(8)}\n")
        named = ["make", "--silent", "image-names", "IMAGE_PREFIX=bench/"]
        names = subprocess.check_output(named, cwd=folder, text=True).split()
        subprocess.run([builder, "rmi", *names], check=True, capture_output=True)
    return seconds[1:]


def starts(image: str, n: int) -> list[float]:
    """Start the runner `n` times in a pod; returns the seconds of each."""
    core = connect()
    if core is None:
        sys.exit("This needs a Kubernetes cluster: set KUBECONFIG to the file that names it.")
    container = {
        "name": "stage",
        "image": image,
        "command": ["python", "-c", _STARTS, str(n)],
        "imagePullPolicy": "Never",
    }
    name = f"bench-{secrets.token_hex(4)}"
    spec = {"restartPolicy": "Never", "containers": [container]}
    core.create_namespaced_pod("default", {"metadata": {"name": name}, "spec": spec})
    try:
        while (phase := core.read_namespaced_pod_status(name, "default").status.phase) in (
            "Pending",
            "Running",
        ):
            time.sleep(0.2)
        log = core.read_namespaced_pod_log(name, "default", _preload_content=False).data.decode()
        if phase != "Succeeded":
            sys.exit(f"{image}: {log}")
        seconds: list[float] = json.loads(log)
        return seconds
    finally:
        core.delete_namespaced_pod(name, "default")


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 10, "rebuilds, twice as many starts")
    started: dict[str, Any] = {name: starts(f"{name}:{__version__}", 2 * n) for name in NAMES}
    built = rebuilds(n)
    for name, seconds in started.items():
        print(f"{name}: the runner starts in {summary(seconds)['median']:.3f} s")
    print(f"all images after a change of the code: {summary(built)['median']:.1f} s")
    slowest = max(summary(seconds)["median"] for seconds in started.values())
    print_last_line(
        "images",
        n,
        {
            "start_s": goal(slowest, START_LIMIT),
            "rebuild_s": goal(summary(built)["median"], REBUILD_LIMIT),
        },
        start_s={name: summary(seconds) for name, seconds in started.items()},
        rebuild_s=summary(built),
        samples={"start": started, "rebuild": built},
    )


if __name__ == "__main__":
    main()
