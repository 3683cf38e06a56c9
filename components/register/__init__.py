"""Step 7: everything the run made goes to MLflow, the best models go to production."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.register.step import register

__all__ = ["register"]


def __getattr__(name: str) -> Any:
    """The step, imported when it is asked for: it takes scikit-learn and SciPy (seconds), which its contracts do without."""
    if name == "register":
        from components.register.step import register

        return register
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
