"""The runner of a stage, the same in every backend: `python -m podline.runner`."""
