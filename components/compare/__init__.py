"""Two runs or two registered versions side by side: figures, what differs, and the images of test that both were judged on."""

from components.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
