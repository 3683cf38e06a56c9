"""Step 6: every model judged on the images that it did not learn from."""

from components.evaluate.step import evaluate

__all__ = ["evaluate"]
