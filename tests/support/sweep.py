"""A notebook that names its sizes, for tests of the overhead study."""

from pathlib import Path

from podline.store import Store
from tests.support import notebooks

CELLS = {
    "parameters": "rows = 10\nwidth = 1",
    "imports": "import time",
    "step:make": "assert rows != 13, 'bad luck'\ntime.sleep(0.3)\nx = list(range(rows))",
    "step:train": "time.sleep(0.3)\nrows_train = len(x)\nweights = width",
    "pipeline-metrics": "rows_train = rows_train",
}
SIZES = {"data": "rows", "model": "width"}
# Of a sweep's conf; the machine of tests is never quiet.
SMALL = {"notebooks": ["sized"], "models": [1], "seed": 3, "quiet": 1}


def write_notebook(folder: Path, **metadata: object) -> None:
    """Write the notebook `sized`, with more metadata; it fails where there are 13 rows."""
    notebooks.write_notebook(folder, "sized", CELLS, sizes=SIZES, **metadata)


def variables(folder: Path, store: Store) -> dict[str, str]:
    """What Airflow's environment has for the notebooks of a folder."""
    return store.connection.to_env() | {
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        "AIRFLOW__PODLINE__HTML": "never",
    }
