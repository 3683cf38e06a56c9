"""The model card: what a model is, what it learned from, and what it must not be used for (Mitchell 2019)."""

from components.bundle import Description, Int8, Parent
from components.dataset import Dataset
from components.lesions import LESIONS, Diagnosis, Split, Task
from components.params import TrainClassifierParams, TrainUnetParams, names_file
from components.training.folds import choices_on_judged

_DRAWN = "> **Trained on drawn images (phantom): this model knows nothing about skin. Never use it on people.**\n\n"

_WHAT = {
    Task.CLASSIFICATION: "From one dermoscopic image to the probabilities of eight diagnoses.",
    Task.SEGMENTATION: "From one dermoscopic image to the probability of each pixel to be part of the lesion.",
}
_LIMITS = {
    Task.CLASSIFICATION: "- It knows eight diagnoses. Whatever else it is shown, it names one of them, or refuses the image.\n",
    Task.SEGMENTATION: "- It draws a mask whatever it is shown; an image without a lesion gets one too.\n"
    "- It sees the image at the size above; an outline is no finer than a pixel of that.\n",
}
_PARAMS: dict[Task, type[TrainClassifierParams] | type[TrainUnetParams]] = {
    Task.CLASSIFICATION: TrainClassifierParams,
    Task.SEGMENTATION: TrainUnetParams,
}


def write_card(description: Description, dataset: Dataset) -> str:
    """Write the model card of a model that was trained on a dataset, as Markdown; the same for the same arguments."""
    sections = [
        f"# {description.name}\n\n{_WHAT[description.task]}\n",
        _data_section(description, dataset),
        _input_section(description),
        _classes_section(description),
        *([_calibration_section(description)] if description.task is Task.CLASSIFICATION else []),
        _recipe_section(description),
        _parameters_section(description),
        _limits_section(description),
        _licence_section(description, dataset),
    ]
    return (_DRAWN if description.saw_drawn else "") + "\n".join(sections)


def _data_section(description: Description, dataset: Dataset) -> str:
    rows = dataset.rows(description.task)
    heads = ["images", "groups"] + ([code.value for code in Diagnosis] if description.task is Task.CLASSIFICATION else [])
    lines = [f"| split | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for split in Split:
        part = rows[rows["split"] == split.value]
        counts = [len(part), part["group_id"].nunique()]
        if description.task is Task.CLASSIFICATION:
            counts += [int((part["label"] == code.value).sum()) for code in Diagnosis]
        lines.append(f"| {split} | {' | '.join(map(str, counts))} |")
    sources = ", ".join(sorted(set(rows["source"])))
    folds = "" if description.out_of_fold is None else " and, of train and val, in one fold alone"
    torn = int((rows.groupby("group_id")["split"].nunique() > 1).sum())
    groups = (
        f"{torn:,} groups (patient, lesion, near-duplicates) lie in several splits, as their source has it: figures are too good"
        if torn
        else f"A group (patient, lesion, near-duplicates) lies in one split alone{folds}"
    )
    return (
        f"## Trained on\n\nData version `{description.data_version}`, from {sources}. {groups}; test was not looked at.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _input_section(description: Description) -> str:
    settings = description.preprocess
    height, width = description.stored_size
    stages = []
    if description.segmenter_files:
        stages.append(f"cropped to the lesion that the segmenter in `segmenter/` finds, with {settings.crop_margin:.0%} around it")
    stages += [f"scaled to {height} x {width} pixels (height x width)"]
    if settings.remove_hair:
        stages.append(f"hairs painted over (cross of {settings.hair_kernel} pixels, threshold {settings.hair_threshold})")
    if settings.equalise:
        stages.append(f"contrast evened out (CLAHE, limit {settings.clip_limit:g}, {settings.tiles} x {settings.tiles} tiles)")
    if description.input_size != description.stored_size:
        stages.append(f"scaled to {description.input_size[0]} x {description.input_size[1]} pixels")
    return f"## Input\n\nAn RGB image of any size; the bundle itself does what training did: {', '.join(stages)}, 0 to 1.\n"


def _classes_section(description: Description) -> str:
    if description.task is Task.SEGMENTATION:
        where = "set before training"
        if description.training["mask_threshold"] is None:
            images = "val" if description.out_of_fold is None else "the out-of-fold predictions"
            where = f"chosen on {images}, for the best mean Jaccard index there"
        return f"## Output\n\nOne probability a pixel; {description.mask_threshold:g} or more counts as lesion ({where}).\n"
    lines = [
        f"| {code} | {LESIONS[code].name} | {'malignant' if LESIONS[code].malignant else 'benign'} |"
        for code in map(Diagnosis, description.classes)
    ]
    return "## Classes\n\nProbabilities come in this order.\n\n| code | diagnosis | |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _calibration_section(description: Description) -> str:
    """What the probabilities and the sets mean, and for whom."""
    if description.temperature is None or description.conformal is None:
        return "## Calibration\n\nIts probabilities are not calibrated: 0.9 does not mean right nine times out of ten.\n"
    where = "val" if description.out_of_fold is None else "the out-of-fold predictions"
    sets = description.conformal
    shared = [code for code in description.classes if code not in sets.own]
    least = ", ".join(f"{code} {sets.least[code]:.3g}" for code in description.classes)
    lines = [
        f"Temperature {description.temperature:g}, fitted on {where}: among images as those are, with diagnoses as frequent as "
        "there, what it names with 0.9 is right about nine times out of ten, over all diagnoses together. Elsewhere it need not, "
        "nor for one diagnosis by itself: where the recipe makes up for rare ones (below), 0.9 for a rare one is right less often, "
        "and the sum over the malignant ones is higher than their share.",
        f"A set for each image: it holds the true diagnosis in {sets.level:.0%} of the images of each diagnosis, if they come from "
        f"where those came from. In it is each diagnosis whose probability is at least {least}.",
    ]
    if shared:
        lines.append(
            f"Of {', '.join(shared)} there were too few lesions for a threshold of their own: theirs holds over all diagnoses."
        )
    if description.refuses is not None:
        usual = f"{1 - description.refuses:.0%} of the images that judged its first member"
        lines.append(f"It refuses images that are stranger to it than {usual} (refusal.npz).")
    if description.out_of_fold is not None and description.members:
        lines.append(
            "Temperature and thresholds were fitted on answers of single members; the mean may be a little less confident than it "
            "is right."
        )
    return "## Calibration\n\n" + "".join(f"- {line}\n" for line in lines)


def _recipe_section(description: Description) -> str:
    """What a reader must know of the training to read the answers rightly; the section of parameters has the rest."""
    lines = [_loss(description), _kept(description)]
    if description.members:
        lines.append(_members(description))
    if description.out_of_fold is not None:
        lines.append(_out_of_fold(description))
    if description.test_flips:
        lines.append("Its answer is the mean over the image and its left-right, up-down and both-ways mirror images.")
    else:
        lines.append("Its answer is from the image alone, not from its mirror images too.")
    if description.int8 is not None:
        lines.append(_int8(description.int8))
    if description.parent is not None:
        lines.append(_parent(description.parent))
    if names_file(description.training["weights"]):
        lines.append("It started from a file; what that learned from is not known, and figures of val and test may be too good.")
    return "## Recipe\n\n" + "".join(f"- {line}\n" for line in lines)


def _loss(description: Description) -> str:
    if description.task is Task.SEGMENTATION:
        return "Loss: binary cross-entropy and Dice."
    training = description.training
    focal = f"focal, gamma {training['focal_gamma']:g}"
    parts = [focal if training["loss"] == "focal" else "categorical cross-entropy"]
    if training["label_smoothing"]:
        parts.append(f"label smoothing {training['label_smoothing']:g}")
    if training["mix"] != "none":
        parts.append(f"samples mixed in pairs ({training['mix']}, alpha {training['mix_alpha']:g})")
    if training["logit_adjustment"]:
        parts.append(
            f"logit adjustment {training['logit_adjustment']:g}, which makes up for rare diagnoses (at 1 it answers as in a clinic "
            "where all diagnoses are equally frequent)"
        )
    return f"Loss: {', '.join(parts)}."


def _kept(description: Description) -> str:
    training = description.training
    best = "the epoch with the lowest loss on the images that it was judged by"
    best += ", of those at its own size" if training["progressive"] else ""
    kept = best if training["keep"] == "best" else "the last epoch"
    mean = f", as a running mean with decay {training['ema']:g} a step" if training["ema"] is not None else ""
    return f"Weights: those of {kept}{mean}."


def _parent(parent: Parent) -> str:
    drawn = " It, or a model before it, saw drawn images (phantom)." if parent.phantom else ""
    return (
        f"Trained on from `{parent.name}`, which had learned from the data version `{parent.data_version}`; "
        f"its bundle.json has the SHA-256 `{parent.digest}`.{drawn}"
    )


def _int8(int8: Int8) -> str:
    return (
        f"Its network is in 8-bit integers, which changed its {int8.figure} by {int8.difference:+.4f} (95 % interval "
        f"{int8.low:+.4f} to {int8.high:+.4f}) on the {int8.images:,} images that judged it; its weights for further training are "
        "in float32."
    )


def _members(description: Description) -> str:
    names = ", ".join(description.members)
    return f"The mean of {len(description.members)} models: {names}."


def _out_of_fold(description: Description) -> str:
    """What the model learned from with folds, and how far its figures of val can be trusted."""
    params = _PARAMS[description.task].model_validate(description.training)
    if params.fold is None:
        whole = "each member learned from train and val but its own fold, and its figures of val are out of fold, pooled"
    else:
        whole = f"it learned from train and val but fold {params.fold}, and its figures of val are of that fold"
    chosen = choices_on_judged(params)
    bias = f" They are a little too good, since the same images chose {', '.join(chosen)}." if chosen else ""
    return f"{params.folds} folds: {whole}.{bias} Test judges the model itself."


def _parameters_section(description: Description) -> str:
    training = ", ".join(f"{name} {value}" for name, value in description.training.items() if name not in ("models", "overrides"))
    return (
        f"## Parameters\n\nArchitecture `{description.architecture}`: {description.parameters_total:,} parameters, "
        f"{description.parameters_trainable:,} of them trained. {training}.\n" + _libraries(description)
    )


def _libraries(description: Description) -> str:
    if not description.libraries:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in description.libraries.items())
    return f"\nTrained with {versions}: with the same on the same kind of processor it comes to the same weights, to the bit.\n"


def _limits_section(description: Description) -> str:
    return (
        "## Limits\n\n- Research software, no medical device: no diagnosis follows from it, and no treatment.\n"
        f"{_LIMITS[description.task]}"
        "- It learned from dermoscopic images of the sources above, whose skin tones, ages and cameras are not everyone's; "
        "clinical photographs are foreign to it.\n"
    )


def _licence_section(description: Description, dataset: Dataset) -> str:
    licences = dataset.rows(description.task)["licence"].fillna("not stated").value_counts()
    listed = ", ".join(f"{licence} ({count:,} images)" for licence, count in sorted(licences.items()))
    return (
        f"## Licence\n\nThe weights follow from images under these licences: {listed}. Where one of them excludes commercial use "
        "(as CC BY-NC does), take it that the weights may not be used commercially either.\n"
    )
