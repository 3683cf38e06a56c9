"""What a check says of a batch, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """What one check says.

    Attributes:
        check: its name, a value of `intake.checks`.
        refuses: whether the batch must not be trained on.
        sentence: why, with figure and limit, without its full stop.
        measures: the figures, by name.
        images: ids of the images that speak for it, the worst first.
    """

    check: str
    refuses: bool
    sentence: str
    measures: Mapping[str, float] = field(default_factory=dict)
    images: tuple[str, ...] = ()
