"""What a run left in the store, read in one place."""

from podline.store import Store
from podline.store.keys import LATENCY, RESULT, TryKey, file_key, run_prefix
from podline.store.run_history import last_objects, runs


def test_what_the_last_try_of_each_task_left(store: Store) -> None:
    first, again, beside = (
        TryKey("power", "r 1", "train", -1, number, nonce)
        for number, nonce in ((9, "a"), (10, "b"), (10, "c"))
    )
    mapped = TryKey("power", "r 1", "part", 0, 1, "d")
    written = [first.key(RESULT), again.key(RESULT), beside.key(LATENCY), mapped.key(RESULT)]
    for key in [*written, file_key(run_prefix("power", "r 1"), "ab12")]:
        store.put(key, b"1")
    assert last_objects(store, "power", "r 1") == {
        "train": {RESULT: again.key(RESULT), LATENCY: beside.key(LATENCY)}
    }
    assert last_objects(store, "power", "r 2") == {}


def test_a_record_alone_is_no_run(store: Store) -> None:
    store.put(TryKey("plain", "r1", "task", -1, 1, "a").key(LATENCY), b"{}")
    assert runs(store) == []
