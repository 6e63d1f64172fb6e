"""A replay: a device asks its edge, tells it what was true, and starts the pipeline on drift."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from podline.airflow_api import ApiError
from podline.iot.device import Device, Reading
from podline.iot.drift import Drift
from podline.iot.edge_client import Answer, EdgeClient, EdgeUnreachable
from podline.iot.journal import Event, Journal, Observation
from podline.iot.retraining import Retraining

_LOOK = 0.5  # seconds between two looks while the device's time is held


@dataclass(frozen=True)
class _Asked:
    """A reading, and what the edge said; or why it did not."""

    reading: Reading
    answer: Answer | None
    failure: str = ""


@dataclass
class Replay:
    """Replays a device.

    Attributes:
        device: the device.
        edge: its edge.
        journal: where what it sees is kept.
        drift: the errors of the last forecasts.
        expected: gives the error of a version's own evaluation, None if it has none.
        retraining: what is started on drift; None: nothing is.
        speed: times as fast as in reality; 0: as fast as the edge answers.
        hold: seconds for which the device's time stands still at most while the pipeline makes
            another version: in reality it has all the time until the next reading.
        say: told each record.
    """

    device: Device
    edge: EdgeClient
    journal: Journal
    drift: Drift
    expected: Callable[[int], float | None]
    retraining: Retraining | None = None
    speed: float = 0.0
    hold: float = 0.0
    say: Callable[[Observation | Event], None] = lambda record: None
    _version: int = field(init=False, default=0)
    _is_reachable: bool = field(init=False, default=True)
    _drifting: int = field(init=False, default=0)  # the version of which that was said

    def run(self) -> None:
        """Replay until the recordings end.

        Raises:
            DeviceError: the device cannot be replayed, or does not have what the model takes.
            StoreError: what was seen cannot be kept.
        """
        waiting: deque[_Asked] = deque()  # for their truth
        began, first = time.monotonic(), None
        for reading in self.device.readings():
            first = first or reading.time
            while waiting and waiting[0].reading.known <= reading.time:
                self._settle(waiting.popleft())
            if self.speed:
                due = began + (reading.time - first).total_seconds() / self.speed
                time.sleep(max(0.0, due - time.monotonic()))
            waiting.append(self._ask(reading))
        for asked in waiting:
            self._settle(asked)

    def _ask(self, reading: Reading) -> _Asked:
        try:
            answer = self.edge.ask(reading)
        except EdgeUnreachable as error:
            if self._is_reachable:
                self._note(reading.time, "failure", str(error))
            self._is_reachable = False
            return _Asked(reading, None, str(error))
        self._is_reachable = True
        if answer.version != self._version:
            before, self._version = self._version, answer.version
            text = f"version {answer.version} answers" + (f", before {before}" if before else "")
            self._note(reading.time, "version", text)
        return _Asked(reading, answer)

    def _settle(self, asked: _Asked) -> None:
        """Take in what was true."""
        reading, answer, device, drift = asked.reading, asked.answer, self.device, self.drift
        value, version, seconds = None, 0, 0.0
        if answer:
            value, version, seconds = device.answer(answer.outputs), answer.version, answer.seconds
            loss = device.loss(value, reading.truth)
            baseline = device.loss(reading.baseline, reading.truth)
            drift.see(version, loss, baseline, lambda: self.expected(version))
            self.edge.tell(version, value, reading.truth)
        error = None if drift.mean is None else device.error(drift.mean)
        observation = Observation(
            time=reading.time.isoformat(),
            known=reading.known.isoformat(),
            answer=value,
            truth=reading.truth,
            baseline=reading.baseline,
            version=version,
            seconds=round(seconds, 6),
            error=error,
            baseline_error=None if drift.baseline is None else device.error(drift.baseline),
            expected=drift.expected,
            failure=asked.failure,
        )
        self.journal.write(observation)
        self.say(observation)
        if answer:
            self._follow(reading.known, error)

    def _follow(self, now: datetime, error: float | None) -> None:
        """Say when an error is beyond the threshold, and start the pipeline then."""
        drift = self.drift
        if error is None or not drift.is_beyond(error):
            return
        why = (
            f"the error of version {drift.version} is {error:.3f} {self.device.unit} over "
            f"{drift.window} readings, {error / (drift.expected or error):.2f} times what its "
            "evaluation found"
        )
        if drift.version != self._drifting:  # once is enough
            self._drifting = drift.version
            self._note(now, "drift", why)
        if self.retraining:
            self._retrain(self.retraining, now, why)

    def _retrain(self, retraining: Retraining, now: datetime, why: str) -> None:
        try:
            started = retraining.start(now, why)
        except ApiError as failure:
            self._note(now, "failure", str(failure))
            return
        if started:
            self._note(now, "pipeline", started)
            self._wait(retraining, now)

    def _wait(self, retraining: Retraining, now: datetime) -> None:
        """Let the device's time stand still until another version answers."""
        end = time.monotonic() + self.hold
        while time.monotonic() < end:
            try:
                if self.edge.version() != self._version:
                    return
                if retraining.has_failed():
                    self._note(now, "failure", "the pipeline's run failed: see its log in Airflow")
                    return
            except (EdgeUnreachable, ApiError):
                pass  # it is asked again
            time.sleep(_LOOK)

    def _note(self, when: datetime, event: str, text: str) -> None:
        note = Event(when.isoformat(), event, text, self._version)
        self.journal.write(note)
        self.say(note)
