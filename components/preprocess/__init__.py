"""Step 3: the report's chapter 4. Resize, take hairs away, even out contrast; pixels stored once as uint8."""

from components.preprocess.step import preprocess

__all__ = ["preprocess"]
