"""A server at the edge: it answers requests with published models, and takes up new versions.

Neither Airflow nor TensorFlow is in it.
"""
