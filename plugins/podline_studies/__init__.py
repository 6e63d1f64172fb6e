"""Studies: a seeded design, measured one thing at a time in sessions, and kept as it grows.

``overhead`` and ``uploads`` each have a design, what a measurement is, and the tasks of their DAG;
keeping, sessions, the machine, the archive and the report's keeping are the same for both.
"""
