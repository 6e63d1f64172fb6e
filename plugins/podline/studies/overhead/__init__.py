"""What Kubernetes and the pipeline cost over running a notebook itself.

design → running (a combination as a run of the notebook's own DAG) → measuring (from the records of
its tries) → tables, which `podline.reports` reads.
"""
