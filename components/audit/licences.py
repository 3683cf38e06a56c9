"""Licences of the public collections, and how each asks to be named; the one place that holds these texts."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """A public collection of images.

    Attributes:
        name: what it is called.
        prefix: how its lesion ids begin; empty where it has none.
        licence: under which it is given out.
        attribution: how it asks to be named.
        links: where its paper and terms are.
    """

    name: str
    prefix: str
    licence: str
    attribution: str
    links: tuple[str, ...]


# As the pages of the ISIC challenges 2018 and 2019 state them.
HAM10000 = Collection(
    "HAM10000",
    "HAM_",
    "CC BY-NC 4.0",
    "HAM10000 Dataset: (c) by ViDIR Group, Department of Dermatology, Medical University of Vienna; Tschandl, Rosendahl and "
    "Kittler, Scientific Data 5, 180161 (2018).",
    ("https://doi.org/10.1038/sdata.2018.161",),
)
BCN_20000 = Collection(
    "BCN_20000",
    "BCN_",
    "CC BY-NC 4.0",
    "BCN_20000 Dataset: (c) Department of Dermatology, Hospital Clínic de Barcelona; Combalia et al. (2019).",
    ("https://arxiv.org/abs/1908.02288",),
)
MSK = Collection(
    "MSK",
    "MSK",
    "CC BY-NC 4.0",
    "MSK Dataset: (c) Anonymous; Memorial Sloan Kettering Cancer Center, as part of ISIC 2017 and 2018.",
    ("https://arxiv.org/abs/1710.05006", "https://arxiv.org/abs/1902.03368"),
)
COLLECTIONS: tuple[Collection, ...] = (HAM10000, BCN_20000, MSK)

ISIC = Collection(
    "ISIC Archive, collection not named in the tables",
    "",
    "CC BY-NC 4.0",
    "International Skin Imaging Collaboration (ISIC). ISIC 2019 comes from HAM10000, BCN_20000 and MSK: where it is not known from "
    "which, name all three.",
    ("https://challenge.isic-archive.com/data/", *(link for one in COLLECTIONS for link in one.links)),
)
ISIC_MASKS = Collection(
    "ISIC 2018 Task 1, lesion masks",
    "",
    "CC-0",
    "Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018; masks of HAM10000 images: Tschandl et al., Nature "
    "Medicine 26, 1229 (2020).",
    ("https://arxiv.org/abs/1902.03368", "https://doi.org/10.1038/s41591-020-0942-0"),
)
PHANTOM = Collection("Phantoms", "", "CC0-1.0", "Drawn by DermaCare from a seed; they show no person.", ())
OWN = Collection(
    "Images of your own",
    "",
    "",
    "Whoever gave you these images decides how they may be used and named; it is not stated in the data.",
    (),
)


def collection_of(image_id: str, lesion_id: str | None, source: str) -> Collection:
    """The collection that an image belongs to, by its lesion's id, else by its own."""
    if source == "phantom":
        return PHANTOM
    for collection in COLLECTIONS:
        if lesion_id is not None and lesion_id.startswith(collection.prefix):
            return collection
    return ISIC if image_id.startswith("ISIC_") else OWN


def in_order(collections: Iterable[Collection]) -> list[Collection]:
    """Each collection once, in the order of this file."""
    found = set(collections)
    return [one for one in (*COLLECTIONS, ISIC, ISIC_MASKS, PHANTOM, OWN) if one in found]
