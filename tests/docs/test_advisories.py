"""What pip-audit says of pins is told; that it knows nothing of any is not taken for good news."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from docs import advisories, shipped, tool

Answers = Callable[..., None]
KNOWN = {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2019-10906"]}
CONTROL = {"name": "jinja2", "version": "2.10", "vulns": [KNOWN]}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Has pip-audit answer in its format what an index would have it: a list a question."""

    def call(*lists: list[dict[str, Any]] | Exception) -> None:
        waiting = [*lists]

        def run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return subprocess.CompletedProcess(command, 0, json.dumps({"dependencies": answer}))

        monkeypatch.setattr(tool, "run", run)

    return call


def test_a_vulnerability_that_is_known_is_told(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    answers([CONTROL], [{**CONTROL, "name": "mine"}, {"name": "b", "version": "1", "vulns": []}])
    assert advisories.main() == 1
    told, summary = capsys.readouterr().out.splitlines()
    assert told == "mine 2.10: PYSEC-2019-217, mended in ['2.10.1']"
    assert summary == f"1 known vulnerabilities in {len(shipped.pinned())} packages"


def test_none_is_known(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers([CONTROL], [{"name": "b", "version": "1", "vulns": []}])
    assert advisories.main() == 0
    assert capsys.readouterr().out.startswith("0 known vulnerabilities in ")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([SKIPPED], "Dependency not found on PyPI"),
        ([{**CONTROL, "vulns": []}], "the index knows nothing of jinja2==2.10, which has one"),
        (subprocess.TimeoutExpired("pip-audit", 25), "no answer in 25 s"),
    ],
)
def test_no_advisories_are_to_be_had(
    answers: Answers, answer: Any, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(answer)
    assert advisories.main() == 2
    assert why in capsys.readouterr().out


def test_a_package_that_was_not_looked_up_is_told(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    answers([CONTROL], [SKIPPED])
    assert advisories.main() == 2
    assert "not found on PyPI" in capsys.readouterr().out


@pytest.mark.slow
def test_the_tool_itself_answers_or_is_not_reached() -> None:
    try:
        said = advisories.known([advisories.CONTROL])
    except advisories.Unreached as error:
        said = [str(error)]
    assert any(said)


def test_ci_tells_what_is_known_and_goes_on() -> None:
    script = (shipped.ROOT / ".ci" / "run").read_text()
    (line,) = [line for line in script.splitlines() if "docs.advisories" in line]
    for code in (0, 1, 2):
        stand_in = f"set -e\n(exit {code}) ||{line.partition('||')[2]}\necho goes on"
        done = subprocess.run(["bash", "-c", stand_in], capture_output=True, text=True)
        assert "goes on" in done.stdout
