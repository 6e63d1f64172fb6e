"""What a cold node adds to a stage's start: its image pulled over a link of 100 Mbit/s, or of none.

Pods pull from a registry of this machine through a relay that lets so many bits a second pass. Each
image is copied there as one layer, which the node shares with no other image, and forgets before
each pull. Needs buildah, KUBECONFIG, and in PODLINE_CLUSTER_CTL a command that removes images from
the node as `forget NAME`.
"""

import argparse
import itertools
import os
import random
import secrets
import shlex
import subprocess
import sys
import threading
import time
from collections import defaultdict
from typing import Any

from benchmarks.report import print_last_line, summary
from podline import __version__
from tests.support.namespaces import connect, own_namespace
from tests.support.relay import Relay
from tests.support.waiting import until

NAMES = ("podline-stage", "podline-stage-tensorflow")
_RATES = {"100 Mbit/s": 100e6, "no limit": float("inf")}
_FAILED = ("ErrImagePull", "ImagePullBackOff")
_LAYER = 1e6  # bytes: what is less was a manifest


class SlowRelay(Relay):
    """Passes connections on to a registry; what comes back shares a link.

    Attributes:
        rate: of that link, in bits a second.
        passed: bytes that came back.
    """

    def __init__(self, registry: str) -> None:
        self.rate, self.passed = float("inf"), 0
        self._lock, self._free = threading.Lock(), 0.0
        host, _, port = registry.partition(":")
        super().__init__("127.0.0.1", (host, int(port)))

    def forwarded(self, data: bytes, back: bool) -> bytes:
        """What comes back once the link has had time for it."""
        if back:
            with self._lock:
                now = time.monotonic()
                self._free = max(self._free, now) + len(data) * 8 / self.rate
                self.passed += len(data)
                wait = self._free - now
            time.sleep(wait)
        return data


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
    seconds = time.perf_counter() - began
    core.delete_namespaced_pod(name, namespace)  # or the node keeps its image
    until(lambda: not core.list_namespaced_pod(namespace).items, 120)
    return seconds


def cold_start(core: Any, namespace: str, image: str, relay: SlowRelay) -> float:
    """The seconds of a start whose image came through the relay.

    The node may keep layers for some time after the last pod of an image is gone.
    """
    while True:
        forget(image)
        relay.passed = 0
        seconds = start(core, namespace, image, "Always")
        if relay.passed > _LAYER:
            return seconds


def copy(image: str, to: str) -> None:
    """Copy an image to a registry, as one layer."""
    command = ["buildah", "from", "--pull-never", image]
    container = subprocess.check_output(command, text=True).strip()
    try:
        options = ["--quiet", "--squash", "--tls-verify=false"]
        subprocess.run(["buildah", "commit", *options, container, f"docker://{to}"], check=True)
    finally:
        subprocess.run(["buildah", "rm", container], check=True, capture_output=True)


def forget(image: str) -> None:
    """Have the node remove an image; one that it has not is no fault."""
    command = shlex.split(os.environ["PODLINE_CLUSTER_CTL"])
    subprocess.run([*command, "forget", image], check=False, capture_output=True)


def main() -> None:
    """Measure in turns, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=6, help="pulls of each image and rate (6)")
    parser.add_argument("--registry", required=True, help="HOST:PORT of this machine, without TLS")
    given = parser.parse_args()
    core = connect()
    if core is None or not os.environ.get("PODLINE_CLUSTER_CTL"):
        sys.exit("This needs a cluster in KUBECONFIG, and PODLINE_CLUSTER_CTL to forget images.")
    relay = SlowRelay(given.registry)
    pulled = {name: f"{relay.address}/bench/{name}:{__version__}" for name in NAMES}
    for name in NAMES:
        copy(f"{name}:{__version__}", f"{given.registry}/bench/{name}:{__version__}")
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with own_namespace(core, "podline-bench", "baseline") as namespace:
        for name, rate in (arm for _ in range(given.n) for arm in _shuffled()):
            relay.rate = _RATES[rate]
            cold = cold_start(core, namespace, pulled[name], relay)
            found[f"{name}, {rate}"]["bytes"].append(relay.passed)
            warm = start(core, namespace, pulled[name], "IfNotPresent")
            of = found[f"{name}, {rate}"]
            of["cold_s"].append(cold)
            of["warm_s"].append(warm)
            print(f"{name}, {rate}: {cold:.1f} s cold, {warm:.2f} s warm", flush=True)
        for image in pulled.values():
            forget(image)
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
