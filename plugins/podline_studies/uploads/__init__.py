"""Whether a model uploads as fast to a store in the cluster as to one in a virtual machine.

design (batches of points, each some pairs of uploads) → batch (in a pod or a process, over the
link) → measurement (verified, with the link as it was) → frames → analysis → report.
"""
