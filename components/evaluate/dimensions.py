"""What images are sorted by, to see whom a model fails: one value a dimension and image, those of numbers in bands.

Bands are fixed, not quantiles, so that a slice means the same in every version of the data.

| dimension | from |
|---|---|
| diagnosis, age, sex, site, source | the manifest |
| skin tone | the manifest: the angle that validate measured, in the six groups of `components/skin_tone.py` |
| resolution | the manifest: pixels of the image as it came |
| hair, lesion size | measures.parquet: shares of the picture as it came, the latter where it has a mask of its own |

A dimension in which the images do not differ, as one that is not known of any, is left out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.lesions import CODES, Split, Task
from components.measures import read_measures
from components.skin_tone import GROUPS, tone_groups
from components.skin_tone import UNKNOWN as TONE_UNKNOWN

UNKNOWN = "unknown"
DIAGNOSIS = "diagnosis"

# Upper edges, not included, and the names of the bands between them.
_AGES = ([30, 50, 70], ["under 30", "30 to 49", "50 to 69", "70 and over"])
_MEGAPIXELS = ([0.2, 1, 4], ["under 0.2 MP", "0.2 to 1 MP", "1 to 4 MP", "4 MP and more"])
_HAIR = ([0.03, 0.1], ["under 3 %", "3 to 10 %", "10 % and more"])
_LESION = ([0.1, 0.3], ["under 10 %", "10 to 30 %", "30 % and more"])


def image_dimensions(dataset: Dataset, task: Task) -> pd.DataFrame:
    """The value of every image of test in every dimension.

    Args:
        dataset: a preprocessed dataset; without measures.parquet hair and lesion size are not known.
        task: whose images.

    Returns:
        One row an image, indexed by image_id; one categorical column a dimension, its values in their order, `unknown` last.
    """
    rows = dataset.rows(task, Split.TEST).set_index("image_id")
    megapixels = rows["width"].astype(float) * rows["height"] / 1e6
    tones = tone_groups(rows["skin_tone"]).replace(TONE_UNKNOWN, UNKNOWN)
    values = {
        DIAGNOSIS: _ordered(rows["label"], CODES),
        "age": _bands(rows["age_approx"], *_AGES),
        "sex": _ordered(rows["sex"]),
        "site": _ordered(rows["anatom_site_general"]),
        "source": _ordered(rows["source"]),
        "skin tone": _ordered(tones, tuple(GROUPS)),
        "resolution": _bands(megapixels, *_MEGAPIXELS),
        **_measured(dataset, task, rows.index),
    }
    return pd.DataFrame({name: column for name, column in values.items() if column.nunique() > 1}, index=rows.index)


def _measured(dataset: Dataset, task: Task, images: pd.Index) -> dict[str, pd.Series]:
    if not (dataset.root / "measures.parquet").exists():
        return {}
    by_task = read_measures(dataset.root).set_index(["task", "image_id"])
    hair = by_task["hair_share"].loc[task.value].reindex(images)
    # Only the row of segmentation knows the mask, which for a classifier must lie on its own picture.
    masked = images if task is Task.SEGMENTATION else images.intersection(dataset.outlined().index)
    lesions = by_task["mask_share"].reindex([(Task.SEGMENTATION.value, image) for image in masked]).droplevel("task")
    return {"hair": _bands(hair, *_HAIR), "lesion size": _bands(lesions.reindex(images), *_LESION)}


def _bands(values: pd.Series, edges: Sequence[float], names: Sequence[str]) -> pd.Series:
    bands = pd.cut(values.astype(float), [-np.inf, *edges, np.inf], labels=list(names), right=False)
    return _ordered(bands.astype(object), names)


def _ordered(values: pd.Series, order: Sequence[str] = ()) -> pd.Series:
    """Text as a categorical column, in an order or, without one, that of the alphabet; empty cells are unknown."""
    named = values.astype(object).where(values.notna(), UNKNOWN)
    return named.astype(pd.CategoricalDtype([*(order or sorted(set(named) - {UNKNOWN})), UNKNOWN]))
