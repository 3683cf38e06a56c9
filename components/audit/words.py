"""How figures and lists are put into sentences."""

from collections.abc import Iterable, Sequence


def count(number: int, one: str, many: str = "") -> str:
    """`1 image`, `1,234 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def verb(number: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number of things."""
    return one if number == 1 else many


def listed(names: Sequence[str], most: int = 8) -> str:
    """`MEL, NV and BCC`; of more than `most`, the first and how many are left."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def percent(share: float) -> str:
    """A share of 0 to 1 in percent, never rounded to 0 or 100 where it is not."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{share:.1%}".replace("%", " %").replace(".0 %", " %")


def unique(names: Iterable[str]) -> list[str]:
    """Each name once, in the order in which they first come."""
    return list(dict.fromkeys(names))
