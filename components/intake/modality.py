"""Pictures of another kind: photographs, X-rays, histology, charts among dermoscopy."""

import numpy as np
import numpy.typing as npt

from components.intake.chance import lowest_share
from components.intake.features import Described
from components.intake.finding import Finding
from components.refusal import Refusal, Seen, fit_refusal

CHECK = "modality"
_MOST = 1000


def fit(old: Described, groups: npt.NDArray[np.object_]) -> Refusal:
    """What tells strange images from old ones, N of N groups; at most 1,000 of them, evenly spread: more only take longer."""
    places = np.linspace(0, len(groups) - 1, min(len(groups), _MOST)).astype(np.intp)
    some, nothing = old.rows(places), old.rows(places[:0])
    return fit_refusal(Seen(some.features, some.appearance, groups[places]), Seen(nothing.features, nothing.appearance, groups[:0]))


def modality(refusal: Refusal, new: Described, ids: npt.NDArray[np.object_], *, share: float, alpha: float) -> Finding:
    """Count the images of a batch that are strange beside the old ones (`components.refusal`: two Gaussians, of what a network sees
    and of what pictures look like; about 2 % of images like the old ones are strange).

    Args:
        refusal: fitted on the old images, by `fit`.
        new: M images of the batch.
        ids: their M ids.
        share: strange images that a batch may have: those of another camera or clinic look a little different.
        alpha: the batch is refused where the lower end of the share's one-sided 1 - alpha interval lies above.
    """
    strangeness = refusal.strangeness_of(new.features, new.appearance)
    strange = strangeness > refusal.threshold
    count, low = int(strange.sum()), lowest_share(int(strange.sum()), len(ids), alpha)
    worst = np.argsort(-strangeness)[:count]
    refuses = low > share
    told = f"{count:,} of {len(ids):,} images look like nothing that was there ({_percent(count, len(ids))})"
    limit = f"more than {share:.0%} for sure" if refuses else f"not surely more than {share:.0%}"
    measures = {"strange": float(count), "images": float(len(ids)), "surely": low}
    return Finding(CHECK, refuses, f"{told}: {limit}", measures, tuple(ids[worst]))


def _percent(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "none"
