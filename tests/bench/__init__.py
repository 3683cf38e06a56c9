"""Measurements, ours against theirs, side by side: `make bench`.

To add one, write a module in `rows/` with a function `measure() -> Iterator[Row]`.
"""
