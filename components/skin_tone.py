"""The six groups of skin tone, by the individual typology angle (Chardon et al. 1991; Del Bino and Bernerd 2013)."""

import numpy as np
import pandas as pd

# Group → least angle in degrees, not included; the last has none.
GROUPS: dict[str, float] = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -np.inf,
}
UNKNOWN = "not measured"


def tone_groups(angles: "pd.Series[float]") -> "pd.Series[str]":
    """The group of each angle in degrees; `not measured` where there is none."""
    edges = [-np.inf, *sorted(edge for edge in GROUPS.values() if np.isfinite(edge)), np.inf]
    groups = pd.cut(angles.astype(float), edges, labels=list(GROUPS)[::-1], right=True).astype(object)
    return groups.where(angles.notna(), UNKNOWN)
