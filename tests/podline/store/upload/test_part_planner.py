"""One request on a clean link; parts where losses, or time, ask for them."""

from podline.store.upload.part_planner import (
    LARGEST_PUT,
    LEAST_PART,
    MIB,
    MOST_PARTS,
    Network,
    plan,
)

CLEAN = Network(rtt=0.05, throughput=110e6, congestion="cubic")
LOSSY = Network(rtt=0.05, loss=0.005, throughput=10e6, congestion="cubic")


def test_one_request_is_best_on_a_clean_link() -> None:
    for size in (0, 1, 8 * MIB, 500 * MIB):
        assert plan(size, CLEAN).parts == 1
        assert plan(size, Network()).parts == 1


def test_losses_ask_for_several_connections() -> None:
    found = plan(64 * MIB, LOSSY)
    assert (found.parts, found.part) == (8, 8 * MIB)
    assert 4 <= found.connections <= 8


def test_an_algorithm_that_minds_no_loss_needs_one_connection() -> None:
    assert plan(64 * MIB, Network(rtt=0.05, loss=0.005, congestion="bbr")).parts == 1


def test_what_is_small_is_never_in_parts() -> None:
    assert plan(2 * LEAST_PART, LOSSY).parts == 1


def test_what_takes_long_is_in_parts() -> None:
    """So that a break costs six seconds, not minutes."""
    found = plan(500 * MIB, Network(rtt=0.05, throughput=2e6))
    assert found.parts > 1
    assert found.connections == 2
    assert found.part / 2e6 < 10


def test_the_limits_of_s3_are_kept() -> None:
    for size in (LARGEST_PUT + 1, 5 * 1024 * 1024 * MIB):
        found = plan(size, CLEAN)
        assert 1 < found.parts <= MOST_PARTS
        assert found.parts * found.part >= size
        assert found.part >= LEAST_PART
