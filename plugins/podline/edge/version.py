"""A version of a model that is loaded: tried with its sample, and answering requests."""

import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from podline.edge.protocol import Tensors
from podline.exceptions import PodlineError
from podline.fleet.latencies import bucket
from podline.models import runtimes, sample
from podline.models.manifest import Manifest, ServedForm
from podline.models.sample import is_finite
from podline.models.signature import Signature

_TRIALS = 3  # runs of the sample: the first ones of a runtime are slow
_REMEMBERED = 1000  # requests whose times are kept


class VersionRefused(PodlineError):
    """A version is not fit to serve."""


class LoadedVersion:
    """A version that answers.

    Args:
        manifest: what the version says of itself.
        form: the one that is loaded.
        runtime: what runs it.
    """

    def __init__(self, manifest: Manifest, form: ServedForm, runtime: runtimes.Runtime) -> None:
        self.manifest, self.form, self.runtime = manifest, form, runtime
        self.number, self.platform = manifest.version, _PLATFORMS[form.name]
        self.signature = signature_of(manifest)
        self._answers = [spec.name for spec in self.signature.outputs]
        self.run_seconds = 0.0  # that a run of the sample takes
        self.requests = self.errors = 0
        self.first_answer = 0.0  # when (epoch)
        self.times: deque[float] = deque(maxlen=_REMEMBERED)  # of requests, in seconds
        self.latencies: Counter[int] = Counter()  # of all of them

    def infer(self, inputs: Tensors) -> dict[str, Any]:
        """The outputs by name.

        Raises:
            InputError: the inputs are not what the model takes.
            RuntimeFailure: the model does not run.
        """
        self.signature.check(inputs)
        found = self.runtime.run(inputs)
        return {name: found[name] for name in self._answers}

    def answered(self, seconds: float) -> None:
        """Count a request."""
        self.requests += 1
        self.times.append(seconds)
        self.latencies[bucket(seconds)] += 1

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of its last requests was answered."""
        times = sorted(self.times)
        return times[min(len(times) - 1, int(share * len(times)))] if times else None

    def try_out(self, asked: sample.Sample) -> None:
        """Answer the sample, and compare the answers with the original model's.

        Raises:
            VersionRefused: they differ by more than the manifest allows.
            InputError: the model does not take the sample.
            RuntimeFailure: the model does not run.
        """
        times = []
        for _ in range(_TRIALS):
            began = time.perf_counter()
            found = self.infer(asked.inputs)
            times.append(time.perf_counter() - began)
        self.run_seconds = min(times)
        if not is_finite(found):
            raise VersionRefused(f"{self.manifest} answers NaN or infinity to its sample")
        apart = sample.difference(asked.outputs, found)
        if not apart <= self.form.tolerance:
            raise VersionRefused(
                f"{self.manifest} answers its sample otherwise than the model that was "
                f"published: by {apart:.2g} of its largest number, and "
                f"{self.form.tolerance:g} is allowed"
            )


def signature_of(manifest: Manifest) -> Signature:
    """What a version takes and answers.

    Raises:
        VersionRefused: it does not say.
    """
    if manifest.signature is None or not manifest.served or not manifest.sample:
        raise VersionRefused(
            f"{manifest} has no form that an edge serves: publish it with formats=['onnx'], or "
            "with edge="
        )
    return manifest.signature


def load(manifest: Manifest, folder: Path, threads: int) -> LoadedVersion:
    """Load a version whose files are there.

    Args:
        manifest: what it says of itself.
        folder: where its files are.
        threads: how many a request may use.

    Raises:
        VersionRefused: its form is not what its manifest says.
        RuntimeFailure: it cannot be loaded.
    """
    signature, form = signature_of(manifest), manifest.served[0]
    if form.name not in _PLATFORMS:
        raise VersionRefused(f"{manifest} is {form.name}, which this edge does not run")
    runtime = runtimes.load(folder / form.path, threads)
    for said, there in ((signature.inputs, runtime.inputs), (signature.outputs, runtime.outputs)):
        known = {spec.name: (spec.datatype, len(spec.shape)) for spec in there}
        for spec in said:
            if known.get(spec.name) != (spec.datatype, len(spec.shape)):
                raise VersionRefused(
                    f"{manifest} says that it has {spec}, and {form.path} has "
                    f"{', '.join(map(str, there))}"
                )
    return LoadedVersion(manifest, form, runtime)


_PLATFORMS = {
    "onnx": "onnx_onnxruntime",
    "onnx-float16": "onnx_onnxruntime",
    "onnx-int8": "onnx_onnxruntime",
    "tflite": "tflite_litert",
}
