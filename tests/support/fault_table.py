"""What the published table says of a fault that has happened."""

import re
from textwrap import shorten

import pytest

from docs import reliability
from tests.support.fault_list import PUBLISHED, Published
from tests.support.faults import Sentence


def publish(
    what: Published,
    namespace: str,
    first: Sentence | None,
    injected: float,
    request: pytest.FixtureRequest,
) -> None:
    """Write what the published table says of a fault.

    Args:
        what: its name, and what holds.
        namespace: of its pods, which is another each time.
        first: what the user reads of it first.
        injected: when it happened (epoch).
        request: pytest's, of the test.
    """
    row = reliability.Row(
        fault=what.fault,
        sentence=plain(first.text, namespace) if first else "",
        seconds=f"{first.at - injected:.1f}" if first else "",
        guarantee=what.guarantee,
        test=re.sub(r"\[.*", "", request.node.nodeid),
    )
    reliability.keep(row, [one.fault for one in PUBLISHED])


def plain(text: str, namespace: str) -> str:
    """A sentence without what is another each time: addresses, and names of this run."""
    text = re.sub(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?", "ADDRESS", " ".join(text.split()))
    text = text.replace(namespace, "NAMESPACE")
    text = re.sub(r"\b(three|fifty|household-power)-[\w-]+", "POD", text)
    text = re.sub(r"(\.svc\.cluster\.local):\d+", r"\1:PORT", text)
    text = re.sub(r"\bmanual__[^/\s]+", "RUN", text)
    text = re.sub(r"\b\d+-[0-9a-f]{16}\b", "TRY", text)
    return shorten(text, 300, placeholder=" …")
