"""Who judges the members of a fold: the rows that none of them learned from."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.bundle import Bundle, Description


@dataclass(frozen=True)
class Judge:
    """The mean of the members of one fold, which differ in their seed.

    Attributes:
        fold: None: val judges.
        folder: where its network lies.
        learned: rows that they learned from.
        rows: rows that judge them.
    """

    fold: int | None
    folder: Path
    learned: pd.DataFrame
    rows: pd.DataFrame

    def bundle(self, description: Description) -> Bundle:
        """Its network, to predict with."""
        return Bundle(self.folder, description)
