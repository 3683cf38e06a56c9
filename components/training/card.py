"""The model card: what a model is, what it learned from, and what it must not be used for (Mitchell 2019)."""

from components.bundle import Description
from components.dataset import Dataset
from components.lesions import LESIONS, Diagnosis, Split, Task

_DRAWN = "> **Trained on drawn images (phantom): this model knows nothing about skin. Never use it on people.**\n\n"

_WHAT = {
    Task.CLASSIFICATION: "From one dermoscopic image to the probabilities of eight diagnoses.",
    Task.SEGMENTATION: "From one dermoscopic image to the probability of each pixel to be part of the lesion.",
}
_LIMITS = {
    Task.CLASSIFICATION: "- It knows eight diagnoses. Whatever else it is shown, it names one of them.\n"
    "- Its probabilities are not calibrated: 0.9 does not mean right nine times out of ten.\n",
    Task.SEGMENTATION: "- It draws a mask whatever it is shown; an image without a lesion gets one too.\n"
    "- It sees the image at the size above; an outline is no finer than a pixel of that.\n",
}


def write_card(description: Description, dataset: Dataset) -> str:
    """Write the model card of a model that was trained on a dataset, as Markdown; the same for the same arguments."""
    sections = [
        f"# {description.name}\n\n{_WHAT[description.task]}\n",
        _data_section(description, dataset),
        _input_section(description),
        _classes_section(description),
        _parameters_section(description),
        _limits_section(description),
        _licence_section(description, dataset),
    ]
    return (_DRAWN if description.phantom else "") + "\n".join(sections)


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
    return (
        f"## Trained on\n\nData version `{description.data_version}`, from {sources}. A group (patient, lesion, near-duplicates) "
        "lies in one split alone; test was not looked at.\n\n" + "\n".join(lines) + "\n"
    )


def _input_section(description: Description) -> str:
    settings = description.preprocess
    height, width = description.stored_size
    stages = [f"scaled to {height} x {width} pixels (height x width)"]
    if settings.remove_hair:
        stages.append(f"hairs painted over (cross of {settings.hair_kernel} pixels, threshold {settings.hair_threshold})")
    if settings.equalise:
        stages.append(f"contrast evened out (CLAHE, limit {settings.clip_limit:g}, {settings.tiles} x {settings.tiles} tiles)")
    if description.input_size != description.stored_size:
        stages.append(f"scaled to {description.input_size[0]} x {description.input_size[1]} pixels")
    return f"## Input\n\nAn RGB image of any size; the bundle itself does what training did: {', '.join(stages)}, 0 to 1.\n"


def _classes_section(description: Description) -> str:
    if description.task is Task.SEGMENTATION:
        return f"## Output\n\nOne probability a pixel; {description.mask_threshold:g} or more counts as lesion.\n"
    lines = [
        f"| {code} | {LESIONS[code].name} | {'malignant' if LESIONS[code].malignant else 'benign'} |"
        for code in map(Diagnosis, description.classes)
    ]
    return "## Classes\n\nProbabilities come in this order.\n\n| code | diagnosis | |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _parameters_section(description: Description) -> str:
    training = ", ".join(f"{name} {value}" for name, value in description.training.items() if name not in ("models", "overrides"))
    return (
        f"## Parameters\n\nArchitecture `{description.architecture}`: {description.parameters_total:,} parameters, "
        f"{description.parameters_trainable:,} of them trained. {training}.\n"
    )


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
