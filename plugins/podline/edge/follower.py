"""The thread that follows aliases: it fetches, loads and tries a version, and then swaps it in.

Whatever goes wrong, the old version stays, and its model says why.
"""

import ctypes
import gc
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from podline.edge import version as versions
from podline.edge.cache import Cache, parse
from podline.edge.logs import log
from podline.edge.metrics import Metrics
from podline.edge.repository import ServedModel
from podline.edge.version import LoadedVersion, VersionRefused
from podline.exceptions import PodlineError
from podline.fleet.status import Swap, Trouble
from podline.models import sample, signing
from podline.models.aliases import Alias
from podline.models.manifest import Manifest
from podline.store import ObjectMissing, Store, keys

_LONGEST_PAUSE = 60.0  # seconds until what went wrong is tried again
_REST = 0.05  # seconds after a swap in which requests have the machine to themselves


@dataclass(frozen=True)
class _Order:
    """What the API asks for: a version (0: the alias's), or to unload."""

    model: str
    version: int
    unload: bool
    done: "Future[str]"


class Follower:
    """Follows the aliases of models.

    Args:
        store: where they are.
        models: by name; this thread alone changes them.
        caches: by the models' names.
        metrics: what is counted.
        interval: seconds between two looks.
        threads: how many a request may use.
        trusted: public keys, of which one must have signed a version; none: any version is taken.
    """

    def __init__(
        self,
        store: Store,
        models: Mapping[str, ServedModel],
        caches: Mapping[str, Cache],
        metrics: Metrics,
        interval: float,
        threads: int,
        trusted: Sequence[str] = (),
    ) -> None:
        self.store, self.models, self.caches, self.metrics = store, models, caches, metrics
        self.interval, self.threads, self.trusted = interval, threads, trusted
        self._etags: dict[str, str] = {}  # of the aliases that were looked at
        self._wanted: dict[str, int] = {}  # the version that each alias means
        self._again: dict[str, float] = {}  # when what went wrong is tried again
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._swapped: list[ServedModel] = []  # after which is to be tidied up
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Load what this machine has, then follow from a thread of its own."""
        for model in self.models.values():
            self._from_disk(model)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, which may be in the middle of a fetch: what it has stays on the disk."""
        self._orders.put(None)

    def load(self, model: str, version: int = 0) -> "Future[str]":
        """Have a model serve a version; the result is why it does not, empty: it does.

        Args:
            model: its name.
            version: the one to stay at; 0: the one that the alias means, which is followed.
        """
        return self._order(_Order(model, version, False, Future()))

    def unload(self, model: str) -> "Future[str]":
        """Have a model serve nothing, until it is loaded again."""
        return self._order(_Order(model, 0, True, Future()))

    def _order(self, order: _Order) -> "Future[str]":
        self._orders.put(order)
        return order.done

    # --- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            for model in self.models.values():
                self._look(model)
            self._tidy()
            with suppress(queue.Empty):
                order = self._orders.get(timeout=self.interval)
                if order is None:
                    return
                self._obey(order)

    def _tidy(self) -> None:
        """Do after swaps what no request should wait for."""
        if self._swapped:
            time.sleep(_REST)
            _give_back()
        while self._swapped:
            model = self._swapped.pop()
            if model.current:
                self._settle_on_disk(model, model.current.number)

    def _settle_on_disk(self, model: ServedModel, number: int) -> None:
        cache = self.caches[model.name]
        try:
            cache.sync(number)
            cache.prune(number, [one.before for one in model.swaps if one.before])
        except OSError as error:  # the version serves, and the thread goes on
            log("not tidied up", model=model.name, version=number, reason=str(error))

    def _obey(self, order: _Order) -> None:
        model = self.models[order.model]
        if order.unload:
            model.current, model.unloaded, model.trouble = None, True, None
            self.caches[model.name].note_serving(0, False)
            log("unloaded", model=model.name)
            order.done.set_result("")
            return
        model.unloaded, model.pinned = False, order.version
        self._forget(model)
        self._look(model, "load")
        order.done.set_result(model.trouble.reason if model.trouble else "")

    def _forget(self, model: ServedModel) -> None:
        """Look at the alias, and try what went wrong, anew."""
        self._etags.pop(model.name, None)
        self._again.pop(model.name, None)

    def _look(self, model: ServedModel, why: str = "alias") -> None:
        """Take up the version that is wanted, unless it serves already."""
        if model.unloaded:
            return
        wanted = 0
        try:
            wanted = self._version_wanted(model)
            if model.current and model.current.number == wanted:
                self._settled(model)
            elif time.monotonic() >= self._again.get(model.name, 0.0):
                self._swap(model, wanted, why)
                self._settled(model)
        except PodlineError as error:
            self._trouble(model, wanted, str(error))
        except Exception as error:  # a fault of ours must not end the thread
            self._trouble(model, wanted, f"{type(error).__name__}: {error}")

    def _version_wanted(self, model: ServedModel) -> int:
        if model.pinned:
            return model.pinned
        etag = self._etags.get(model.name, "")
        try:
            found = self.store.get_changed(keys.alias_key(model.name, model.alias), etag)
        except ObjectMissing:
            raise VersionRefused(
                f"{model.name} has no alias {model.alias!r} in the store: publish or promote a "
                "version"
            ) from None
        self.metrics.store_seen = time.time()
        if found is not None:
            data, self._etags[model.name] = found
            alias = Alias.from_json(bytes(data))
            if alias.version != self._wanted.get(model.name):
                self._again.pop(model.name, None)
            self._wanted[model.name] = alias.version
        if not self._wanted[model.name]:
            raise VersionRefused(f"the alias {model.alias!r} of {model.name} means no version")
        return self._wanted[model.name]

    def _settled(self, model: ServedModel) -> None:
        self._again.pop(model.name, None)
        if model.trouble:
            log("trouble is over", model=model.name, reason=model.trouble.reason)
            model.trouble = None

    def _trouble(self, model: ServedModel, wanted: int, reason: str) -> None:
        """Note why a version is not taken up, and when that is tried again."""
        old = model.trouble
        same = old is not None and (old.version, old.reason) == (wanted, reason)
        if old and same and time.monotonic() < self._again.get(model.name, 0.0):
            return
        tries = 1 + (old.tries if old and old.version == wanted else 0)
        since = old.since if old and same else time.time()
        model.trouble = Trouble(wanted, reason, since, tries)
        pause = min(self.interval * 2 ** (tries - 1), _LONGEST_PAUSE)
        self._again[model.name] = time.monotonic() + pause
        if wanted:
            self.metrics.swap_failed(model.name)
        if not same:
            serves = model.current.number if model.current else None
            log("trouble", model=model.name, version=wanted, serves=serves, reason=reason)

    # --- a swap ------------------------------------------------------------------------------

    def _swap(self, model: ServedModel, number: int, why: str) -> None:
        cache = self.caches[model.name]
        before = model.current.number if model.current else 0
        swap = Swap(number, before, why, 0.0, time.time())
        with _timed(swap, "fetch"):
            raw, signature = self._manifest(cache, model.name, number)
            self._vouched_for(model.name, number, raw, signature)
            manifest = parse(model.name, number, raw)
            versions.signature_of(manifest)
            kept = cache.has(number) and cache.read(number) == (raw, signature)
            if not kept:
                cache.fetch(self.store, manifest, raw, signature)
        swap.published = datetime.fromisoformat(manifest.created).timestamp()
        if kept:  # what comes is verified while it arrives
            self._verify(manifest, swap)
        self._take_up(model, manifest, swap)
        self._swapped.append(model)

    def _manifest(self, cache: Cache, name: str, number: int) -> tuple[bytes, bytes]:
        """A version's manifest as it is stored, and what stands beside it."""
        if cache.has(number):
            raw, signature = cache.read(number)
            if signature or not self.trusted:  # one that was not asked for then is fetched now
                return raw, signature
        try:
            raw = bytes(self.store.get(keys.manifest_key(name, number)))
        except ObjectMissing:
            raise VersionRefused(f"{name} version {number} is not complete in the store") from None
        if not self.trusted:
            return raw, b""
        try:
            return raw, bytes(self.store.get(keys.signature_key(name, number)))
        except ObjectMissing:
            return raw, b""

    def _vouched_for(self, name: str, number: int, raw: bytes, signature: bytes) -> None:
        if self.trusted:
            signing.check(f"{name} version {number}", raw, signature, self.trusted)

    def _verify(self, manifest: Manifest, swap: Swap) -> None:
        with _timed(swap, "verify"):
            self.caches[manifest.name].verify(manifest)

    def _take_up(self, model: ServedModel, manifest: Manifest, swap: Swap) -> None:
        """Load a version that is on the disk, try it, and have it answer."""
        cache = self.caches[model.name]
        with cache.trying(manifest.version):
            loaded = self._loaded(cache, manifest, swap)
        model.take_up(loaded, swap)
        cache.note_serving(manifest.version, bool(model.pinned))
        self.metrics.swapped(model.name)
        steps = {step: round(getattr(swap, step), 4) for step in _STEPS}
        log("swapped", model=model.name, version=swap.version, before=swap.before, **steps)

    def _loaded(self, cache: Cache, manifest: Manifest, swap: Swap) -> LoadedVersion:
        folder = cache.at(manifest.version)
        with _timed(swap, "load"):
            loaded = versions.load(manifest, folder, self.threads)
        with _timed(swap, "warm_up"):
            loaded.try_out(sample.read(folder / manifest.sample))
        return loaded

    # --- without a store ---------------------------------------------------------------------

    def _from_disk(self, model: ServedModel) -> None:
        """Serve what served last, or else the newest version on the disk that is fit for it."""
        cache = self.caches[model.name]
        last, pinned = cache.serving()
        for number in dict.fromkeys([last, *cache.versions()]):
            if not cache.has(number):
                continue
            try:
                raw, signature = cache.read(number)
                self._vouched_for(model.name, number, raw, signature)
                manifest = parse(model.name, number, raw)
                swap = Swap(number, 0, "start", 0.0, time.time())
                model.pinned = number if pinned and number == last else 0
                self._verify(manifest, swap)
                self._take_up(model, manifest, swap)
                _give_back()
                return
            except PodlineError as error:
                log("not served from the disk", model=model.name, version=number, reason=str(error))


_STEPS = ("fetch", "verify", "load", "warm_up", "swap")


@contextmanager
def _timed(swap: Swap, step: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        setattr(swap, step, time.perf_counter() - began)


def _give_back() -> None:
    """Give memory of the version before back to the system, which malloc would keep."""
    gc.collect(0)
    if trim := _malloc_trim():
        trim(0)


def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
