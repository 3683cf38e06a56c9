"""`serving/` of a home: the models of releases, so that what served yesterday serves today with the tracking server away.

models/<digest>/whole/           the bundle, as it was registered
models/<digest>/explained.onnx   a classifier's network, giving out what Grad-CAM looks at besides
models/<digest>/heads.npz        its heads (`components.grad_cam`)
models/<digest>/derived.json     SHA-256 of these two; written last
fetched.json                     the release that was fetched last, whether it can be loaded or not
release.json                     the last one that was loaded and answered

Killed at any moment, what lies there is whole or is made again.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from components.bundle import Bundle, bundle_digest
from components.cores import usable_cores
from components.errors import BundleError, DermaCareError
from components.files import sha256_file, write_text
from components.grad_cam import Head, read_heads
from components.predict.predictor import Predictor
from pipelines.serving.facts import ModelFacts, ServedRelease

NETWORK = "explained.onnx"
HEADS = "heads.npz"
DERIVED = "derived.json"
WHOLE = "whole"

_QUICK_SECONDS = 0.1


class ServingCache:
    """The folder.

    Args:
        root: `serving/` of a home.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def lock(self) -> Path:
        """What whoever fetches into the folder holds."""
        return self.root / ".lock"

    def model(self, digest: str) -> Path:
        """The folder of a model, by its bundle's digest."""
        return self.root / "models" / digest

    @property
    def fetched(self) -> ServedRelease | None:
        """The release that was fetched last; None: none was, or another version of this program wrote it."""
        return _read(self.root / "fetched.json")

    @property
    def remembered(self) -> ServedRelease | None:
        """The last release that answered; None as for `fetched`."""
        return _read(self.root / "release.json")

    def stage(self, release: ServedRelease) -> None:
        """Say what was fetched."""
        write_text(self.root / "fetched.json", release.model_dump_json(indent=1) + "\n")

    def remember(self, release: ServedRelease) -> None:
        """Say what answers."""
        write_text(self.root / "release.json", release.model_dump_json(indent=1) + "\n")

    def load(self, release: ServedRelease, threads: int | None = None) -> Predictor:
        """Open a release's models, every byte checked, and have them answer once.

        Args:
            release: what was fetched.
            threads: that an answer of a slow network takes. A quick one takes one, so that images are answered side by side;
                None: as many as this process may use cores.

        Raises:
            BundleError: a file is absent or changed, or a network cannot be run.
        """
        try:
            predictor = self._predictor(release, threads or usable_cores())
            predictor.warm_up()
        except DermaCareError:
            raise
        except Exception as error:  # ONNX Runtime's own errors have no other base
            raise BundleError(f"{release.label}: cannot be run ({_first_line(error)}); let another version serve") from error
        return predictor

    def _predictor(self, release: ServedRelease, threads: int) -> Predictor:
        heads: Sequence[Head] = ()
        classifier = segmenter = None
        if release.classifier is not None:
            network = self._checked(release.classifier, NETWORK)
            heads = read_heads(self._checked(release.classifier, HEADS))
            classifier = self._open(release.classifier, network, threads)
        if release.segmenter is not None:
            segmenter = self._open(release.segmenter, None, threads)
        return Predictor(classifier, segmenter, heads)

    def _open(self, model: ModelFacts, network: Path | None, threads: int) -> Bundle:
        folder = self.model(model.reference.digest) / WHOLE
        found = bundle_digest(folder) if folder.is_dir() else "nothing"
        if found != model.reference.digest:
            raise BundleError(
                f"{folder}: holds {found}, but {model.reference.name}/{model.reference.version} is {model.reference.digest}; "
                "delete the folder, it is fetched again"
            )
        bundle = Bundle.load(folder, network=network, threads=1)
        return bundle if threads == 1 or _is_quick(bundle) else bundle.on_threads(threads)

    def _checked(self, model: ModelFacts, name: str) -> Path:
        """A derived file, its digest checked."""
        folder = self.model(model.reference.digest)
        try:
            digests: dict[str, str] = json.loads((folder / DERIVED).read_bytes())
            if sha256_file(folder / name) == digests[name]:
                return folder / name
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(f"{folder / name}: cannot be read ({error!r}); delete the folder, it is fetched again") from error
        raise BundleError(f"{folder / name}: its bytes changed since it was written; delete the folder, it is fetched again")


def _is_quick(bundle: Bundle) -> bool:
    """Whether a network answers in so little time on one thread that more would do less than another image beside it."""
    blank = np.full((1, *bundle.description.stored_size, 3), 128, np.uint8)
    took = []
    for _ in range(2):  # what is done once is done first
        started = time.perf_counter()
        bundle.predict_pixels(blank)
        took.append(time.perf_counter() - started)
    return min(took) < _QUICK_SECONDS


def _read(path: Path) -> ServedRelease | None:
    try:
        return ServedRelease.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None  # what cannot be read is fetched again


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
