"""Publishing a model: one call in a notebook makes an immutable version in the object store."""

import json
import math
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from podline.contract import PublishedVersion
from podline.exceptions import PodlineError
from podline.frameworks import versions
from podline.models import formats as forms
from podline.models import lineage
from podline.models.aliases import CHAMPION, LATEST, Alias, now
from podline.models.conversion import SMALLER, Evaluate, serve
from podline.models.manifest import SERIALISE, UPLOAD, Manifest
from podline.models.registry import Model, VersionGone, check_name, check_team
from podline.store import keys, open_store
from podline.store.upload import Progress

Mode = Literal["min", "max"]

_SHOWN_AFTER = 5.0  # seconds that storing takes
_LIBRARIES = ("keras", "tensorflow", "sklearn", "skops", "numpy", "pandas", "tf2onnx", "skl2onnx")


class PublishError(PodlineError):
    """A model cannot be published."""


@dataclass(frozen=True)
class Version:
    """A published version: its manifest's key says the rest."""

    name: str
    number: int
    manifest: str

    def __repr__(self) -> str:
        return f"{self.name} version {self.number} ({self.manifest})"


def publish(
    model: Any,
    name: str,
    *,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
    formats: Sequence[str] = (),
    example: Any = None,
    edge: Sequence[str] = (),
    evaluate: Evaluate | None = None,
    monitor: str = "",
    mode: Mode = "min",
    worse: Literal["refuse", "allow"] = "refuse",
    promote: bool = False,
) -> Version:
    """Publish a model as the next version of its name, which the alias ``latest`` then means.

    The files go first and the manifest last, by a conditional put: a version is complete or not
    there. Of two publishers at once each gets a number of its own.

    Args:
        model: a Keras model, a scikit-learn estimator, or the path of a file that is a model:
            ``.keras``, ``.tflite``, ``.onnx``, ``.skops``, or the folder of a SavedModel.
        name: the model's name.
        metrics: numbers that say how good it is.
        parameters: what it was made from; plain values.
        formats: of a Keras model ``keras`` (the default), ``savedmodel``, ``tflite`` and ``onnx``,
            of an estimator ``skops`` (the default) and ``onnx``: all that are named.
        example: rows of the model's input, where ONNX needs them: of columns of several types. The
            first of them, with the model's answers, are what an edge tries a version with.
        edge: smaller forms for an edge, ``float16`` or ``int8``: its server takes the first one.
        evaluate: gives metrics for a function that answers rows as the model's `predict` does; by
            them the smaller forms are compared with the model.
        monitor: the metric by which it is compared with the version that is the champion.
        mode: whether that is better when smaller (``min``) or greater (``max``).
        worse: what to do with a model that is worse: ``refuse`` or ``allow``.
        promote: whether the model, unless it is worse, becomes the champion.

    Raises:
        PublishError: the model is worse than the champion, a value is not plain, or an argument
            cannot be used.
        RegistryError: the model cannot be called so, or not by the team whose key this is.
        FormatError: the model has no such format, or none that is safe.
        ConversionError: a form for an edge answers otherwise than the model.
        StoreError: the store cannot be used.
    """
    check_name("a model", name)
    bar = _Bar(monitor, mode, dict(metrics or {})) if monitor or promote else None
    smaller = _smaller(edge, evaluate)
    store = open_store()
    check_team(store.connection.team, name)
    entry = Model(store, name)
    if bar and worse == "refuse":
        bar.check(entry)
    with tempfile.TemporaryDirectory(prefix="podline-publish-") as folder:
        began = time.perf_counter()
        written = forms.write(model, Path(folder), formats, example, onnx=bool(smaller))
        served = serve(model, Path(folder), written, example, smaller, evaluate)
        written |= {form.name: form.path for form in served.forms} if served else {}
        draft = Manifest(
            name=name,
            version=0,
            created=now(),
            type=forms.type_of(model),
            formats=written,
            files=(),
            metrics=_numbers(name, metrics or {}),
            parameters=_plain_values(name, parameters or {}),
            origin=lineage.current(),
            libraries=versions(_LIBRARIES),
            seconds={SERIALISE: _since(began)},
            signature=served.signature if served else None,
            sample=served.sample if served else "",
            served=served.forms if served else (),
        )
        made = _store(entry, draft, Path(folder))
    version = Version(name, made.version, keys.manifest_key(name, made.version))
    lineage.published.append(PublishedVersion(name, made.version))
    by_hand = not lineage.in_stage()  # there the operator signs and tells, who knows the run
    if by_hand:
        from podline.models import mlflow_tracking, signing

        signing.sign(entry.store, made)
    _move_aliases(entry, made.version, bar if promote else None)
    if by_hand:
        mlflow_tracking.log(made, entry.store)
    return version


class _Bar:
    """What a model must reach: the champion, by one metric."""

    def __init__(self, monitor: str, mode: Mode, metrics: dict[str, float]) -> None:
        if not monitor:
            raise PublishError("promote=True needs a metric to compare with: give monitor=")
        if mode not in ("min", "max"):
            raise PublishError(f"mode={mode!r}: give 'min' or 'max'")
        if monitor not in metrics:
            known = ", ".join(metrics) or "none"
            raise PublishError(f"monitor={monitor!r} is none of the metrics: there are {known}")
        self.monitor, self.mode, self.value = monitor, mode, float(metrics[monitor])

    def check(self, entry: Model) -> None:
        """Refuse a model that does not reach it.

        Raises:
            PublishError: it does not.
        """
        champion = entry.aliases.get(CHAMPION)
        if champion is None or self.reached(entry, champion):
            return
        best = entry.version(champion.version)
        found = f"version {champion.version} has {best.metrics.get(self.monitor, 'none')}"
        raise PublishError(
            f"{entry.name} would be worse than its champion: {self.monitor} is {self.value}, and "
            f"{found}. fix: publish it with worse='allow', or promote another champion"
        )

    def reached(self, entry: Model, champion: Alias | None) -> bool:
        """Whether the model is no worse than a champion; where there is none, it is not."""
        if champion is None:
            return True
        try:
            best = entry.version(champion.version).metrics.get(self.monitor, math.nan)
        except VersionGone:
            return True
        return self.value <= best if self.mode == "min" else self.value >= best


def _smaller(edge: Sequence[str], evaluate: Evaluate | None) -> list[str]:
    """The smaller forms that are asked for."""
    found = [edge] if isinstance(edge, str) else [*edge]
    if unknown := [name for name in found if name not in SMALLER]:
        raise PublishError(f"edge={unknown[0]!r}: give some of {', '.join(SMALLER)}")
    if found and evaluate is None:
        raise PublishError(
            f"edge={found[0]!r} changes what the model answers: give evaluate=, a function that "
            "gives metrics for a function like the model's predict"
        )
    return found


def _move_aliases(entry: Model, number: int, bar: _Bar | None) -> None:
    entry.promote_if(LATEST, number, lambda latest: latest is None or latest.version < number)
    if bar:
        entry.promote_if(CHAMPION, number, lambda champion: bar.reached(entry, champion))


def _store(entry: Model, draft: Manifest, folder: Path) -> Manifest:
    """Store the files and then the manifest, under a number of their own."""
    number = entry.claim()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    began = time.perf_counter()
    with _shown(f"{entry.name} version {number}", paths) as progress:
        files = entry.add_files(number, folder, paths, progress)
    seconds = {**draft.seconds, UPLOAD: _since(began)}
    made = replace(draft, version=number, files=tuple(files), seconds=seconds)
    entry.complete(made)
    return made


@contextmanager
def _shown(title: str, paths: Sequence[Path]) -> Iterator[Progress]:
    """A bar of what is stored, where that takes long."""
    from tqdm import tqdm

    total = sum(path.stat().st_size for path in paths)
    lock = threading.Lock()
    with tqdm(desc=title, total=total, unit="B", unit_scale=True, delay=_SHOWN_AFTER) as bar:

        def progress(sent: int) -> None:
            with lock:
                bar.update(sent)

        yield progress


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)


def _numbers(name: str, metrics: Mapping[str, float]) -> dict[str, float]:
    found = {key: float(value) for key, value in metrics.items()}
    if wrong := [key for key, value in found.items() if not math.isfinite(value)]:
        raise PublishError(
            f"the metric {wrong[0]!r} of {name!r} is {found[wrong[0]]}: a metric is a finite "
            "number. fix: find out why, or leave it out"
        )
    return found


def _plain_values(name: str, parameters: Mapping[str, Any]) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(json.dumps(dict(parameters), default=_plain))
    except TypeError as error:
        raise PublishError(
            f"the parameters of {name!r} hold what is no plain value: {error}. fix: give numbers, "
            "texts, lists and dicts"
        ) from None
    return found


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's own."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


__all__ = ["PublishError", "Version", "publish"]
