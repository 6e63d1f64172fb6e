"""Studies: a design of combinations, measured one at a time, and kept as it grows.

design → running (a combination as a run of the notebook's own DAG) → measuring (from the records of
its tries) → keeping (in the store) → tables, which `podline.reports` reads.
"""
