"""The whole circle: a model of the summer drifts into the autumn, and a better one is served."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_circle(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "podline.iot.demo"],
        env=os.environ
        | {"AIRFLOW__PODLINE__HOME": str(tmp_path), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"},
        capture_output=True,
        text=True,
        timeout=1700,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^ *\d+ s  (.*)$", done.stdout, re.MULTILINE)
    in_order = iter(told)
    for happened in (
        r"published version 1: 0\.4\d\d kW off in its evaluation, \d\d kB as onnx-int8",
        r"an edge at http://127.0.0.1:\d+ serves version 1",
        r"2009-09-01: version 1 answers",
        r"2009-10-\d\d: the error of version 1 is 0\.\d+ kW over 168 readings, 1\.4\d times",
        r"2009-10-\d\d: started household_power, run manual",
        r"published version 2: 0\.4\d\d kW off",
        r"2009-10-\d\d: version 2 answers, before 1",
        r"rolled out: .* 1 of 1 nodes answer with it",
    ):
        assert any(re.match(happened, line) for line in in_order), (happened, told)
    last = [float(error) for error in re.findall(r"it was off by ([\d.]+) kW", done.stdout)]
    assert last[1] < last[0]

    folder = tmp_path / "edge-demo"
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 3
    lines = [json.loads(line) for line in (folder / "observations.jsonl").read_text().splitlines()]
    seen = [line for line in lines if line["kind"] == "observation"]
    assert len(seen) > 2_000
    assert [line for line in seen if line["failure"]] == []
