"""The eight diagnoses of ISIC 2019, the one place that lists them."""

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What an image is used for; one manifest row for each (image, task)."""

    CLASSIFICATION = "classification"
    SEGMENTATION = "segmentation"


class Split(StrEnum):
    """Which part of the data a row belongs to; the same in both tasks."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Diagnosis(StrEnum):
    """ISIC 2019's codes, in the order of its table, which is the order of every probability vector of ours."""

    MEL = "MEL"
    NV = "NV"
    BCC = "BCC"
    AK = "AK"
    BKL = "BKL"
    DF = "DF"
    VASC = "VASC"
    SCC = "SCC"


@dataclass(frozen=True)
class Lesion:
    """What a reader is told of a diagnosis."""

    name: str
    malignant: bool
    description: str
    dermoscopy: str


# Malignant: melanoma, basal cell and squamous cell carcinoma, and actinic keratosis as their precursor (Tschandl 2018).
LESIONS: dict[Diagnosis, Lesion] = {
    Diagnosis.MEL: Lesion(
        "Melanoma",
        True,
        "Cancer of the pigment cells; the earlier it is cut out, the better the outlook.",
        "atypical pigment network, blue-white veil, irregular streaks and blotches, several colours, asymmetry",
    ),
    Diagnosis.NV: Lesion(
        "Melanocytic nevus",
        False,
        "A mole: a benign growth of pigment cells.",
        "regular pigment network or globules, one or two browns, symmetry",
    ),
    Diagnosis.BCC: Lesion(
        "Basal cell carcinoma",
        True,
        "The most common skin cancer; it destroys tissue where it grows and rarely spreads.",
        "arborizing vessels, leaf-like areas, blue-grey ovoid nests, no pigment network",
    ),
    Diagnosis.AK: Lesion(
        "Actinic keratosis / Bowen's disease",
        True,
        "Sun-damaged or in-situ carcinoma cells of the upper skin (also AKIEC); it can become squamous cell carcinoma.",
        "strawberry pattern: white follicles on a red pseudo-network, surface scale",
    ),
    Diagnosis.BKL: Lesion(
        "Benign keratosis-like lesion",
        False,
        "Seborrheic keratosis, solar lentigo and lichen-planus-like keratosis: harmless growths of the upper skin.",
        "milia-like cysts, comedo-like openings, sharp border, dull brown surface",
    ),
    Diagnosis.DF: Lesion(
        "Dermatofibroma",
        False,
        "A firm, harmless nodule of fibrous tissue.",
        "central white patch within a delicate peripheral pigment network",
    ),
    Diagnosis.VASC: Lesion(
        "Vascular lesion",
        False,
        "Angioma, angiokeratoma, pyogenic granuloma or haemorrhage: blood vessels or blood in the skin.",
        "red, blue or black lacunae, sharply bordered",
    ),
    Diagnosis.SCC: Lesion(
        "Squamous cell carcinoma",
        True,
        "The second most common skin cancer; it can spread.",
        "keratin masses, white circles around follicles, looped and dotted vessels, blood spots",
    ),
}

CODES: tuple[str, ...] = tuple(d.value for d in Diagnosis)
