"""Benchmarks: each prints what it measured, and one line of JSON at its end."""
