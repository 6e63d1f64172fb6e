"""`podline edge simulate`: a device, its edge and the pipeline, put together."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from podline.airflow_api import Api
from podline.exceptions import PodlineError
from podline.iot import report
from podline.iot.device import Device, DeviceError
from podline.iot.drift import Drift
from podline.iot.edge_client import EdgeClient
from podline.iot.journal import Event, FileJournal, Journal, Observation, StoreJournal
from podline.iot.meter import Meter
from podline.iot.replay import Replay
from podline.iot.retraining import Retraining
from podline.iot.watch import Watch
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.store import Store


class Kind(StrEnum):
    """The devices."""

    METER = "meter"
    WATCH = "watch"


MODELS = {Kind.METER: Meter.model, Kind.WATCH: Watch.model}


@dataclass(frozen=True)
class Options:
    """What to replay, and what to do on drift.

    Attributes:
        kind: which device.
        url: the edge's address.
        model: that is asked; empty: the device's.
        first, last: the meter's hours; None: the notebook's held-out year.
        source: where the data is; empty: where `podline data` finds it.
        speed: times as fast as in reality; 0: as fast as the edge answers.
        window: readings over which an error is told; 0: the device's.
        threshold: times its evaluation's error from which on a version is drifting.
        dag, asset: what is run, or gets an event, then; empty: nothing.
        conf: the run's parameters, or what the event says.
        cool_down: seconds between two starts, at least; `hold`: for which the device waits.
        airflow, user: Airflow's address, and who asks.
        journal: the file of what is seen; None: objects of the store.
        report: the page to write; None: none.
    """

    kind: Kind
    url: str
    model: str = ""
    first: datetime | None = None
    last: datetime | None = None
    source: str = ""
    speed: float = 0.0
    window: int = 0
    threshold: float = 1.25
    dag: str = ""
    asset: str = ""
    conf: Mapping[str, Any] = field(default_factory=dict)
    cool_down: float = 3600.0
    hold: float = 0.0
    airflow: str = ""
    user: str = "admin"
    journal: Path | None = None
    report: Path | None = None


def simulate(
    options: Options, store: Store, say: Callable[[Observation | Event], None] = lambda record: None
) -> str:
    """Replay a device; returns where the journal is.

    Args:
        options: what to replay.
        store: where the models are.
        say: told each record as it comes.

    Raises:
        PodlineError: the edge, the model, the data or Airflow cannot be used.
    """
    name = options.model or MODELS[options.kind]
    model = Model(store, name)

    def expected(version: int) -> float | None:
        try:
            return device.expected(model.version(version))
        except PodlineError:  # it was removed, or is of another store
            return None

    with EdgeClient(options.url, name) as edge, closing(_journal(options, store, name)) as journal:
        device = _device(options, model.version(edge.version()))
        Replay(
            device,
            edge,
            journal,
            Drift(options.window or device.window, options.threshold),
            expected,
            _retraining(options),
            options.speed,
            options.hold,
            say,
        ).run()
        if options.report:
            report.write(options.report, [*journal.lines()], device.unit, options.threshold)
        return journal.where


def _device(options: Options, manifest: Manifest) -> Device:
    if options.kind is Kind.METER:
        return Meter(manifest, options.first, options.last, options.source)
    if options.first or options.last:
        raise DeviceError("only the meter can be replayed from one time to another")
    return Watch(manifest, source=options.source)


def _retraining(options: Options) -> Retraining | None:
    if not (options.dag or options.asset):
        return None
    api = Api.open(options.airflow, options.user)
    return Retraining(api, options.dag, options.asset, options.conf, options.cool_down)


def _journal(options: Options, store: Store, model: str) -> Journal:
    if options.journal:
        return FileJournal(options.journal)
    return StoreJournal(store, model, f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z")
