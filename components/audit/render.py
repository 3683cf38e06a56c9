"""Jinja templates of this package, and what all pages share."""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("components.audit", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = _markdown
    return environment


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return re.sub(r"([\\|<>`*\[\]])", r"\\\1", " ".join(text.split()))


def render(template: str, **values: object) -> str:
    """A template of `templates/`, filled; what goes into HTML is escaped."""
    return _environment().get_template(template).render(**values)
