"""NAME_stock and NAME_stock_tuned, for each notebook that names its sizes: its stages through
Airflow's own operator, as it is and looking as often as it can.

The overhead study compares podline's operator with these. Who runs no such study can do without
this file.
"""

from airflow.sdk import get_parsing_context

from podline import settings
from podline_studies.overhead.stock_operator import stock_dags

# A task's process needs one DAG only.
ONLY = get_parsing_context().dag_id

# No notebook's name is one of this module's.
globals().update(
    {f"DAG {dag.dag_id}": dag for dag in stock_dags(settings.notebooks_folder(), ONLY)}
)
