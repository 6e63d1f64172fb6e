"""Weak references and `__del__` from stage to stage: what they hold is kept by a name, or refused."""

import weakref

import pytest

from podline.exceptions import ArtifactError

from .conftest import Chain

NODE = "import weakref\nclass Node:\n    def __init__(self, n): self.n = n\n"
WEAK = {
    "set": "weak = weakref.WeakSet([a])",
    "values": "weak = weakref.WeakValueDictionary(k=a)",
    "keys": "weak = weakref.WeakKeyDictionary({a: 1})",
    "ref": "weak = weakref.ref(a)",
    "inside": "weak = {'of': [weakref.ref(a)]}",
}
HELD = {
    "set": "[*weak][0]",
    "values": "weak['k']",
    "keys": "[*weak][0]",
    "ref": "weak()",
    "inside": "weak['of'][0]()",
}


@pytest.mark.parametrize("kind", WEAK)
def test_a_name_that_is_handed_on_keeps_what_is_held_weakly(chain: Chain, kind: str) -> None:
    chain.stage(f"{NODE}a = Node(5)\n{WEAK[kind]}", hands_on="a weak")
    # It comes along even where the stage does not read it.
    later = chain.stage(f"found = {HELD[kind]}", reads="weak", hands_on="a weak found")
    assert later.namespace["found"] is later.namespace["a"]
    assert chain.stage("", reads="a found").namespace["found"].n == 5


@pytest.mark.parametrize("kind", WEAK)
def test_nobody_hands_on_what_keeps_it(chain: Chain, kind: str) -> None:
    with pytest.raises(
        ArtifactError, match=r"'weak'.*keeps the Node that it holds.*fix: use a set"
    ):
        chain.stage(f"{NODE}a = Node(5)\n{WEAK[kind]}", hands_on="weak")


@pytest.mark.parametrize("change", ["del a", "a = None", "import gc; del a; gc.collect()"])
@pytest.mark.parametrize("kind", WEAK)
def test_a_later_stage_lets_go_of_it(chain: Chain, kind: str, change: str) -> None:
    chain.stage(f"{NODE}a = Node(5)\n{WEAK[kind]}", hands_on="a weak")
    with pytest.raises(ArtifactError, match="lets go of 'a', which a weak reference"):
        chain.stage(change, reads="a weak")


def test_trees_whose_children_know_their_parents_weakly(chain: Chain) -> None:
    source = "top = Node(1); top.below = [Node(2)]; top.below[0].above = weakref.ref(top)"
    chain.stage(f"{NODE}{source}", hands_on="top")
    later = chain.stage("top.below.append(type(top)(3))", reads="top", hands_on="top")
    top = later.namespace["top"]
    assert top.below[0].above() is top


def test_nothing_in_them_or_only_what_each_stage_has(chain: Chain) -> None:
    source = (
        "gone = weakref.ref(Node(1)); empty = weakref.WeakSet(); kinds = weakref.WeakSet([dict])"
    )
    chain.stage(f"{NODE}{source}", hands_on="gone empty kinds")
    later = chain.stage("", reads="gone empty kinds").namespace
    assert (later["gone"](), [*later["empty"]], [*later["kinds"]]) == (None, [], [dict])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("weak = weakref.proxy(a)", "a weak proxy"),
        ("weak = weakref.ref(a, print)", "would not be called"),
        ("weak = weakref.finalize(a, print)", "would not be called"),
    ],
)
def test_what_cannot_be_handed_on(chain: Chain, source: str, reason: str) -> None:
    with pytest.raises(ArtifactError, match=f"'weak'.*{reason}.*fix:"):
        chain.stage(f"{NODE}a = Node(1); {source}", hands_on="weak")


def test_a_function_that_waits_for_an_end(chain: Chain) -> None:
    source = f"{NODE}a = Node(1); log = []; weakref.finalize(a, log.append, 1)"
    with pytest.raises(ArtifactError, match=r"'a' .*has a function wait.*fix: call the function"):
        chain.stage(source, hands_on="a log")
    for finalizer in [*weakref.finalize._registry]:  # type: ignore[attr-defined]
        if finalizer.peek() and type(finalizer.peek()[0]).__name__ == "Node":
            finalizer.detach()


def test_a_method_that_runs_at_an_end(chain: Chain) -> None:
    define = "ended = []\nclass Tool:\n    def __del__(self): ended.append(1)\n"
    chain.stage(f"{define}tool = Tool()", hands_on="tool ended Tool")
    chain.stage("tool.used = True", reads="tool", hands_on="tool ended Tool")
    with pytest.raises(
        ArtifactError, match="lets go of 'tool', which a weak reference or its __del"
    ):
        chain.stage("del tool; ended", reads="tool ended Tool")


def test_a_weak_reference_that_a_later_stage_makes(chain: Chain) -> None:
    chain.stage(f"{NODE}a = Node(5); rows = [1]", hands_on="a rows")
    kept = "import weakref; del rows; found = weakref.ref(a)().n"
    assert chain.stage(kept, reads="a rows").namespace["found"] == 5
    with pytest.raises(ArtifactError, match="lets go of 'a', which a weak reference"):
        chain.stage(
            "import weakref; r = weakref.ref(a); del a; gone = r() is None; del r", reads="a"
        )
