"""Every parameter of the pipeline, typed: one section a step, and one for the cluster on which they run.

Values live in `params.yaml` alone (a field has no default here, so that none is silent); a profile of `profiles/`,
`--data` and `--set` override it, in this order. A step is handed its own section and nothing else.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.errors import ParamsError
from components.project import project_file, project_files

Size = Annotated[
    tuple[Annotated[int, Field(ge=16, le=1024)], Annotated[int, Field(ge=16, le=1024)]],
    Field(description="height, width in pixels"),
]
Share = Annotated[float, Field(gt=0, lt=1)]
FailOn = Literal["never", "critical", "high", "medium"]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1, description="seed of every random draw of the step")]


class Section(BaseModel):
    """A step's parameters; unknown keys are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def identity(self) -> Self:
        """These parameters as far as they decide the step's output; they enter its key."""
        return self


class PhantomParams(Section):
    """Drawn dermoscopy (`--data phantom`)."""

    lesions_per_class: int = Field(ge=2, le=5000, description="lesions drawn for each of the eight diagnoses")
    images_per_lesion: int = Field(ge=1, le=4, description="most images of one lesion; each lesion draws 1 to this many")
    size: Size = Field(description="height, width of the pictures, in pixels")
    seed: Seed


PHANTOM = "phantom"

# A repository's own `:` and `@` (https://host:8080/x, git@host:x) come before the last `@REVISION:`; HEAD@{1} is a revision too.
DVC_SOURCE = re.compile(r"dvc:(?P<repository>.+)@(?P<revision>[^@:{}]+(?:@\{[^{}:]*\})?):(?P<path>[^:]*)")


def source_name(source: str) -> str:
    """What the manifest calls a source: the name of a folder or repository, never where it lies."""
    if source == PHANTOM or source.startswith("isic:"):
        return source
    if source.startswith("s3://"):
        return source.rstrip("/")
    found = DVC_SOURCE.fullmatch(source)
    if found:
        repository = re.split(r"[/:]", found["repository"].rstrip("/"))[-1].removesuffix(".git")
        return f"dvc:{repository}:{found['path'].strip('/') or '.'}"
    return Path(source).expanduser().resolve().name


class IngestParams(Section):
    """Where images come from."""

    sources: list[str] = Field(
        min_length=1,
        description="what to read: phantom, a folder, isic:2019, isic:2018-task1, s3://bucket/prefix, dvc:repository@revision:path",
    )
    isic_endpoint: str = Field(description="address of the S3 service that has the ISIC challenges' public bucket")
    s3_endpoint: str | None = Field(description="address of the S3 service of s3:// sources; null: AWS, or AWS_ENDPOINT_URL")
    phantom: PhantomParams

    def identity(self) -> Self:
        """These parameters as far as they decide the output: where files lie does not, what they are called does."""
        names = [source_name(source) for source in self.sources]
        return self.model_copy(update={"sources": names, "isic_endpoint": "", "s3_endpoint": None})


class ValidateParams(Section):
    """What is checked, and how images are grouped and split."""

    max_quarantined: float = Field(ge=0, le=1, description="largest share of rows that may be bad before the run stops")
    split: Literal["hash", "official"] = Field(description="hash: by group; official: a source's own split where it has one")
    test_share: Share = Field(description="share of groups in test")
    val_share: Share = Field(description="share of groups in val")
    folds: int = Field(ge=2, le=20, description="folds cut from train + val")
    hash_distance: int = Field(ge=0, le=16, description="largest Hamming distance of 64-bit perceptual hashes for a near-duplicate")
    correlation: float = Field(ge=0.5, le=1, description="least correlation of the thumbnails' textures for a near-duplicate")
    audit_fail_on: FailOn = Field(description="the mildest severity of a finding of the audit that stops the run")

    @model_validator(mode="after")
    def _train_is_left(self) -> "ValidateParams":
        if self.test_share + self.val_share >= 1:
            raise ValueError("test_share + val_share must stay below 1, so that something is left to train on")
        return self


_DIGEST = "#sha256="
_BUNDLE = "bundle"


def bundle_weights(version: str, digest: str) -> str:
    """The parameter `weights` that names a bundle: by its version, `lesion-classifier/7`, for people, and by its digest."""
    return f"{_BUNDLE}:{version}{_DIGEST}{digest}"


def bundle_of(weights: str) -> str | None:
    """Digest of the bundle that a parameter `weights` names; None: it names none."""
    place, _, digest = weights.rpartition(_DIGEST)
    return digest if place == _BUNDLE or place.startswith(f"{_BUNDLE}:") else None


def names_file(weights: str) -> bool:
    """Whether a parameter `weights` names a file, of which nobody knows what it learned from."""
    return _DIGEST in weights and bundle_of(weights) is None


def version_of(weights: str) -> str:
    """The registered version that a parameter `weights` names, `lesion-classifier/7`; empty where it names none."""
    return weights.rpartition(_DIGEST)[0].removeprefix(_BUNDLE).removeprefix(":") if bundle_of(weights) else ""


class PreprocessParams(Section):
    """The report's chapter 4: resize, hair removal, CLAHE, normalise."""

    mode: Literal["exact", "fast"] = Field(
        description="exact: the report's pixels, bit for bit; fast: decoded at a reduced scale where the image is twice the size"
    )
    classification_size: Size = Field(description="height, width of classifier images (report: 224, 224)")
    segmentation_size: Size = Field(description="height, width of segmenter images (report: 256, 256 or 256, 384)")
    remove_hair: bool = Field(description="paint over dark hairs")
    hair_kernel: int = Field(ge=3, le=99, description="side of the cross of the black-hat morphology, in pixels (report: 17)")
    hair_threshold: int = Field(ge=0, le=255, description="least black-hat response that counts as hair (report: 10)")
    inpaint_radius: int = Field(ge=1, le=20, description="radius of Telea's inpainting, in pixels (report: 1)")
    equalise: bool = Field(description="CLAHE on the lightness of LAB")
    clip_limit: float = Field(gt=0, le=40, description="CLAHE's clip limit (report: 2.0)")
    tiles: int = Field(ge=1, le=64, description="CLAHE's tiles a side (report: 8)")
    shard_rows: int = Field(ge=1, le=10_000, description="images in one shard file")

    segmenter: str | None = Field(
        # What was preprocessed before this was there was not cropped.
        default=None,
        pattern=r"^bundle(:.+)?#sha256=[0-9a-f]{64}$",
        description="classifier images are cropped to the lesion that this segmenter finds (`--crop-by`); null: left whole",
    )
    crop_margin: float = Field(
        default=0.2,
        ge=0,
        le=2,
        description="margin around the lesion, as a share of its height and width; where images are cropped",
    )

    def identity(self) -> Self:
        """These parameters as far as they decide the output: of a segmenter the digest does, its name does not."""
        if self.segmenter is None:
            return self
        return self.model_copy(update={"segmenter": f"{_BUNDLE}{_DIGEST}{bundle_of(self.segmenter)}"})


class AugmentBalanceParams(Section):
    """What training draws anew each epoch, and how often each image comes."""

    rotation: float = Field(ge=0, le=180, description="largest turn, in degrees, either way (report: 15 to 45)")
    horizontal_flip: bool = Field(description="mirror left and right, half of the time")
    vertical_flip: bool = Field(description="mirror up and down, half of the time")
    zoom: float = Field(ge=0, le=0.9, description="largest zoom in or out, as a share of the image")
    brightness: float = Field(ge=0, le=1, description="largest change of brightness, as a share of the range")
    contrast: float = Field(ge=0, le=0.9, description="largest change of contrast about the image's mean, as a share")
    saturation: float = Field(ge=0, le=0.9, description="largest change of saturation, as a share")
    hue: float = Field(ge=0, le=0.5, description="largest turn of hue, as a share of the circle")
    hair: float = Field(ge=0, le=1, description="share of the samples that hairs are painted on")
    max_images: int | None = Field(
        ge=1, description="most images of a diagnosis in an epoch, drawn anew each epoch; null: all of them, every epoch"
    )
    max_masks: int | None = Field(
        ge=1, description="most images with masks of a source in an epoch, drawn anew each epoch; null: all of them, every epoch"
    )
    oversample: bool = Field(description="repeat images of minority classes")
    max_repeats: int = Field(ge=1, le=100, description="most times one image comes in an epoch")
    class_weights: bool = Field(description="weigh the loss by balanced class weights")
    seed: Seed


class Stage(Section):
    """A part of training at a size of its own (progressive resizing, Howard 2018)."""

    epochs: int = Field(ge=1, le=1000, description="epochs of the stage")
    size: Size


class TrainingParams(Section):
    """How a network is trained, whatever it answers."""

    models: list[str] = Field(description="architectures to train, by registered name")
    input_size: Size | None = Field(description="height, width that the model sees; null: as preprocessed")
    weights: str = Field(
        pattern=r"^(imagenet|none|.+#sha256=[0-9a-f]{64})$",
        description="what it starts from: imagenet, none, FILE#sha256=DIGEST or bundle:NAME/VERSION#sha256=DIGEST (`--from`)",
    )
    epochs: int = Field(ge=0, le=1000, description="most epochs with all layers training")
    batch_size: int = Field(ge=1, le=1024, description="images a step (report: 32)")
    learning_rate: float = Field(gt=0, le=1, description="highest step size of Adam (report: 1e-5 for classifiers)")
    weight_decay: float = Field(
        ge=0,
        lt=1,
        description="share of a kernel that a step takes off, times the step size (AdamW, Loshchilov 2019); 0: Adam (report)",
    )
    clip_norm: float | None = Field(
        gt=0, allow_inf_nan=False, description="greatest norm of all gradients together; null: they are not clipped"
    )
    schedule: Literal["plateau", "cosine"] = Field(
        description="plateau: ReduceLROnPlateau (report); cosine: warm-up, then down along a half cosine (Loshchilov 2017)"
    )
    warmup: float = Field(ge=0, lt=1, description="cosine: share of the steps over which the rate rises from 0")
    reduce_factor: float = Field(gt=0, lt=1, description="plateau: new rate / old rate (report: 0.5)")
    reduce_patience: int = Field(ge=1, le=1000, description="plateau: epochs without gain before the rate falls")
    stop_patience: int | None = Field(
        ge=1, le=1000, description="epochs without gain before training stops; null: it goes on to the end"
    )
    keep: Literal["best", "last"] = Field(
        description="whose weights are kept: the best epoch's by the loss on val, of those at input_size, or the last one's"
    )
    ema: float | None = Field(
        gt=0, lt=1, description="decay a step of the running mean of the weights that is judged and kept (Polyak 1992); null: none"
    )
    progressive: list[Stage] = Field(description="smaller sizes that the first epochs of all layers see; the others see input_size")
    dropout: float = Field(ge=0, lt=1, description="share of activations dropped")
    folds: int = Field(
        ge=1, le=20, description="models, each trained on train + val but a fold and judged by it (1: on train, judged by val)"
    )
    fold: int | None = Field(ge=0, le=19, description="the one fold to train, from 0; null: all of them")
    seeds: int = Field(ge=1, le=20, description="models a fold that differ in their seed; the bundle answers with the mean of all")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="what layers compute in, with weights in float32 (Micikevicius 2018); "
        "auto: bfloat16 on a GPU, or for a network of plain convolutions on a processor, made for it"
    )
    test_flips: bool = Field(description="the model answers with the mean over the image and its three mirror images")
    int8_loss: float | None = Field(
        # What was trained before this was there is in float32.
        default=None,
        ge=0,
        le=0.5,
        description="kept in 8-bit integers (Jacob 2018) where balanced accuracy, or Dice, surely loses no more than this on the "
        "images that judge, by the 95 % interval; null: in float32",
    )
    overrides: dict[str, dict[str, Any]] = Field(description="parameters of one architecture that differ: name: {parameter: value}")
    seed: Seed

    @property
    def parent(self) -> str | None:
        """SHA-256 of the bundle.json of the bundle that training goes on from; None: it starts from something else."""
        return bundle_of(self.weights)

    def identity(self) -> Self:
        """These parameters as far as they decide the output: of a file or bundle of weights the digest does, its name does not."""
        place, _, digest = self.weights.rpartition(_DIGEST)
        if not place:
            return self
        return self.model_copy(update={"weights": f"{_BUNDLE if self.parent else 'file'}{_DIGEST}{digest}"})

    @model_validator(mode="after")
    def _stages_fit(self) -> "TrainingParams":
        if self.progressive and sum(stage.epochs for stage in self.progressive) >= self.epochs:
            raise ValueError("progressive takes all the epochs; leave at least one for input_size")
        return self

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> "TrainingParams":
        if self.fold is not None and (self.folds == 1 or self.fold >= self.folds):
            raise ValueError(f"fold is {self.fold}, but folds is {self.folds}; folds count from 0, and folds 1 has none to choose")
        return self


class TrainUnetParams(TrainingParams):
    """Segmentation: which architectures, and how they are trained."""

    epochs: int = Field(ge=1, le=1000, description="most epochs")
    mask_threshold: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="least probability that counts as lesion; null: chosen on val, by the Jaccard index"
    )


class TrainClassifierParams(TrainingParams):
    """Classification: which architectures, and how they are trained, in two phases."""

    frozen_epochs: int = Field(ge=0, le=1000, description="phase 1: epochs with the backbone frozen (0: none)")
    frozen_learning_rate: float = Field(gt=0, le=1, description="the optimizer's step size in phase 1")
    loss: Literal["cross_entropy", "focal"] = Field(description="cross_entropy (report) or focal (Lin 2017)")
    focal_gamma: float = Field(ge=0, le=10, description="focal: how much less what is right already counts (paper: 2)")
    logit_adjustment: float = Field(
        ge=0, le=4, description="how far the loss makes up for rare diagnoses: 0 not at all, 1 to equal chances (Menon 2021)"
    )
    label_smoothing: float = Field(ge=0, lt=1, description="share of the target that all diagnoses share (Szegedy 2016)")
    mix: Literal["none", "mixup", "cutmix"] = Field(
        description="pairs of samples blended (mixup, Zhang 2018) or pasted into each other (cutmix, Yun 2019)"
    )
    mix_alpha: float = Field(gt=0, le=10, description="both parameters of the beta distribution that the pairs' shares come from")

    @model_validator(mode="after")
    def _trains_at_all(self) -> "TrainClassifierParams":
        if self.frozen_epochs + self.epochs == 0:
            raise ValueError("frozen_epochs and epochs are both 0; at least one of them must be 1 or more")
        return self


Training = TypeVar("Training", bound=TrainingParams)


class EvaluateParams(Section):
    """What is measured and drawn."""

    overlays: int = Field(ge=0, le=64, description="test images drawn with true and predicted outline")
    melanoma_specificity: float = Field(
        # What was evaluated before this was there has a record without it.
        default=0.9,
        gt=0,
        lt=1,
        description="least specificity at which the share of melanomas found is told",
    )


class RegisterParams(Section):
    """Which models are put forward to serve, and who decides."""

    metric: Literal["macro_f1", "accuracy", "balanced_accuracy", "macro_auc"] = Field(
        description="validation figure that chooses the best classifier (report: macro_f1)"
    )
    policy: str = Field(
        # What was registered before there were policies has a record without it; what leaves it out is asked everything.
        default="production",
        min_length=1,
        description="policy of mlflow/promotion.yaml that decides whether they serve",
    )
    experiment: str = Field(min_length=1, description="MLflow experiment of the runs")


class Toleration(Section):
    """A taint of nodes that a pod puts up with, in Kubernetes' own words."""

    key: str = Field(min_length=1, description="the taint's key")
    operator: Literal["Equal", "Exists"] = Field(default="Exists", description="Equal: its value counts; Exists: it does not")
    value: str | None = Field(default=None, description="the taint's value, for Equal")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(default=None, description="null: every effect")


class PodParams(Section):
    """What the pod of a step asks of a cluster, and how often it is tried."""

    cpu: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?m?$", description="cores that it gets, as request and limit: 2, 500m")
    memory: str = Field(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$", description="memory that it gets, as request and limit: 8Gi")
    disk: str = Field(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$", description="most that it writes to its node's disk: 20Gi")
    accelerator: str | None = Field(description="kind of accelerator, as the cluster calls it: nvidia.com/gpu; null: none")
    accelerators: int = Field(ge=1, le=16, description="how many of them, where accelerator names a kind")
    node_selector: dict[str, str] = Field(description="labels that its node must have")
    tolerations: list[Toleration] = Field(description="taints that its node may have")
    retries: int = Field(ge=0, le=20, description="times that it is tried again where it failed or its node went away")
    backoff: int = Field(ge=1, le=3600, description="seconds before the first of them")
    backoff_factor: float = Field(ge=1, le=10, description="how much longer each further wait is")
    backoff_limit: int = Field(ge=1, le=86_400, description="most seconds between two tries")
    time_limit: int = Field(ge=60, le=2_592_000, description="seconds after which one try is ended")


class SecretNames(Section):
    """Names of the Secrets that a cluster holds; what is in them never comes near the pipeline."""

    tracking: str = Field(description="MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD")
    s3: str = Field(description="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
    ledger: str = Field(description="DERMACARE_LEDGER, an SQLAlchemy address; `register` alone gets it")
    signing_key: str = Field(description="signing.key, a file; `register` alone gets it")
    notify: str = Field(description="DERMACARE_WEBHOOK, for those who are told of a failure; it need not exist")


PODS = (
    "ingest",
    "validate",
    "preprocess_shards",
    "preprocess",
    "augment_balance",
    "train_unet",
    "train_classifier",
    "evaluate",
    "register",
    "report_failure",
)
"""Names of all steps that have a pod on a cluster."""


class ClusterParams(Section):
    """How the steps run on Kubeflow Pipelines. None of it decides what comes out, so it enters no step's key."""

    namespace: str = Field(min_length=1, description="namespace of the runs, where Kubeflow serves several")
    pipeline: str = Field(min_length=1, description="name of the pipeline in Kubeflow")
    experiment: str = Field(min_length=1, description="Kubeflow's experiment of the runs")
    service_account: str = Field(min_length=1, description="service account of the pods")
    config_map: str = Field(min_length=1, description="ConfigMap with the addresses: MLflow, S3, the step store")
    secrets: SecretNames
    image_registry: str = Field(description="what stands before the images' names; empty: $DERMACARE_IMAGE_REGISTRY, or nothing")
    artifact_root: str | None = Field(
        pattern=r"^(s3|minio|gs)://[^/].*$", description="where Kubeflow keeps artifacts: s3://bucket/prefix; null: its own default"
    )
    preprocess_tasks: int = Field(ge=1, le=200, description="pods among which preprocessing is dealt out")
    every_step: PodParams
    steps: dict[str, dict[str, Any]] = Field(description="what differs for a step: name: {parameter: value}")

    def pod(self, step: str) -> PodParams:
        """What the pod of the step of this name asks for: `every_step`, with that step's changes applied."""
        return PodParams.model_validate(self.every_step.model_dump() | self.steps.get(step, {}))

    @model_validator(mode="after")
    def _steps_hold(self) -> "ClusterParams":
        for step in self.steps:
            if step not in PODS:
                raise ValueError(f"cluster.steps.{step} is no step; there are {', '.join(PODS)}")
            try:
                self.pod(step)
            except ValidationError as error:
                raise ValueError(_sentence(error.errors()[0], f"cluster.steps.{step}", {})) from error
        return self


def _packaged_cluster() -> ClusterParams:
    """As the packaged params.yaml has it: for records, and a params.yaml of the user's, of before there was a cluster."""
    return ClusterParams.model_validate(_read_yaml(project_file("params.yaml"))["cluster"])


class IntakeParams(Section):
    """What a batch of new images must hold before `dermacare retrain` trains on it; no step of the pipeline reads it.

    Each has a default: what was run before there was an intake has a record without it.
    """

    checks: list[Literal["copies", "missing_class", "modality", "labels"]] = Field(
        default=["copies", "missing_class", "modality", "labels"],
        description="checks that may refuse a batch; one that is left out is not carried out",
    )
    copies: float = Field(
        default=0.02, ge=0, le=1, description="largest share of a batch that may show what test images show, under other ids"
    )
    contradictions: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="largest share of a batch that may do so with another diagnosis than the test image's",
    )
    strange: float = Field(
        default=0.04,
        ge=0,
        lt=1,
        description="share of a batch that may look like nothing that was there: another camera, a new clinic",
    )
    alpha: float = Field(
        default=0.02, gt=0, lt=0.5, description="how often each check that reckons with chance may refuse a sound batch"
    )
    most: int = Field(
        default=4000,
        ge=100,
        le=100_000,
        description="old images, and new ones, that a network looks at, drawn by a hash of their group",
    )
    seed: Seed = 2019


class Params(Section):
    """The whole of params.yaml."""

    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    preprocess: PreprocessParams
    augment_balance: AugmentBalanceParams
    train_unet: TrainUnetParams
    train_classifier: TrainClassifierParams
    evaluate: EvaluateParams
    register_: RegisterParams = Field(alias="register")
    cluster: ClusterParams = Field(default_factory=_packaged_cluster)
    intake: IntakeParams = IntakeParams()

    def section(self, step: str) -> Section:
        """The parameters of the step of this name."""
        section: Section = getattr(self, {"validate": "validate_", "register": "register_"}.get(step, step))
        return section

    @model_validator(mode="after")
    def _overrides_hold(self) -> "Params":
        for name in ("train_unet", "train_classifier"):
            section = self.section(name)
            assert isinstance(section, TrainingParams)
            for model in section.overrides:
                try:
                    for_model(section, model)
                except ValidationError as error:
                    raise ValueError(_sentence(error.errors()[0], f"{name}.overrides.{model}", {})) from error
        if not self.train_unet.models and not self.train_classifier.models:
            raise ValueError("train_unet.models and train_classifier.models are both empty; name at least one model to train")
        return self

    @model_validator(mode="after")
    def _folds_are_those_of_the_data(self) -> "Params":
        for name in ("train_unet", "train_classifier"):
            section = self.section(name)
            assert isinstance(section, TrainingParams)
            for model in section.models:
                if (folds := for_model(section, model).folds) not in (1, self.validate_.folds):
                    raise ValueError(
                        f"{name}.folds is {folds} for {model}, but validate.folds cuts the data into {self.validate_.folds}; set "
                        "both to the same number, or folds to 1"
                    )
        return self

    @model_validator(mode="after")
    def _rare_diagnoses_are_made_up_for_once(self) -> "Params":
        for model in self.train_classifier.models if self.augment_balance.class_weights else ():
            if for_model(self.train_classifier, model).logit_adjustment:
                raise ValueError(
                    f"train_classifier.logit_adjustment is on for {model}, but augment_balance.class_weights makes up for rare "
                    "diagnoses already and would leave it nothing to do; switch one of them off"
                )
        return self


def for_model(section: Training, model: str) -> Training:
    """The parameters with which one architecture is trained: the section, with that architecture's overrides applied.

    `models` names the one architecture and `overrides` is empty, so that what the others are set to does not enter its key.
    """
    values = section.model_dump() | section.overrides.get(model, {}) | {"models": [model], "overrides": {}}
    return type(section).model_validate(values)


@dataclass(frozen=True)
class Resolved:
    """Parameters, and for each dotted key that something overrode, what did."""

    params: Params
    sources: dict[str, str]


def load_params(
    file: Path | None = None,
    *,
    profile: str | None = None,
    data: Sequence[str] = (),
    assignments: Sequence[str] = (),
) -> Resolved:
    """Read params.yaml and everything that overrides it.

    Args:
        file: a params.yaml; None: the one of the working directory, or else the one that the package ships.
        profile: name of a profile whose values override the file's.
        data: sources, in the spelling of `--data`; they replace `ingest.sources`.
        assignments: `section.key=value`, value in YAML; of `overrides` it replaces all, below them it changes that value alone.

    Raises:
        ParamsError: a key is unknown, or a value is of the wrong type or out of range.
    """
    if file is None:
        file = Path("params.yaml") if Path("params.yaml").is_file() else project_file("params.yaml")
    values = _read_yaml(file)
    origin: dict[str, str] = {}
    if profile is not None:
        _override(values, _read_profile(profile), f"profile {profile}", origin)
    if data:
        _override(values, {"ingest": {"sources": list(data)}}, "--data", origin)
    for assignment in assignments:
        _assign(values, *_parse_assignment(assignment), origin)
    return Resolved(validate_params(values, str(file), origin), origin)


def profiles() -> list[str]:
    """Names of the profiles that `--profile` takes."""
    return sorted(path.stem for path in project_files("profiles", "*.yaml"))


def validate_params(values: Mapping[str, Any], name: str, origin: Mapping[str, str]) -> Params:
    """Check values against the types; `name` stands in errors for what `origin` does not name."""
    try:
        return Params.model_validate(dict(values))
    except ValidationError as error:
        raise ParamsError("; ".join(_sentence(e, name, origin) for e in error.errors()[:3])) from error


def sources_of(key: str, origin: Mapping[str, str]) -> list[str]:
    """What overrode a parameter or section, or anything above or in it, each named once; what did so last is the last."""
    related = [source for other, source in origin.items() if not key or _within(key, other) or _within(other, key)]
    return list(reversed(dict.fromkeys(reversed(related))))


def _within(key: str, section: str) -> bool:
    return f"{key}.".startswith(f"{section}.")


def _sentence(error: Any, name: str, origin: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    by = sources_of(key, origin)
    if error["type"] == "value_error":  # a rule about several parameters of a section, or of all sections
        rule = str(error["ctx"]["error"])
        return ": ".join([", ".join(by) or name, *([] if rule.startswith(key) else [key]), rule])
    where = by[-1] if by else name
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list(describe()), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `dermacare params` lists what there is"
        return f"{where}: {key} is no parameter{hint}"
    if error["type"] == "missing":
        return f"{where}: {key} is missing; `dermacare params` shows its type and range"
    wanted = error["msg"][0].lower() + error["msg"][1:]
    wanted = wanted.replace("input should be", "it must be")
    return f"{where}: {key} is {error['input']!r}; {wanted}"


def describe() -> dict[str, tuple[str, str, str]]:
    """Every parameter: dotted key → (type, range, description)."""
    rows: dict[str, tuple[str, str, str]] = {}

    def walk(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            key = prefix + (field.alias or name)
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                walk(kind, key + ".")
                continue
            limits = ", ".join(text for meta in field.metadata if (text := _limit(meta)))
            rows[key] = (_type_name(kind), limits, field.description or "")

    walk(Params, "")
    return rows


def _limit(meta: object) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >="}
    return ", ".join(f"{sign} {getattr(meta, name):g}" for name, sign in signs.items() if getattr(meta, name, None) is not None)


def _type_name(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", None) else str(kind)
    if "tuple[" in text:
        return "[height, width]" + (" or null" if "None" in text else "")
    if "Literal" in text:
        return " | ".join(str(value) for value in kind.__args__)
    return text.replace("typing.", "")


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{file}: cannot be read ({error.strerror}); give a params.yaml that exists") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(
            f"{file}: is not valid YAML ({str(error).splitlines()[0]}); mend it or start from the packaged one"
        ) from error
    if not isinstance(values, dict):
        raise ParamsError(f"{file}: holds no sections; it must be a mapping of steps to parameters")
    return values


def _read_profile(name: str) -> dict[str, Any]:
    if name not in profiles():
        near = difflib.get_close_matches(name, profiles(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ParamsError(f"--profile: {name} is no profile; there are {', '.join(profiles())}{hint}")
    return _read_yaml(project_file(f"profiles/{name}.yaml"))


def _parse_assignment(assignment: str) -> tuple[list[str], Any]:
    """The parts of the key, and the value."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise ParamsError(f"--set: {assignment!r} is no assignment; write section.key=value")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParamsError(f"--set: the value of {key} is not valid YAML: {text!r}") from error
    if isinstance(value, str) and _is_number(value):
        value = float(value)  # YAML 1.1 reads 1e-3 as text
    return key.strip().split("."), value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _assign(values: dict[str, Any], key: list[str], value: Any, origin: dict[str, str], prefix: str = "") -> None:
    if len(key) > 1 and isinstance(values.get(key[0]), dict):
        _assign(values[key[0]], key[1:], value, origin, f"{prefix}{key[0]}.")
        return
    for part in reversed(key[1:]):
        value = {part: value}
    _override(values, {key[0]: value}, "--set", origin, prefix)


def _override(values: dict[str, Any], changes: Mapping[str, Any], source: str, origin: dict[str, str], prefix: str = "") -> None:
    for key, value in changes.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping) and isinstance(values.get(key), dict) and key != "overrides":
            _override(values[key], value, source, origin, dotted + ".")
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value
            origin.pop(dotted, None)  # so that what was set last stands last
            origin[dotted] = source
