"""Pipelines as a reader wants them."""

from podline_studies.overhead.analysis.naming import pipeline
from podline_studies.overhead.analysis.pairs import Pipeline


def test_a_way_that_is_not_a_schedulers_is_named() -> None:
    assert pipeline(Pipeline("n", "scheduler", "process")) == "n on process"
    assert pipeline(Pipeline("n", "test", "process")) == "n on process, by dags test"
