"""Retraining by itself: whether the data changed, whether what it brings may be trained on, what came of it, and who is told."""
