"""The runner of a stage, the same in every backend: `python -m podline.stages`."""

RESULT = "result.json"  # what a try of a stage writes last, in its folder
EXECUTED = "executed.ipynb"
