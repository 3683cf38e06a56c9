"""Follows the ledger: what it lets serve is fetched, loaded beside what serves, and takes its place between two requests."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from components.errors import BundleError, DermaCareError
from components.predict.predictor import Predictor
from components.promotion.entries import Release
from dermacare.api.metrics import Metrics
from dermacare.api.settings import Settings
from pipelines.home import VARIABLE
from pipelines.serving.cache import ServingCache
from pipelines.serving.facts import ServedRelease

NOTHING = "no model serves yet; run the pipeline, or let a version serve with `dermacare promote`"

_UNREAD = "what the ledger lets serve is not known yet, so what served last answers; ask again in a moment"

_FETCH_SECONDS = 600
# What could not be fetched or loaded is tried again after so long, then after twice as long, up to the last.
_RETRY_SECONDS = (10.0, 300.0)

_log = logging.getLogger("dermacare.api")


@dataclass(frozen=True)
class Serving:
    """A release that is loaded. Who took it keeps it, whatever is loaded meanwhile."""

    release: ServedRelease
    predictor: Predictor


class Watcher:
    """What serves now, and the thread that looks whether something newer should.

    Attributes:
        serving: None: nothing was loaded yet.
        stale: why what serves is not what the ledger says, one sentence; None: it is.

    Args:
        settings: of the server.
        metrics: are told.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.serving: Serving | None = None
        self.stale: str | None = NOTHING
        self._settings = settings
        self._metrics = metrics
        self._cache = ServingCache(settings.home.serving)
        self._ledger = settings.home.releases()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="ledger", daemon=True)
        self._failed: str | None = None
        self._again = 0.0
        self._pause = _RETRY_SECONDS[0]

    def start(self) -> None:
        """Load what served last, if it is remembered, and follow the ledger from then on."""
        self._thread.start()

    def stop(self) -> None:
        """End following; what is being fetched is fetched by the next start."""
        self._end.set()
        self._thread.join(5)

    def _follow(self) -> None:
        self._safely(self._recall)
        while not self._end.is_set():
            self._safely(self._look)
            self._end.wait(self._settings.look_seconds)

    def _safely(self, step: Callable[[], None]) -> None:
        """Whatever goes wrong, what serves goes on, and so does this thread."""
        try:
            step()
        except (DermaCareError, OSError) as error:
            self._fail(str(error))
        except Exception as error:
            why = f"following the ledger failed ({error!r}); the server's log has where, so report it"
            if self.stale != why:
                _log.exception("following the ledger failed")
            self._fail(why)

    def _recall(self) -> None:
        remembered = self._cache.remembered
        if remembered is not None:
            self._take(remembered, _UNREAD)

    def _look(self) -> None:
        """See what the ledger says."""
        entry = self._ledger.newest()
        self._metrics.looked.set_to_current_time()
        if entry is None or entry.release == Release():
            self._fail(NOTHING if self.serving is None else "the ledger lets nothing serve any more")
        elif self.serving is not None and self.serving.release.head == entry.hash:
            self._succeed()
        elif self._failed != entry.hash or time.monotonic() >= self._again:
            if self.serving is not None and self._failed != entry.hash:  # else it is said already why it does not serve
                old = self.serving.release.entry
                self._fail(f"entry {entry.number} of the ledger is being fetched; entry {old} answers until it is there")
            self._fetch(entry.hash)

    def _fetch(self, head: str) -> None:
        """Have a process of its own fetch the release, then load it.

        The entry may be an older one by then; the next look tells.
        """
        command = [sys.executable, "-m", "pipelines.serving.fetch"]
        environment = {**os.environ, VARIABLE: str(self._settings.home.root), "PYTHONSAFEPATH": "1"}
        try:
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_FETCH_SECONDS)
            if ended.returncode:
                raise BundleError((ended.stderr.strip().splitlines() or ["the release could not be fetched"])[-1])
            fetched = self._cache.fetched
            if fetched is None:
                raise BundleError(f"{self._cache.root}: what was fetched cannot be read; delete the folder")
            self._take(fetched, None)
        except (DermaCareError, OSError, subprocess.TimeoutExpired) as error:
            self._pause = min(2 * self._pause, _RETRY_SECONDS[1]) if self._failed == head else _RETRY_SECONDS[0]
            self._failed, self._again = head, time.monotonic() + self._pause
            raise BundleError(str(error)) from error
        self._cache.remember(fetched)
        self._failed = None

    def _take(self, release: ServedRelease, stale: str | None) -> None:
        """Load a release and let it serve, as stale as that; models that serve already are not loaded again."""
        now = self.serving
        if now is not None and _models(now.release) == _models(release):
            predictor = now.predictor
        else:
            predictor = self._cache.load(release, self._settings.threads)
        self._metrics.entry.set(release.entry)
        self._metrics.since.set(release.since.timestamp())
        self._metrics.current.set(stale is None)
        self.stale, self.serving = stale, Serving(release, predictor)
        _log.warning("serving entry %d of the ledger: %s", release.entry, release.label)

    def _fail(self, why: str) -> None:
        if self.stale != why:
            _log.warning("%s", why)
        self.stale = why
        self._metrics.current.set(0)

    def _succeed(self) -> None:
        self.stale = None
        self._metrics.current.set(1)


def _models(release: ServedRelease) -> tuple[str | None, ...]:
    return tuple(None if one is None else one.reference.digest for one in (release.classifier, release.segmenter))
