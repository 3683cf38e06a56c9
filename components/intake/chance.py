"""How much chance explains: bounds and tails of counts."""


def lowest_share(count: int, of: int, alpha: float) -> float:
    """The lower end of the one-sided 1 - alpha interval of a share (Clopper and Pearson 1934); 0 of none.

    Args:
        count: how many had it, 0 to `of`.
        of: how many were looked at.
        alpha: how often the true share lies below, at most.
    """
    from scipy.stats import beta

    return float(beta.ppf(alpha, count, of - count + 1)) if count else 0.0


def none_of(share: float, draws: int) -> float:
    """How probable it is that `draws` draws show nothing of a kind that has this share."""
    return float((1.0 - share) ** draws)
