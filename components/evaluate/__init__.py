"""Every model judged on val and test: figures, curves, overlays."""

from components.evaluate.step import evaluate

__all__ = ["evaluate"]
