"""The edges that a store knows, and rollouts of a version to them.

No Airflow is in it.
"""
