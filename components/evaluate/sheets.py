"""Two sheets of a classifier's test images: where it is surest and wrong, and where it is least sure. A lesion stands once."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.evaluate.classification import predicted_codes
from components.evaluate.figures import Case, draw_cases
from components.lesions import CODES, Split, Task
from components.predictions import probabilities_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12


def confident_mistakes(test: pd.DataFrame) -> pd.DataFrame:
    """The wrong answers to test that were given with the highest probability, the highest first; at most twelve.

    Args:
        test: answers, as `components.evaluate.judged` makes them.

    Returns:
        Its rows, with `said`, the most probable diagnosis, `sure`, its probability, and `margin`, by how much it leads the next.
    """
    answers = _answers(test)
    return _first(answers[answers["said"] != answers["label"]].sort_values(["sure", "image_id"], ascending=[False, True]))


def most_doubtful(test: pd.DataFrame) -> pd.DataFrame:
    """The answers to test whose two most probable diagnoses lie closest, the closest first; otherwise as `confident_mistakes`."""
    return _first(_answers(test).sort_values(["margin", "image_id"]))


def draw_mistakes(name: str, test: pd.DataFrame, dataset: Dataset, footnote: str) -> "Figure | None":
    """The sheet of `confident_mistakes`; None: there is no mistake."""
    chosen = confident_mistakes(test)
    if chosen.empty:
        return None
    ((true, said), count) = Counter(zip(chosen["label"], chosen["said"], strict=True)).most_common(1)[0]
    finding = f"{name}: surest mistakes, at {chosen['sure'].iloc[0]:.0%} to {chosen['sure'].iloc[-1]:.0%}"
    often = f"most often {true} taken for {said} ({count} of {len(chosen)})"
    wrong = int((_answers(test)["said"] != test["label"]).sum())
    where = f"{often}\n{len(chosen)} of the {wrong:,} mistakes among n = {len(test):,} test images, the surest first"
    return draw_cases(_cases(chosen, dataset), finding, where, footnote)


def draw_doubtful(name: str, test: pd.DataFrame, dataset: Dataset, footnote: str) -> "Figure":
    """The sheet of `most_doubtful`; at least one image."""
    chosen = most_doubtful(test)
    wrong = int((chosen["said"] != chosen["label"]).sum())
    finding = f"{name}: most doubtful, {wrong} of {len(chosen)} are wrong"
    where = f"the two most probable diagnoses lie closest; {len(chosen)} of n = {len(test):,} test images, the closest first"
    return draw_cases(_cases(chosen, dataset), finding, where, footnote)


def _answers(test: pd.DataFrame) -> pd.DataFrame:
    probabilities = probabilities_of(test)
    ranked = np.sort(probabilities, axis=1)
    return test.assign(said=predicted_codes(probabilities), sure=ranked[:, -1], margin=ranked[:, -1] - ranked[:, -2])


def _first(ranked: pd.DataFrame) -> pd.DataFrame:
    return ranked.drop_duplicates("group_id").head(MOST)


def _cases(chosen: pd.DataFrame, dataset: Dataset) -> list[Case]:
    rows = dataset.rows(Task.CLASSIFICATION, Split.TEST).set_index("image_id", drop=False).loc[chosen["image_id"]]
    captions = [_caption(label, said, probabilities) for label, said, probabilities in _told(chosen)]
    return [Case(*one) for one in zip(chosen["image_id"], dataset.images(rows), captions, strict=True)]


def _told(chosen: pd.DataFrame) -> "zip[tuple[str, str, np.ndarray]]":
    return zip(chosen["label"], chosen["said"], probabilities_of(chosen), strict=True)


def _caption(true: str, said: str, probabilities: np.ndarray) -> str:
    """What was said and what is true; where both are the same, what came next."""
    second = CODES[int(np.argsort(-probabilities, kind="stable")[1])]
    other, word = (true, "true") if true != said else (second, "right, then")
    return f"said {said} {probabilities[CODES.index(said)]:.0%}, {word} {other} {probabilities[CODES.index(other)]:.0%}"
