"""How long a DAG file over 50 notebooks of 30 cells takes to parse, in fresh processes.

A process imports airflow.sdk and the pod operator first, as Airflow's DAG processor has; then it
runs dags/notebook_pipelines_dag.py. One of the notebooks has 10 MB of outputs.
"""

import base64
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import asked, goal, print_last_line, summary
from tests.support.notebooks import code_cell, notebook_text

ROOT = Path(__file__).parents[1]
DAG_FILE = ROOT / "dags" / "notebook_pipelines_dag.py"
NOTEBOOKS, CELLS = 50, 30
OUTPUT_BYTES = 10_000_000
LIMIT = 0.5  # seconds, the goal for the median

_MEASURE = """
import json, runpy, sys, time
import airflow.sdk
import airflow.providers.cncf.kubernetes.operators.pod
start = time.perf_counter()
names = runpy.run_path(sys.argv[1])
seconds = time.perf_counter() - start
dags = [dag for dag in names.values() if isinstance(dag, airflow.sdk.DAG)]
tasks = sum(len(dag.tasks) for dag in {dag.dag_id: dag for dag in dags}.values())
invalid = [dag.dag_id for dag in dags if "invalid" in dag.tags]
print(json.dumps({"seconds": seconds, "dags": len({d.dag_id for d in dags}), "tasks": tasks,
                  "invalid": invalid, "ipython": "IPython" in sys.modules}))
"""

_IMPORTS = """import json
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from pathlib import Path
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

%matplotlib inline
plt.style.use("default")"""

_FUNCTIONS = '''LIMIT = {n}

def load_{n}(path, rows=rows):
    """Read some rows and keep the columns that count."""
    frame = pd.read_csv(path, nrows=rows)
    frame.columns = [name.strip().lower() for name in frame.columns]
    return frame[[c for c in frame.columns if not c.startswith("_")]].head(LIMIT * 1000)


class Window_{n}:
    def __init__(self, size):
        self.size = size

    def cut(self, values):
        return np.stack([values[i : i + self.size] for i in range(len(values) - self.size)])'''

_STEP = """table_{n} = {source}
table_{n}["ratio"] = table_{n}["a"] / (table_{n}["b"] + 1e-9)
table_{n}["level"] = np.where(table_{n}["ratio"] > {n}, "high", "low")
groups_{n} = {{k: v["ratio"].mean() for k, v in table_{n}.groupby("level")}}
for key, value in groups_{n}.items():
    if value > 0 and key != "none":
        print(f"{{key}}: {{value:.3f}}")
window = Window_{f}(size=12)
try:
    x_{n} = window.cut(table_{n}["ratio"].to_numpy())
except ValueError as error:
    x_{n} = np.zeros((0, 12))
scores_{n} = [row.mean() for row in x_{n} if (total := row.sum()) > LIMIT]"""


def make_notebooks(folder: Path) -> None:
    """Write the notebooks, the same in each run of the benchmark."""
    noise = base64.b64encode(random.Random(0).randbytes(OUTPUT_BYTES * 3 // 4)).decode()
    for number in range(NOTEBOOKS):
        cells: list[dict[str, Any]] = [
            {"cell_type": "markdown", "metadata": {}, "source": "# A notebook\n\nWhat it does."},
            code_cell("rows = 1000  # rows to read\nrate = 0.1  # of learning", "parameters"),
            code_cell(_IMPORTS, "imports"),
            code_cell(_FUNCTIONS.format(n=number), "functions"),
        ]
        for step in range(1, CELLS - len(cells) + 1):
            table = f"table_{step - 1}.copy()" if step > 1 else f'load_{number}("data.csv")'
            source = _STEP.format(n=step, source=table, f=number)
            tags = [f"step:stage_{step // 5}"] if step % 5 == 1 else []
            cells.append(code_cell(source, *tags))
        if number == 0:
            output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": noise}}
            cells[-1]["outputs"] = [output]
        (folder / f"notebook_{number:02}.ipynb").write_text(notebook_text(cells))


def measure(folder: Path, home: Path) -> dict[str, Any]:
    """Parse the DAG file once, in a process of its own."""
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        "PYTHONPATH": str(ROOT / "plugins"),
    }
    command = [sys.executable, "-c", _MEASURE, str(DAG_FILE)]
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    if result["invalid"]:
        raise SystemExit(f"notebooks that do not compile: {result['invalid']}")
    return result


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 12, "processes")
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "notebooks", Path(name) / "airflow"
        folder.mkdir()
        make_notebooks(folder)
        measure(folder, home)  # compiles the .pyc files, and makes Airflow's configuration
        runs = [measure(folder, home) for _ in range(n)]
    seconds = [run["seconds"] for run in runs]
    found = summary(seconds)
    print(
        f"{runs[0]['dags']} DAGs, {runs[0]['tasks']} tasks: {found['median']:.3f} s in the median"
    )
    print_last_line(
        "compile",
        n,
        {"parse_s": goal(found["median"], LIMIT)},
        parse_s=found,
        dags=runs[0]["dags"],
        tasks=runs[0]["tasks"],
        samples=[round(value, 4) for value in seconds],
    )


if __name__ == "__main__":
    main()
