"""A rollout ends on a version that it states, and says why, whatever becomes of nodes and store."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from podline.fleet.engine import roll_out
from podline.fleet.lease import Holder, LeaseLost, RolloutUnderWay
from podline.fleet.member import Target
from podline.fleet.order import RolloutRefused
from podline.fleet.records import read_rollout, read_rollouts
from podline.fleet.rollout import PHASES, NodeRollout, Rollout
from podline.models.registry import Model
from podline.store import Store, keys
from tests.podline.fleet.conftest import order
from tests.support.edge import publish_line
from tests.support.fleet import Fleet, fleet, publish_touchy
from tests.support.store_proxy import StoreProxy
from tests.support.waiting import until

NAMES = ("attic", "barn", "cellar")


@pytest.fixture
def nodes(store: Store, model: Model, tmp_path: Path) -> Iterator[Fleet]:
    """Three nodes with version 1."""
    with fleet(store, tmp_path / "nodes", *NAMES) as found:
        until(lambda: found.versions() == [1, 1, 1])
        yield found


def meant(model: Model) -> int:
    alias = model.aliases.get("edge")
    return alias.version if alias else 0


def by_name(record: Rollout) -> dict[str, NodeRollout]:
    return {node.name: node for node in record.nodes}


def test_a_good_version(store: Store, model: Model, nodes: Fleet, line: Callable[..., int]) -> None:
    number = line(2)
    lines: list[str] = []
    with nodes.asked() as loads:
        record = roll_out(store, order(nodes, "latest"), lines.append)
    assert (record.state, record.step, record.version, record.before) == ("promoted", "end", 2, 1)
    assert record.decision.startswith(f"it failed 0.0% of its {record.new.requests} requests, ans")
    assert record.decision.endswith("3 of 3 nodes answer with it")
    assert record.new.requests >= 20
    assert record.old.nodes == 2  # those that are no canary, meanwhile
    assert (meant(model), nodes.versions(), nodes.pinned()) == (number, [2, 2, 2], [0, 0, 0])
    assert all(load.failures == [] and set(load.versions) <= {"1", "2"} for load in loads)
    assert [node.wave for node in record.nodes] == [0, None, None]
    for node in record.nodes:
        assert (node.state, node.error, node.before, node.version) == ("serving", "", 1, 2)
        assert [phase.name for phase in node.phases] == list(PHASES)
        for one, other in zip(node.phases, node.phases[1:], strict=False):
            assert one.start + one.seconds == pytest.approx(other.start, abs=0.05)
        assert node.seconds is not None
        assert 0 < node.seconds < 60
    canary, *rest = record.nodes
    assert all(canary.seconds < node.seconds for node in rest)  # type: ignore[operator]
    assert read_rollouts(store) == [record]
    assert lines[0] == "power: version 2 in place of version 1, 3 nodes"
    assert lines[-1].startswith("promoted: it failed 0.0%")


def test_a_version_that_fails(store: Store, model: Model, nodes: Fleet, tmp_path: Path) -> None:
    """It is not waited for longer than it takes to see that."""
    number = publish_touchy(tmp_path)
    with nodes.asked(1, 1, 1) as (canary, *others):
        record = roll_out(store, order(nodes, number, observe=60.0, limit=60.0))
    assert record.state == "rolled back"
    assert record.decision.startswith(
        f"it failed 100.0% of its {record.new.requests} requests, and"
    )
    assert record.ended is not None
    assert record.ended - record.started < 30
    assert (meant(model), nodes.versions(), nodes.pinned()) == (1, [1, 1, 1], [0, 0, 0])
    assert canary.failures
    assert all(other.failures == [] and set(other.versions) == {"1"} for other in others)
    assert [node.state for node in record.nodes] == ["returned", "waiting", "waiting"]


@pytest.mark.slow
def test_a_version_that_is_slow(store: Store, model: Model, nodes: Fleet, tmp_path: Path) -> None:
    number = publish_line(tmp_path, 2, filling=64_000_000)
    with nodes.asked(names=NAMES[:2]):
        record = roll_out(store, order(nodes, number, requests=10, patience=30.0, latency=1.5))
    assert (record.state, meant(model), nodes.versions()) == ("rolled back", 1, [1, 1, 1])
    assert record.decision.startswith("it answered 50 % of its ")
    assert record.decision.endswith(": 1.5 times as long is allowed")


def test_a_version_that_is_further_off(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """Where labels come back: after its first look, and before the requests that end it."""

    def tell() -> None:
        until(lambda: is_at(store, "observation"))
        seen = nodes.looks["attic"]
        until(lambda: nodes.looks["attic"] > seen + 1)  # what counts from then on was looked at
        nodes.tell("attic", 2, [2.0] * 30, [1.5] * 30)
        nodes.tell("barn", 1, [[1.0]] * 40, [[1.25]] * 40)
        nodes.ask("attic", 30)

    number = line(2)
    teller = threading.Thread(target=tell)
    teller.start()
    with nodes.asked(names=["barn", "cellar"]):
        record = roll_out(store, order(nodes, number, limit=60.0))
    teller.join()
    assert (record.state, meant(model), nodes.versions()) == ("rolled back", 1, [1, 1, 1])
    assert record.decision == (
        "its answers were off by 0.5 on 30 labels, and those of the one before by 0.25 on 40: 1.1 "
        "times as far is allowed"
    )


def test_a_version_that_nobody_asked(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    number = line(2)
    record = roll_out(store, order(nodes, number, limit=1.0))
    assert (record.state, meant(model), nodes.versions()) == ("rolled back", 1, [1, 1, 1])
    assert record.decision == "it had 0 requests within 1 s, and is judged by 20 at least"
    record = roll_out(store, order(nodes, number, limit=1.0, requests=0))
    assert (record.state, meant(model), nodes.versions()) == ("promoted", 2, [2, 2, 2])
    assert "there was nothing to compare it with" in record.decision


def test_a_version_that_is_refused(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """By its canary, as what comes from the store is not what was published."""
    number = line(2)
    key = keys.version_key("power", number, "model.onnx")
    store.swap(key, b"no model", store.head(key).etag)
    record = roll_out(store, order(nodes, number, patience=10.0))
    assert (record.state, meant(model), nodes.versions()) == ("rolled back", 1, [1, 1, 1])
    assert record.decision.startswith(
        "attic refused it: it answers 400: power version 2: model.onnx is not what was published"
    )


def test_canaries_in_waves(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    with nodes.asked():
        record = roll_out(store, order(nodes, line(2), canaries=("1", "67%")))
    assert (record.state, [node.wave for node in record.nodes]) == ("promoted", [0, 1, 1])
    assert record.old.nodes == 3  # nobody else has the old one: as it was on the canaries before


def test_the_same_version_again(store: Store, model: Model, nodes: Fleet) -> None:
    record = roll_out(store, order(nodes, 1))
    assert (record.state, record.before) == ("promoted", 1)
    assert record.decision == "'edge' meant it already. 3 of 3 nodes answer with it"
    assert all(node.phases == () for node in record.nodes)


def test_the_first_version_of_all(store: Store, tmp_path: Path, line: Callable[..., int]) -> None:
    """Where it is not good enough nodes serve nothing, as before."""
    model = Model(store, "power")
    with fleet(store, tmp_path / "nodes", "attic", "barn") as nodes:
        bad, good = publish_touchy(tmp_path), line(2)
        with nodes.asked(1, 1, 1):
            record = roll_out(store, order(nodes, bad))
        assert (record.state, record.before) == ("rolled back", 0)
        assert (meant(model), nodes.versions()) == (0, [None, None])
        with nodes.asked(1, 1, 1):
            record = roll_out(store, order(nodes, good))
        assert (record.state, meant(model), nodes.versions()) == ("promoted", 2, [2, 2])


# --- nodes that are away


@pytest.mark.slow
def test_a_node_that_is_down_and_one_that_never_answers(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """They are asked again with growing pauses, reported, and not waited for for ever."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    nodes.silent.add("barn")
    targets = [Target("gone", closed), *nodes.targets()]
    with nodes.asked(names=["attic", "cellar"]):
        record = roll_out(store, order(nodes, line(2), targets=targets))
    assert (record.state, meant(model)) == ("promoted", 2)
    found = by_name(record)
    assert (found["gone"].state, found["barn"].state) == ("unreachable", "unreachable")
    assert found["gone"].tries >= 3
    assert "does not answer: All connection attempts failed" in found["gone"].error
    assert "does not answer within" in found["barn"].error
    assert "2 of 4 nodes answer with it; not gone, barn: " in record.decision
    assert [found[name].state for name in ("attic", "cellar")] == ["serving", "serving"]
    assert record.ended is not None
    assert record.ended - record.started < 60
    until(lambda: nodes.versions() == [2, 2, 2])  # nobody could tell it: it follows the alias


def test_nobody_answers(store: Store, model: Model, nodes: Fleet, line: Callable[..., int]) -> None:
    line(2)
    targets = [Target("gone", "http://127.0.0.1:1")]
    record = roll_out(store, order(nodes, 2, targets=targets))
    assert (record.state, meant(model)) == ("failed", 1)
    assert record.decision.startswith(
        "none of 1 nodes can take power by the alias 'edge'; gone: http://127.0.0.1:1/status does"
    )


def test_nodes_that_follow_another_alias_are_passed_over(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    line(2)
    record = roll_out(store, replace(order(nodes, 2), alias="champion"))
    assert (record.state, model.aliases.get("champion")) == ("failed", None)
    assert "attic: it follows the alias 'edge'" in record.decision
    assert [node.state for node in record.nodes] == ["passed over"] * 3


def test_a_token_that_is_wrong(
    store: Store, model: Model, tmp_path: Path, line: Callable[..., int]
) -> None:
    with fleet(store, tmp_path / "nodes", "attic", "barn", token="open sesame") as nodes:
        until(lambda: nodes.versions() == [1, 1])
        number = line(2)
        record = roll_out(store, order(nodes, number, token="let me in"))
        assert (record.state, meant(model), nodes.versions()) == ("rolled back", 1, [1, 1])
        assert record.decision.startswith(
            "attic refused it: it answers 401: loading and unloading needs the server's token"
        )
        assert by_name(record)["attic"].tries == 2  # there, and back: no token gets right by asking
        with nodes.asked():
            record = roll_out(store, order(nodes, number, token="open sesame"))
        assert (record.state, meant(model)) == ("promoted", 2)
        assert "sesame" not in record.to_json()


# --- what is refused before it begins


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"canaries": ("half",)}, "canaries 'half': give a number of nodes, such as 2, or a share"),
        ({"canaries": ("0",)}, "canaries '0'"),
        ({"canaries": ("200%",)}, "canaries '200%'"),
        ({"limit": 0.1}, "the limit is not less than the time for which a wave is watched"),
        ({"parallel": 0}, "at least 1 node is told at once"),
    ],
)
def test_a_strategy_that_cannot_be_followed(
    store: Store, model: Model, more: dict[str, object], said: str
) -> None:
    with pytest.raises(RolloutRefused, match=said):
        roll_out(store, order(Fleet({}), 1, **more))
    assert read_rollouts(store) == []


def test_an_alias_that_moves_by_itself(store: Store, model: Model) -> None:
    with pytest.raises(RolloutRefused, match="each publish moves the alias 'latest' by itself"):
        roll_out(store, replace(order(Fleet({}), 1), alias="latest"))


def test_a_version_that_there_is_not(store: Store, model: Model) -> None:
    with pytest.raises(RolloutRefused, match="power has no version 7"):
        roll_out(store, order(Fleet({}), 7))


# --- others meanwhile


class Watched(threading.Thread):
    """A rollout in a thread of its own, up to a step."""

    def __init__(self, *call: object) -> None:
        super().__init__()
        self.call, self.record, self.error = call, None, None
        self.start()

    def run(self) -> None:
        try:
            self.record = roll_out(*self.call)  # type: ignore[arg-type,assignment]
        except Exception as error:
            self.error = error  # type: ignore[assignment]


def is_at(store: Store, step: str) -> bool:
    return any(record.step == step for record in read_rollouts(store))


def test_two_at_once(store: Store, model: Model, nodes: Fleet, line: Callable[..., int]) -> None:
    """The second is refused, and told who has begun: the version is the first one's."""
    line(2), line(3)
    with nodes.asked():
        first = Watched(store, order(nodes, 2, observe=3.0))
        until(lambda: is_at(store, "observation"))
        with pytest.raises(
            RolloutUnderWay, match=r"power is being rolled out already: 2\S+, started by a test"
        ):
            roll_out(store, order(nodes, 3))
        first.join()
    assert first.record
    assert (first.record.state, meant(model), nodes.versions()) == ("promoted", 2, [2, 2, 2])
    with nodes.asked():
        assert roll_out(store, order(nodes, 3)).state == "promoted"


def test_somebody_else_moves_the_alias(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """Theirs stays."""
    line(2), line(3)
    with nodes.asked():
        first = Watched(store, order(nodes, 2, observe=6.0))
        until(lambda: is_at(store, "observation"))
        model.promote(3, "edge")
        first.join()
    assert first.record
    assert first.record.state == "rolled back"
    assert "'edge' of power means version 3 by now" in first.record.decision
    assert (meant(model), nodes.pinned()) == (3, [0, 0, 0])
    until(lambda: nodes.versions() == [3, 3, 3])  # each looks at the alias in its own time


def test_a_rollout_that_lost_its_lease_touches_nothing_more(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """As one does whose machine stood still for a while."""
    line(2), line(3)
    with nodes.asked():
        first = Watched(store, order(nodes, 2, observe=60.0, limit=60.0, lease=16.0))
        until(lambda: is_at(store, "observation"))
        key = keys.lease_key("power")

        def holder() -> Holder:
            return Holder.from_json(bytes(store.get(key)))

        before = holder().renewed
        until(lambda: holder().renewed > before)  # it is renewed in seconds again
        late = replace(holder(), renewed=time.time() - 17)
        store.swap(key, late.to_json().encode(), store.head(key).etag)
        second = roll_out(store, order(nodes, 3, observe=0.2, requests=1))
        first.join()
    assert isinstance(first.error, LeaseLost)
    assert second.id in str(first.error)
    assert (second.state, meant(model), nodes.versions()) == ("promoted", 3, [3, 3, 3])
    closed = read_rollouts(store)[1]
    assert closed.state == "abandoned"
    assert closed.decision == (
        f"its process ended at the step observation. 'edge' means version 1; {second.id} has taken "
        "its place"
    )
    assert read_rollout(store, "power", closed.id) == closed
    assert nodes.pinned() == [0, 0, 0]


@pytest.mark.slow
def test_the_store_is_gone(
    store: Store, model: Model, nodes: Fleet, line: Callable[..., int]
) -> None:
    """For whoever rolls out: the canary goes back, and the next rollout says what became of it."""
    line(2)
    with StoreProxy(store.connection) as way, nodes.asked():
        away = Store(way.connection)
        first = Watched(away, order(nodes, 2, observe=2.0, lease=2.0))
        until(lambda: is_at(store, "observation"))
        way.leave()
        first.join()
        assert "does not answer" in str(first.error)
        assert (meant(model), nodes.versions(), nodes.pinned()) == (1, [1, 1, 1], [0, 0, 0])
        second = roll_out(store, order(nodes, 2))
    assert (second.state, meant(model), nodes.versions()) == ("promoted", 2, [2, 2, 2])
    assert [record.state for record in read_rollouts(store)] == ["promoted", "abandoned"]
