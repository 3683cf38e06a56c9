"""Dermoscopy drawn from nothing: lesions of the eight diagnoses with the structures that dermatology names for each."""

from components.ingest.phantom.drawing import draw_phantoms

__all__ = ["draw_phantoms"]
