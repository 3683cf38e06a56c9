"""Step 4: how training draws its images anew each epoch, and how often each comes: a plan, not copies of pixels."""

from components.augment_balance.step import augment_balance

__all__ = ["augment_balance"]
