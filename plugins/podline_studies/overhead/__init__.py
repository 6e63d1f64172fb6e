"""What Kubernetes and the pipeline cost over running a notebook itself.

design → dag_runs (a combination as a run of the notebook's own DAG) → measurement (from the records
of its tries) → frames → analysis → report.
"""
