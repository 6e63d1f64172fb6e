"""One DAG for each notebook: its stages as tasks, in the order that its cells and tags give.

Beside each NAME stands NAME_baseline, the whole notebook in one kernel, which the pipeline is
measured against. Notebooks are taken from the folder that the setting `[podline]
notebooks_folder` names. One that does not compile has a DAG with the tag `invalid`, whose
documentation says what is wrong.
"""

from airflow.sdk import get_parsing_context

from podline import settings
from podline.operators.dag_factory import notebook_dags

# A task's process needs one DAG only.
ONLY = get_parsing_context().dag_id

# No notebook's name is one of this module's.
globals().update(
    {f"DAG {dag.dag_id}": dag for dag in notebook_dags(settings.notebooks_folder(), ONLY)}
)
