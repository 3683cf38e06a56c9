"""Who the phantoms are: diagnosis, skin tone, age, sex and site of each lesion, its ids, and the ISIC tables that say so.

Lesion n is the same whatever the number of lesions: more lesions add rows and change none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from components.lesions import CODES, Diagnosis
from components.params import PhantomParams

_MOST_IMAGES = 4  # of one lesion; image ids leave room for so many
_DARKEST, _LIGHTEST = -45.0, 70.0
_GOLDEN = (np.sqrt(5) - 1) / 2

# Measured on ISIC 2019's table of metadata: years, mean and deviation; how often a lesion lies at each of _SITES.
_AGES: dict[Diagnosis, tuple[float, float]] = {
    Diagnosis.MEL: (61, 16),
    Diagnosis.NV: (45, 16),
    Diagnosis.BCC: (66, 15),
    Diagnosis.AK: (67, 12),
    Diagnosis.BKL: (64, 15),
    Diagnosis.DF: (52, 15),
    Diagnosis.VASC: (53, 20),
    Diagnosis.SCC: (71, 11),
}
_SITES = ("anterior torso", "head/neck", "lower extremity", "oral/genital", "palms/soles", "posterior torso", "upper extremity")
_PLACES: dict[Diagnosis, tuple[float, ...]] = {
    Diagnosis.MEL: (0.31, 0.2, 0.18, 0, 0.05, 0.1, 0.16),
    Diagnosis.NV: (0.34, 0.07, 0.27, 0, 0.02, 0.18, 0.12),
    Diagnosis.BCC: (0.34, 0.35, 0.14, 0, 0, 0.06, 0.11),
    Diagnosis.AK: (0.11, 0.71, 0.08, 0, 0.01, 0, 0.09),
    Diagnosis.BKL: (0.18, 0.43, 0.18, 0.01, 0, 0.1, 0.1),
    Diagnosis.DF: (0.18, 0, 0.59, 0, 0, 0.01, 0.22),
    Diagnosis.VASC: (0.36, 0.16, 0.26, 0.01, 0.01, 0.1, 0.1),
    Diagnosis.SCC: (0.19, 0.28, 0.29, 0, 0.02, 0.04, 0.18),
}
# How often ISIC 2019 leaves a cell empty.
_NO_AGE, _NO_SITE, _NO_LESION, _NO_SEX = 0.02, 0.1, 0.08, 0.015


@dataclass(frozen=True)
class PhantomLesion:
    """One lesion and its images.

    Attributes:
        number: from 0; with the seed it decides everything about the lesion.
        diagnosis: what it is.
        tone: ITA of the skin around it, in degrees.
        images: ids of its photographs.
        lesion_id: its id, empty for some lesions with a single image, as in ISIC.
        age, site, sex: as ISIC spells them; empty where unknown.
    """

    number: int
    diagnosis: Diagnosis
    tone: float
    images: tuple[str, ...]
    lesion_id: str
    age: str
    site: str
    sex: str


def roster(params: PhantomParams) -> list[PhantomLesion]:
    """Every lesion that the parameters ask for, by number; each run of eight numbers holds each diagnosis once, in random order."""
    return [_lesion(params, number) for number in range(len(CODES) * params.lesions_per_class)]


def _lesion(params: PhantomParams, number: int) -> PhantomLesion:
    rank, place = divmod(number, len(CODES))
    order = np.random.default_rng([params.seed, rank, 1]).permutation(len(CODES))
    code = int(order[place])
    diagnosis = Diagnosis(CODES[code])
    rng = np.random.default_rng([params.seed, number, 2])
    # The golden ratio spreads the lesions of each class evenly over all tones, however many there are.
    tone = _DARKEST + (_LIGHTEST - _DARKEST) * ((rank * _GOLDEN + code / len(CODES) + params.seed * _GOLDEN) % 1)
    count = 1 + int(rng.uniform() * params.images_per_lesion)
    age = 5 * round(float(np.clip(rng.normal(*_AGES[diagnosis]), 5, 85)) / 5)
    site = str(rng.choice(_SITES, p=_PLACES[diagnosis]))
    sex = str(rng.choice(["male", "female"]))
    no_age, no_site, no_lesion, no_sex = rng.uniform(size=4) < [_NO_AGE, _NO_SITE, _NO_LESION, _NO_SEX]
    return PhantomLesion(
        number=number,
        diagnosis=diagnosis,
        tone=float(tone),
        images=tuple(f"PHANTOM_{_MOST_IMAGES * number + view + 1:07d}" for view in range(count)),
        lesion_id="" if no_lesion and count == 1 else f"PHANTOM_L{number + 1:05d}",
        age="" if no_age else str(age),
        site="" if no_site else site,
        sex="" if no_sex else sex,
    )


def ground_truth(lesions: Iterable[PhantomLesion]) -> str:
    """ISIC 2019's one-hot table of diagnoses, as CSV."""
    lines = [",".join(("image", *CODES, "UNK"))]
    for lesion in lesions:
        cells = ",".join("1.0" if code == lesion.diagnosis else "0.0" for code in (*CODES, "UNK"))
        lines += [f"{image},{cells}" for image in lesion.images]
    return "\n".join(lines) + "\n"


def metadata(lesions: Iterable[PhantomLesion]) -> str:
    """ISIC 2019's table of age, site, lesion and sex, as CSV."""
    lines = ["image,age_approx,anatom_site_general,lesion_id,sex"]
    for lesion in lesions:
        lines += [f"{image},{lesion.age},{lesion.site},{lesion.lesion_id},{lesion.sex}" for image in lesion.images]
    return "\n".join(lines) + "\n"
