"""Changes a delay link that lies, from any process of this machine that may."""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podline_studies.uploads.delay_link import LinkError, LinkSpec

_SILENCE = 10.0  # seconds


@dataclass(frozen=True)
class Link:
    """A delay link, by the socket of its process."""

    control: Path

    def set(self, spec: LinkSpec) -> None:
        """Have packets from now on take a link of this kind."""
        self._tell({"spec": asdict(spec)})

    def cut(self, seconds: float) -> None:
        """Lose all packets for so long."""
        self._tell({"cut": seconds})

    def stats(self) -> dict[str, Any]:
        """How late packets were (seconds), and how many passed and were lost, since last asked."""
        return self._tell({"stats": True})

    def _tell(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SILENCE)
                connection.connect(str(self.control))
                connection.sendall(json.dumps(command).encode())
                found: dict[str, Any] = json.loads(connection.recv(65536))
                return found
        except (OSError, ValueError) as error:
            raise LinkError(
                f"the delay link at {self.control} does not answer ({error}): lay it, or lay it "
                "anew"
            ) from None
