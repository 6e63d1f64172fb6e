"""A device's connection to its edge, by the Open Inference Protocol."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from podline.exceptions import PodlineError
from podline.iot.device import Reading, Value
from podline.models.signature import TensorSpec

_SECONDS = 10.0  # until an answer is given up


class EdgeUnreachable(PodlineError):
    """An edge does not answer, or refuses."""


@dataclass(frozen=True)
class Answer:
    """What an edge says.

    Attributes:
        version: the one that answered.
        outputs: by name, flat.
        seconds: how long it took.
    """

    version: int
    outputs: Mapping[str, Sequence[float]]
    seconds: float


@dataclass
class EdgeClient:
    """Asks a model at an edge.

    Attributes:
        url: the edge's address.
        model: the model's name.
    """

    url: str
    model: str
    _http: httpx.Client = field(init=False, repr=False)
    _takes: TensorSpec | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(
            base_url=f"{self.url.rstrip('/')}/v2/models/{self.model}", timeout=_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def version(self) -> int:
        """The version that answers; what it takes is known from then on.

        Raises:
            EdgeUnreachable: the edge does not answer, or has no such model.
        """
        said = self._send("GET", "")
        (described,) = said["inputs"][:1]
        columns = described.get("parameters", {}).get("columns", ())
        shape = tuple(described["shape"])
        self._takes = TensorSpec(described["name"], described["datatype"], shape, tuple(columns))
        return int(said["versions"][0])

    def ask(self, reading: Reading) -> Answer:
        """Ask about a reading.

        A version that was swapped in meanwhile may take other columns: then it is asked anew.

        Raises:
            EdgeUnreachable: the edge does not answer, or refuses.
            DeviceError: the device does not have what the model takes.
        """
        known = self._takes
        if known is None:
            self.version()
        try:
            return self._infer(reading)
        except EdgeUnreachable:
            self.version()
            if self._takes == known:
                raise
            return self._infer(reading)

    def tell(self, version: int, answer: Value, truth: Value) -> None:
        """Tell the edge what was true; that it does not hear it changes nothing for the device.

        Args:
            version: that had answered.
            answer: what it had said.
            truth: what was true.
        """
        said = {"model": self.model, "version": version, "answers": [answer], "labels": [truth]}
        with suppress(httpx.HTTPError):
            self._http.post(f"{self.url.rstrip('/')}/feedback", json=said)

    def _infer(self, reading: Reading) -> Answer:
        assert self._takes is not None
        row = reading.row(self._takes)
        tensor = {
            "name": self._takes.name,
            "datatype": self._takes.datatype,
            "shape": [*row.shape],
            "data": row.ravel().tolist(),
        }
        began = time.perf_counter()
        said = self._send("POST", "/infer", json={"inputs": [tensor]})
        seconds = time.perf_counter() - began
        outputs = {output["name"]: output["data"] for output in said["outputs"]}
        return Answer(int(said["model_version"]), outputs, seconds)

    def _send(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **sent)
            said: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise EdgeUnreachable(
                f"the edge does not answer at {self.url}: {error or type(error).__name__}. fix: "
                f"start it (`podline edge serve {self.model}`), or give its address with --url"
            ) from None
        if not answer.is_success:
            raise EdgeUnreachable(
                f"the edge at {self.url} refuses: {said.get('error', answer.reason_phrase)}"
            )
        return said
