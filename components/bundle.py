"""The model contract: a folder that is enough to predict, written and read here alone.

    bundle.json          what the model is and what it needs: see Description; and the digest of every file of the bundle
    model.onnx           `image` (N x H x W x 3 float32 RGB, 0 to 1) → `probabilities` (N x 8) or `mask` (N x H x W x 1); of a
                         classifier `features` too, what its last layer sees (of several models: of the first one)
    refusal.npz          what tells images that a classifier should not answer, where it can (`components.refusal`)
    weights.weights.h5   the same weights for Keras, to train on; of a mean of several models weights-00.weights.h5, …, one a model
    MODEL_CARD.md        for people
    segmenter/           the bundle of the segmenter that images are cropped by, where they are: a part of this one
    parent/              the bundle that training went on from, where there is one; no part of this one

It predicts through ONNX Runtime alone, without TensorFlow, and holds nothing of the machine or the time that made it. The folder
may hold other files (curves of the training); they are no part of the bundle. bundle.json is written last, so that a folder which
has one holds all the others.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.calibration import calibrate
from components.conformal import Conformal
from components.errors import BundleError, ImageFormatError
from components.files import atomic_write, link_file, link_files, sha256_bytes, sha256_file, write_text
from components.flips import mean_over_flips
from components.images import RGBImage
from components.lesion_crop import SEGMENTER, WHOLE, Box, crop, cropped_part, find_lesion
from components.lesions import Task
from components.params import PreprocessParams, Size
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input
from components.preprocess.stages import preprocess_image
from components.refusal import Refusal

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Probabilities = npt.NDArray[np.float32]
"""float32, 0 to 1: N x 8 in the order of `components.lesions.CODES`, each row summing to 1; or N x H x W, of being lesion."""

DESCRIPTION = "bundle.json"
MODEL = "model.onnx"
FEATURES = "features"
REFUSAL = "refusal.npz"
WEIGHTS = "weights.weights.h5"
CARD = "MODEL_CARD.md"
PARENT = "parent"

# Enough to keep the cores busy; a batch of a deep ResNet stays below half a GiB.
_BATCH = 32


class Parent(BaseModel):
    """The model that another was trained on from.

    Attributes:
        digest: see `bundle_digest`.
        name: the model's name.
        data_version: of the data that it was trained on.
        phantom: whether it, or any that it was trained on from, learned from drawn images: its `Description.saw_drawn`.
        earlier: data versions of the models that it was trained on from in turn, the newest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str
    name: str
    data_version: str
    phantom: bool
    earlier: tuple[str, ...] = ()


class Int8(BaseModel):
    """What it costs that a network is kept in 8-bit integers: the difference of a figure on the images that judged it.

    Attributes:
        figure: `balanced accuracy` or `Dice`.
        difference: in integers less in float32.
        low, high: its 95 % interval, by bootstrap over groups.
        images: that judged it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    figure: str
    difference: float
    low: float
    high: float
    images: int


class Description(BaseModel):
    """What bundle.json says of a model, but for the digests.

    Attributes:
        name: the model's name; unique among the models of a run.
        task: what it answers.
        architecture: registered name of the network.
        input_size: height, width that the network sees, in pixels.
        classes: codes in the order of the probabilities; empty for a segmenter.
        preprocess: what raw images go through before the network.
        mask_threshold: least probability that counts as lesion; None for a classifier.
        test_flips: whether it answers with the mean over an image and its three mirror images.
        out_of_fold: SHA-256 of the out_of_fold.parquet that lies beside the bundle: its answers to what it learned from, each given
            by members that did not (`components.out_of_fold`); None: it learned from train alone, and val judges it.
        members: names of the models that it is the mean of, in the order of their weights; empty where it is one model. All of them
            are in the one ONNX graph.
        temperature: what a classifier's probabilities are calibrated with, after all means (`components.calibration`); None: they
            are as the network gives them.
        conformal: thresholds of the sets that a classifier answers with (`components.conformal`); None: it gives no sets.
        refuses: share of images like those that judged it which it refuses as strange; None: it refuses none.
        parameters_total: all parameters of the network.
        parameters_trainable: those that its last phase of training could change.
        data_version: of the data that it was trained on.
        phantom: whether any of that data was drawn, not photographed.
        training: parameters of the step that trained it.
        parent: the model that it was trained on from; None: it started from something else.
        segmenter_files: names of the files of the segmenter that images are cropped by, below `segmenter/`; empty: they are not.
        segmenter_saw_drawn: whether that segmenter learned from drawn images.
        int8: what it costs that the network is in 8-bit integers; None: it is in float32.
        libraries: version of each library that trained it, by name; empty where it was written before they were noted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    task: Task
    architecture: str
    input_size: Size
    classes: tuple[str, ...]
    preprocess: PreprocessParams
    mask_threshold: float | None
    test_flips: bool = False
    out_of_fold: str | None = None
    members: tuple[str, ...] = ()
    temperature: Annotated[float, Field(gt=0)] | None = None
    conformal: Conformal | None = None
    refuses: float | None = None
    parameters_total: int
    parameters_trainable: int
    data_version: str
    phantom: bool
    training: dict[str, Any]
    parent: Parent | None = None
    segmenter_files: tuple[str, ...] = ()
    segmenter_saw_drawn: bool = False
    int8: Int8 | None = None
    libraries: dict[str, str] = {}

    @property
    def saw_drawn(self) -> bool:
        """Whether the model, the segmenter that crops for it, or any that it was trained on from learned from drawn images."""
        return self.phantom or self.segmenter_saw_drawn or (self.parent is not None and self.parent.phantom)

    @property
    def learned_from(self) -> tuple[str, ...]:
        """Data versions that the model, and those that it was trained on from in turn, learned from, the newest first."""
        return (self.data_version, *(() if self.parent is None else (self.parent.data_version, *self.parent.earlier)))

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height, width of preprocessed images of the model's task."""
        if self.task is Task.CLASSIFICATION:
            return self.preprocess.classification_size
        return self.preprocess.segmentation_size

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the files of Keras weights: one, or one for each member."""
        return tuple(f"weights-{number:02d}.weights.h5" for number in range(len(self.members))) or (WEIGHTS,)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all the bundle's files."""
        refusal = () if self.refuses is None else (REFUSAL,)
        return (DESCRIPTION, MODEL, *self.weights, CARD, *refusal, *(f"{SEGMENTER}/{name}" for name in self.segmenter_files))


def write_bundle(
    root: Path,
    description: Description,
    *,
    model: bytes,
    weights: Sequence[Path],
    card: str,
    segmenter: Path | None = None,
    refusal: Refusal | None = None,
) -> None:
    """Write a bundle's files, bundle.json last; killed before that, it can be called again with the same files.

    Args:
        root: the folder; made if absent.
        description: what the model is.
        model: the network, a serialised ONNX model.
        weights: files of Keras weights, one for each member, or one; they stay where they are, and nobody may change them any more.
        card: the model card, Markdown.
        segmenter: folder of the bundle whose files `description.segmenter_files` names.
        refusal: what tells strange images, where `description.refuses` says so.
    """
    if segmenter is not None:
        link_files(segmenter, root / SEGMENTER, description.segmenter_files)
    with atomic_write(root / MODEL) as handle:
        handle.write(model)
    for source, name in zip(weights, description.weights, strict=True):
        (root / name).unlink(missing_ok=True)
        link_file(source, root / name)
    if refusal is not None:
        with atomic_write(root / REFUSAL) as handle:
            handle.write(refusal.to_bytes())
    write_text(root / CARD, card)
    digests = {name: sha256_file(root / name) for name in description.files if name != DESCRIPTION}
    write_text(root / DESCRIPTION, json.dumps(_sealed(description.model_dump(mode="json"), digests), indent=1) + "\n")


def is_whole(root: Path) -> bool:
    """Whether `write_bundle` ended in this folder."""
    return (root / DESCRIPTION).exists()


def read_description(root: Path) -> Description:
    """Read what a bundle says of itself; its other files are not looked at.

    Raises:
        BundleError: bundle.json is absent, changed or of another schema version.
    """
    return _read(root)[0]


def bundle_digest(root: Path) -> str:
    """What tells bundles apart: the SHA-256 of bundle.json, which holds the digest of each other file."""
    return sha256_file(root / DESCRIPTION)


def read_parent(root: Path) -> Parent | None:
    """The bundle that lies in `parent/` of a model's folder, or None where there is none; its other files are not looked at.

    Raises:
        BundleError: as `read_description`.
    """
    folder = root / PARENT
    if not folder.is_dir():
        return None
    parent = read_description(folder)
    return Parent(
        digest=bundle_digest(folder),
        name=parent.name,
        data_version=parent.data_version,
        phantom=parent.saw_drawn,
        earlier=parent.learned_from[1:],
    )


class Bundle:
    """A model, ready to predict.

    Attributes:
        description: what it is and what it needs.
    """

    def __init__(self, root: Path, description: Description, network: Path | None = None, threads: int | None = None) -> None:
        self.description = description
        self._root = root
        self._network = network or root / MODEL
        self._threads = threads

    @classmethod
    def load(cls, root: Path, *, network: Path | None = None, threads: int | None = None) -> "Bundle":
        """Open a bundle and check the bytes of all its files.

        Args:
            root: its folder.
            network: what to run in place of its model.onnx: the same network, giving out more (`components.grad_cam`).
            threads: that one answer takes, where others are to be left to others; None: a thread a core, which wait by spinning.

        Raises:
            BundleError: a file is absent, or its bytes are not those that were written.
        """
        description, digests = _read(root)
        for name, digest in digests.items():
            if not (root / name).is_file():
                raise BundleError(f"{root / name}: does not exist; {root} is no whole bundle, copy it again or train again")
            if sha256_file(root / name) != digest:
                raise BundleError(f"{root / name}: its bytes changed since it was written; copy the bundle again or train again")
        return cls(root, description, network, threads)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.description.name

    @property
    def task(self) -> Task:
        """What the model answers."""
        return self.description.task

    @property
    def architecture(self) -> str:
        """Registered name of the network."""
        return self.description.architecture

    @property
    def parameters_total(self) -> int:
        """All parameters of the network."""
        return self.description.parameters_total

    def on(self, preprocess: PreprocessParams) -> "Bundle":
        """The same model for images that went through this preprocessing, of another size than its own, say."""
        description = self.description.model_copy(update={"preprocess": preprocess})
        return Bundle(self._root, description, self._network, self._threads)

    def on_threads(self, threads: int) -> "Bundle":
        """The same model, of which one answer takes so many threads."""
        return Bundle(self._root, self.description, self._network, threads)

    def predict(self, images: Sequence[RGBImage]) -> Probabilities:
        """Predict raw images as they were decoded, of any sizes: each goes through the preprocessing that training used.

        Returns:
            As `predict_pixels`.

        Raises:
            ImageFormatError: an image is not H x W x 3 uint8.
        """
        return self._predict(self._preprocess(images))

    def predict_or_refuse(self, images: Sequence[RGBImage]) -> tuple[Probabilities, npt.NDArray[np.bool_]]:
        """As `predict`, of a classifier, and which images are so strange that the answer should not be given, N, bool.

        A bundle without `refuses` refuses none.
        """
        probabilities, strangeness = self._judge(self._preprocess(images))
        if self.refusal is None or strangeness is None:
            return probabilities, np.zeros(len(probabilities), bool)
        return probabilities, strangeness > self.refusal.threshold

    def predict_with_strangeness(self, pixels: npt.NDArray[np.uint8]) -> tuple[Probabilities, npt.NDArray[np.float32] | None]:
        """As `predict_pixels`, of a classifier, and how strange each image is, N (`components.refusal`); None: it refuses none.

        Raises:
            ImageFormatError: as `predict_pixels`.
        """
        return self._judge(self._checked(pixels))

    def _judge(self, images: Sequence[RGBImage] | npt.NDArray[np.uint8]) -> tuple[Probabilities, npt.NDArray[np.float32] | None]:
        probabilities, features = self._look(images)
        return probabilities, None if self.refusal is None else self.refusal.strangeness(features, images)

    def strangeness_of(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """How strange images that are preprocessed already are to a classifier that refuses, N; `pixels` as in `predict_pixels`."""
        strangeness = self._judge(self._checked(pixels))[1]
        assert strangeness is not None, f"{self.name} refuses nothing"
        return strangeness

    def features_of(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What a classifier's last layer sees of images that are preprocessed already, N x F; `pixels` as in `predict_pixels`."""
        return self._look(pixels)[1]

    def _preprocess(self, images: Sequence[RGBImage]) -> list[RGBImage]:
        size, params = self.description.stored_size, self.description.preprocess
        if self._segmenter is not None:
            images = self._segmenter.crop_to_lesion(images, margin=params.crop_margin, size=size)
        return [preprocess_image(image, size, params) for image in images]

    def crop_to_lesion(self, images: Sequence[RGBImage], *, margin: float, size: tuple[int, int]) -> list[RGBImage]:
        """Crop raw images to the lesion that this segmenter finds in each; an image in which it finds none is left whole.

        Args:
            images: H x W x 3, uint8, RGB, of any sizes.
            margin, size: see `components.lesion_crop.crop`.

        Raises:
            ImageFormatError: an image is not H x W x 3 uint8.
        """
        return [crop(image, box, margin=margin, size=size) for image, box in zip(images, self.find_lesions(images), strict=True)]

    def find_lesions(self, images: Sequence[RGBImage]) -> list[Box]:
        """The box around the lesion that this segmenter finds in each raw image; `WHOLE` where it finds none.

        Raises:
            ImageFormatError: an image is not H x W x 3 uint8.
        """
        threshold = self.description.mask_threshold
        assert threshold is not None, f"{self.name} is no segmenter"
        return [find_lesion(probabilities >= threshold) for probabilities in self.predict(images)]

    def preprocess_part(self, image: RGBImage) -> tuple[RGBImage, Box]:
        """A raw image preprocessed, and which part of it that shows: all, or that around the lesion which it is cropped to.

        Raises:
            ImageFormatError: the image is not H x W x 3 uint8.
        """
        size, params = self.description.stored_size, self.description.preprocess
        if self._segmenter is None:
            return preprocess_image(image, size, params), WHOLE
        (lesion,) = self._segmenter.find_lesions([image])
        part = crop(image, lesion, margin=params.crop_margin, size=size)
        shown = cropped_part(image.shape[:2], lesion, margin=params.crop_margin, size=size)
        return preprocess_image(part, size, params), shown

    def predict_pixels(self, pixels: npt.NDArray[np.uint8]) -> Probabilities:
        """Predict images that are preprocessed already.

        Args:
            pixels: N x H x W x 3, uint8, RGB, H x W the stored size, as `Dataset.images` gives them.

        Returns:
            A classifier: N x 8, in the order of CODES. A segmenter: N x H x W, H x W the network's `input_size`.

        Raises:
            ImageFormatError: `pixels` is of another shape or type.
        """
        return self._predict(self._checked(pixels))

    def _checked(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        wanted = (*self.description.stored_size, 3)
        if pixels.ndim != 4 or pixels.shape[1:] != wanted or pixels.dtype != np.uint8:
            raise ImageFormatError(
                f"{self.name}: was given {' x '.join(map(str, pixels.shape))} {pixels.dtype}; it wants N x "
                f"{' x '.join(map(str, wanted))} uint8: give raw images to `predict` instead"
            )
        return pixels

    def _predict(self, images: Sequence[RGBImage] | npt.NDArray[np.uint8]) -> Probabilities:
        return self._look(images)[0]

    def _look(self, images: Sequence[RGBImage] | npt.NDArray[np.uint8]) -> tuple[Probabilities, npt.NDArray[np.float32]]:
        """Probabilities, and the features of the images as they are, none of a network that gives none."""
        size = self.description.input_size
        shape = (len(self.description.classes),) if self.task is Task.CLASSIFICATION else size
        answers, seen = [np.empty((0, *shape), np.float32)], []
        for batch in _batches(images):
            pixels = normalise(np.stack([fit_input(image, size) for image in batch]))
            given: list[list[npt.NDArray[np.float32]]] = []

            def ask(pixels: npt.NDArray[np.float32], given: list[list[npt.NDArray[np.float32]]] = given) -> npt.NDArray[np.float32]:
                given.append(self.values(self._given, pixels))
                return given[-1][0]

            answer = mean_over_flips(ask, pixels) if self.description.test_flips else ask(pixels)
            answers.append(answer.reshape(len(batch), *shape))
            seen += given[0][1:]  # of the image itself, which is asked about first
        features = np.concatenate(seen) if seen else np.empty((0, 0), np.float32)
        return calibrate(np.concatenate(answers), self.description.temperature), features

    def values(self, names: Sequence[str], pixels: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Values of the network by their names, those that it gives out, of normalised images of its `input_size`."""
        values: list[npt.NDArray[np.float32]] = self._session.run(list(names), {"image": pixels})
        return values

    @cached_property
    def _given(self) -> list[str]:
        """The answer, and the features where there are any."""
        names = [output.name for output in self._session.get_outputs()]
        return [names[0], *(name for name in names[1:] if name == FEATURES)]

    @cached_property
    def _segmenter(self) -> "Bundle | None":
        """The segmenter that images are cropped by."""
        return Bundle.load(self._root / SEGMENTER, threads=self._threads) if self.description.segmenter_files else None

    @cached_property
    def refusal(self) -> Refusal | None:
        """What tells strange images; None: nothing does."""
        return None if self.description.refuses is None else Refusal.read(self._root / REFUSAL)

    @cached_property
    def _session(self) -> "InferenceSession":
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return InferenceSession(str(self._network), options, providers=["CPUExecutionProvider"])


def _batches(images: Sequence[RGBImage] | npt.NDArray[np.uint8]) -> Iterator[Sequence[RGBImage] | npt.NDArray[np.uint8]]:
    return (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))


def _sealed(values: dict[str, Any], digests: dict[str, str]) -> dict[str, Any]:
    """The content of bundle.json: `values` and the digests, among them one of all the rest of bundle.json."""
    content = {**values, "digests": digests}
    seal = sha256_bytes(json.dumps(content, sort_keys=True).encode())
    return {**values, "digests": {**digests, DESCRIPTION: seal}}


def _read(root: Path) -> tuple[Description, dict[str, str]]:
    """The description and the digests of the other files."""
    path = root / DESCRIPTION
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        digests: dict[str, str] = dict(values.pop("digests"))
        seal = digests.pop(DESCRIPTION)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: does not exist; {root} is no model bundle") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: cannot be read ({error!r}); copy the bundle again or train again") from error
    if _sealed(values, digests)["digests"][DESCRIPTION] != seal:
        raise BundleError(f"{path}: its bytes changed since it was written; copy the bundle again or train again")
    try:
        return Description.model_validate(values), digests
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise BundleError(f"{path}: {field}: {first['msg']}; this program reads schema version 1, train again") from error
