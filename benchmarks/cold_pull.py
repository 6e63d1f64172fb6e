"""What a cold node adds to a stage's start: its image pulled over a link of 100 Mbit/s, or of none.

Pods pull from a registry of this machine through a relay that lets so many bits a second pass. The
node forgets podline's images before each pull: layers of those that run stay, so begin with a
cluster in which none does. Afterwards the node has none of them. Needs KUBECONFIG, and in
PODLINE_CLUSTER_CTL a command that removes images from the node as `forget NAME`.
"""

import argparse
import itertools
import os
import random
import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.report import print_last_line, summary
from podline import __version__
from tests.support.namespaces import connect, own_namespace

ROOT = Path(__file__).parents[1]
NAMES = ("podline-stage", "podline-stage-tensorflow")
_RATES = {"100 Mbit/s": 100e6, "no limit": float("inf")}
_FAILED = ("ErrImagePull", "ImagePullBackOff")
_BLOCK = 1 << 16


class SlowRelay:
    """Passes connections on to a registry; what comes back shares a link.

    Attributes:
        rate: of that link, in bits a second.
        passed: bytes that came back.
        address: where it listens.
    """

    def __init__(self, registry: str) -> None:
        host, _, port = registry.partition(":")
        self.rate, self.passed = float("inf"), 0
        self._target, self._lock, self._free = (host, int(port)), threading.Lock(), 0.0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            far = socket.create_connection(self._target)
            for ends in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                if back:
                    self._wait(len(data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _wait(self, size: int) -> None:
        """Until the link has had time for so many bytes more."""
        with self._lock:
            now = time.monotonic()
            self._free = max(self._free, now) + size * 8 / self.rate
            self.passed += size
            wait = self._free - now
        time.sleep(wait)


def start(core: Any, namespace: str, image: str, policy: str) -> float:
    """Seconds from a pod's creation until its container runs.

    Raises:
        SystemExit: it cannot be pulled.
    """
    container = {"name": "stage", "image": image, "command": ["true"], "imagePullPolicy": policy}
    name = f"pull-{secrets.token_hex(4)}"
    spec = {"restartPolicy": "Never", "containers": [container]}
    began = time.perf_counter()
    core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
    while (pod := core.read_namespaced_pod_status(name, namespace)).status.phase == "Pending":
        for of in pod.status.container_statuses or ():
            if of.state.waiting and of.state.waiting.reason in _FAILED:
                sys.exit(f"{image} cannot be pulled: {of.state.waiting.message}")
        time.sleep(0.05)
    return time.perf_counter() - began


def forget(images: list[str]) -> None:
    """Have the node remove images; those that it has not are no fault."""
    command = shlex.split(os.environ["PODLINE_CLUSTER_CTL"])
    for image in images:
        subprocess.run([*command, "forget", image], check=False, capture_output=True)


def main() -> None:
    """Measure in turns, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=6, help="pulls of each image and rate (6)")
    parser.add_argument(
        "--registry", required=True, help="HOST:PORT/PREFIX of this machine, which has the images"
    )
    given = parser.parse_args()
    core = connect()
    if core is None or not os.environ.get("PODLINE_CLUSTER_CTL"):
        sys.exit("This needs a cluster in KUBECONFIG, and PODLINE_CLUSTER_CTL to forget images.")
    host, _, prefix = given.registry.partition("/")
    relay = SlowRelay(host)
    pulled = {name: f"{relay.address}/{prefix}/{name}:{__version__}" for name in NAMES}
    listed = ["make", "--silent", "image-names"]
    loaded = subprocess.check_output(listed, cwd=ROOT, text=True).split()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with own_namespace(core, "podline-bench", "baseline") as namespace:
        for name, rate in (arm for _ in range(given.n) for arm in _shuffled()):
            forget([*pulled.values(), *loaded])
            relay.rate, relay.passed = _RATES[rate], 0
            cold = start(core, namespace, pulled[name], "Always")
            warm = start(core, namespace, pulled[name], "IfNotPresent")
            of = found[f"{name}, {rate}"]
            of["cold_s"].append(cold)
            of["warm_s"].append(warm)
            of["bytes"].append(relay.passed)
            print(f"{name}, {rate}: {cold:.1f} s cold, {warm:.2f} s warm", flush=True)
        forget(list(pulled.values()))
    print_last_line(
        "cold-pull",
        given.n,
        {},
        pulls={
            arm: {what: summary(values) for what, values in of.items()} for arm, of in found.items()
        },
        samples=found,
    )


def _shuffled() -> list[tuple[str, str]]:
    return random.sample(list(itertools.product(NAMES, _RATES)), len(NAMES) * len(_RATES))


if __name__ == "__main__":
    main()
