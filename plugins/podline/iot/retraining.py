"""Starting the pipeline anew: a run of a DAG, or an event of an asset, and not too often."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from podline.airflow_api import Api


@dataclass
class Retraining:
    """Starts a pipeline over Airflow's API.

    Attributes:
        api: Airflow's.
        dag: the DAG that is run; empty: none.
        asset: the asset of which an event is created; empty: none.
        conf: the run's parameters, or what the event says; ``{time}`` in a text is the device's.
        cool_down: seconds after a start in which there is no other one.
        clock: tells seconds.
    """

    api: Api
    dag: str = ""
    asset: str = ""
    conf: Mapping[str, Any] = field(default_factory=dict)
    cool_down: float = 3600.0
    clock: Callable[[], float] = time.monotonic
    _started: float | None = field(init=False, default=None)
    _run: str = field(init=False, default="")

    def start(self, at: datetime, why: str) -> str:
        """Start it, unless it was within the cool-down, or a run goes on.

        Args:
            at: the device's time.
            why: in words, for the run's note.

        Returns:
            What was done; empty: nothing, since it is too soon.

        Raises:
            ApiError: Airflow does not answer, or refuses.
        """
        now = self.clock()
        if self._started is not None and now < self._started + self.cool_down:
            return ""
        before, self._started = self._started, now  # what fails is not tried again at once either
        if self.dag and self.api.is_under_way(self.dag):
            self._started = before
            return ""
        conf = json.loads(json.dumps(dict(self.conf)).replace("{time}", f"{at:%Y-%m-%dT%H:%M:%S}"))
        if self.asset:
            self.api.create_event(self.asset, {**conf, "why": why})
            return f"created an event of the asset {self.asset}"
        self._run = self.api.start_run(self.dag, conf, why)
        return f"started {self.dag}, run {self._run}"

    def has_failed(self) -> bool:
        """Whether the run that was started has; of what an event started it is not known.

        Raises:
            ApiError: Airflow does not answer.
        """
        return bool(self._run) and self.api.run_state(self.dag, self._run) == "failed"
