"""The console on which everything is printed."""

from rich.console import Console

from components.quantities import duration, size

__all__ = ["console", "duration", "size"]

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 160  # a log has no edge to fit
