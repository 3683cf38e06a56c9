"""Step 2: check tables, images and masks, set bad ones aside, and give every image its group, split and fold."""

from components.validate.step import validate

__all__ = ["validate"]
