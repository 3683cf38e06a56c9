"""Step 7: everything the run made goes to MLflow, the best models go to production."""

from components.register.step import register

__all__ = ["register"]
