"""Whether a model uploads as fast to a store in the cluster as to one in a virtual machine.

design (batches at points, each some pairs of uploads) → tasks (a batch made in a pod or a process,
over the link, and verified) → frames → analysis → report.
"""
