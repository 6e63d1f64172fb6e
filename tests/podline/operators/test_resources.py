"""What a pod asks for and may use, as several say it."""

from podline.operators.resources import Resources

USUAL = Resources({"cpu": "100m", "memory": "512Mi"}, {"memory": "4Gi"})


def test_what_is_not_said_is_the_others() -> None:
    assert Resources({}, {}).over(USUAL) == USUAL
    assert Resources({"cpu": "2"}, {"nvidia.com/gpu": "1"}).over(USUAL) == (
        {"cpu": "2", "memory": "512Mi"},
        {"memory": "4Gi", "nvidia.com/gpu": "1"},
    )


def test_a_limit_alone_leaves_no_larger_request() -> None:
    """The cluster refuses a pod that asks for more than it may use."""
    assert Resources({}, {"memory": "256Mi"}).over(USUAL) == ({"cpu": "100m"}, {"memory": "256Mi"})
    both = Resources({"memory": "128Mi"}, {"memory": "256Mi"}).over(USUAL)
    assert both == ({"cpu": "100m", "memory": "128Mi"}, {"memory": "256Mi"})


def test_a_request_alone_leaves_no_smaller_limit() -> None:
    found = Resources({"memory": "6000Mi"}, {}).over(USUAL)
    assert found == ({"cpu": "100m", "memory": "6000Mi"}, {"memory": "6000Mi"})
    assert Resources({"memory": "1Gi"}, {}).over(USUAL).limits == {"memory": "4Gi"}
