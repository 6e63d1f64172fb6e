"""Looks all pins up among the known vulnerabilities: ``python -m docs.advisories``.

It ends with 1 where one is known, and with 2 where PyPI's advisories are not to be had: an index
that knows of no vulnerability at all is told by one of which there is.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from docs import shipped, tool

CONTROL = ("jinja2", "2.10")  # CVE-2019-10906
_SECONDS = 25.0  # for each of two questions


class Unreached(Exception):
    """No advisories are to be had; the text says why."""


def known(pins: Iterable[tuple[str, str]]) -> list[str]:
    """What is known of some releases: a line for each vulnerability.

    Raises:
        Unreached: nothing is known of any, since nobody answered.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("".join(f"{name}=={version}\n" for name, version in pins))
        options = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json")
        try:
            done = tool.run(
                "pip-audit==2.10.1", "pip-audit", *options, "-r", str(file), seconds=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise Unreached(f"no answer in {_SECONDS:.0f} s") from None
    if not done.stdout:
        raise Unreached(done.stderr.strip().rpartition("\n")[2])
    answers = json.loads(done.stdout)["dependencies"]
    if skipped := [one for one in answers if "skip_reason" in one]:
        raise Unreached(skipped[0]["skip_reason"])
    return [
        f"{one['name']} {one['version']}: {found['id']}, mended in {found['fix_versions']}"
        for one in answers
        for found in one["vulns"]
    ]


def main() -> int:
    """Say what is known of the pins; returns the exit code."""
    try:
        if not known([CONTROL]):
            raise Unreached(f"the index knows nothing of {'=='.join(CONTROL)}, which has one")
        pins = shipped.pinned()
        found = known(pins)
    except Unreached as error:
        print(f"No vulnerabilities were looked for: PyPI's advisories are not reached ({error})")
        return 2
    print(*found, f"{len(found)} known vulnerabilities in {len(pins)} packages", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
