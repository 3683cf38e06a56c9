"""The steps of the pipeline, and the contracts between them."""
