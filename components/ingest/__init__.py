"""Ingest: read images, masks and tables from their sources into a dataset folder."""

from components.ingest.step import ingest

__all__ = ["ingest"]
