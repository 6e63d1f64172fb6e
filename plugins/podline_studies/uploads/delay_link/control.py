"""Changes a delay link that lies, from any process of this machine that may."""

import socket
from dataclasses import dataclass
from pathlib import Path

from podline.contract import Json
from podline_studies.uploads.delay_link import LinkError, LinkSpec

_SILENCE = 10.0  # seconds
LONGEST = 65536  # bytes of a command or an answer, which are sent whole


@dataclass(frozen=True)
class Command(Json):
    """What a link's process is told.

    Attributes:
        spec: what the link is to be like from now on; None: as it is.
        cut: seconds for which all packets are lost.
        stats: whether to answer what happened since this was asked before.
    """

    spec: LinkSpec | None = None
    cut: float = 0.0
    stats: bool = False


@dataclass(frozen=True)
class LinkStats(Json):
    """What happened on a link, there and back.

    Attributes:
        late_p50_s, late_p99_s, late_max_s: how late packets were, in seconds; None: not known.
        segments_there, segments_back: how many came.
        lost_there, lost_back: of these, on the way.
        dropped_there, dropped_back: of these, before it: its queue was full.
        probes_there, probes_back, probes_dropped_there, probes_dropped_back: of those that came and
            of those dropped, the probes'; None: they were not told apart.
    """

    late_p50_s: float | None = None
    late_p99_s: float | None = None
    late_max_s: float | None = None
    segments_there: int = 0
    segments_back: int = 0
    lost_there: int = 0
    lost_back: int = 0
    dropped_there: int = 0
    dropped_back: int = 0
    probes_there: int | None = None
    probes_back: int | None = None
    probes_dropped_there: int | None = None
    probes_dropped_back: int | None = None


@dataclass(frozen=True)
class Link:
    """A delay link, by the socket of its process."""

    control: Path

    def lies(self) -> bool:
        """Whether its process answers."""
        try:
            self._tell(Command())
        except LinkError:
            return False
        return True

    def set(self, spec: LinkSpec) -> None:
        """Have packets from now on take a link of this kind."""
        self._tell(Command(spec=spec))

    def cut(self, seconds: float) -> None:
        """Lose all packets for so long."""
        self._tell(Command(cut=seconds))

    def stats(self) -> LinkStats:
        """What happened since this was asked before."""
        return self._tell(Command(stats=True))

    def _tell(self, command: Command) -> LinkStats:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SILENCE)
                connection.connect(str(self.control))
                connection.sendall(command.to_json().encode())
                return LinkStats.from_json(connection.recv(LONGEST))
        except (OSError, ValueError) as error:
            raise LinkError(
                f"the delay link at {self.control} does not answer ({error}): lay it, or lay it "
                "anew"
            ) from None
