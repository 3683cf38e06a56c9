"""The pages of Great Expectations, made to be read from a disk without a network.

The pages that it writes itself fetch styles and scripts from six servers, carry the time of their making, and list the tables by a
script. Its own blocks are kept here, in a page of ours.
"""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from components.files import write_text

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2430; background: #fff; max-width: 72rem; margin: 2rem auto }
a { color: #0b57a4 }
h1 { font-size: 1.5rem } h5 { font-size: 1.1rem; margin: 0 }
table { border-collapse: collapse; margin: .5rem 0 1rem }
td, th { border: 1px solid #c9d1dc; padding: .3rem .6rem; text-align: left; vertical-align: top }
.alert { background: #eef2f7; padding: .5rem .8rem; margin-top: 1.5rem }
.badge { background: #e2e8f0; padding: 0 .3rem; border-radius: .2rem; overflow-wrap: anywhere }
.show-scrollbars { max-height: 20rem; overflow: auto }
.text-success { color: #1b6e3c } .text-danger { color: #a4231b } .text-warning { color: #8a5a00 }
.fa-check-circle::before { content: "\\2713" } .fa-times::before { content: "\\2717" }
.fa-exclamation-triangle::before { content: "!" }
a[data-toggle] { display: none }
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>{{ title }}</title><style>{{ style }}</style></head>
<body>
<p><a href="index.html">All tables</a></p>
<h1>{{ title }}</h1>
{% for section in sections %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}
</body>
</html>
"""
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>Checks of the tables</title><style>{{ style }}</style></head>
<body>
<h1>Checks of the tables, by Great Expectations</h1>
<table>
<tr><th>table</th><th>expectations</th><th>met</th><th>not met</th></tr>
{% for name, counts in tables.items() %}<tr><td><a href="{{ name }}.html">{{ name }}</a></td>
<td>{{ counts.evaluated_expectations }}</td><td>{{ counts.successful_expectations }}</td>
<td>{{ counts.unsuccessful_expectations }}</td></tr>
{% endfor %}</table>
<p>Rows that break an expectation are left out of the dataset; quarantine.csv names each with its reason.</p>
</body>
</html>
"""
# The headers link to pages of suites, which are not written: the expectations stand on the pages themselves.
_LINK_OUT = re.compile(r'<a href="\.\./[^"]*"\s*>(.*?)</a>')
_BLANK_LINES = re.compile(r"\n\s*\n+")


def write_data_docs(folder: Path, results: "Mapping[str, ExpectationSuiteValidationResult]") -> None:
    """Write index.html and a page for each table's result.

    Args:
        folder: where to; made if absent.
        results: table → what Great Expectations found. Equal results give equal bytes.
    """
    from great_expectations.render.view import DefaultJinjaPageView

    index = DefaultJinjaPageView().env.from_string(_INDEX)
    tables = {name: result.statistics for name, result in results.items()}
    write_text(folder / "index.html", index.render(style=_STYLE, tables=tables))
    for name, result in results.items():
        write_text(folder / f"{name}.html", _page(name, result))


def _page(name: str, result: "ExpectationSuiteValidationResult") -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer().render(result).to_json_dict()
    # The overview's third block tells when and on what object it ran, which differs each time.
    document["sections"][0]["content_blocks"] = document["sections"][0]["content_blocks"][:2]
    view = DefaultJinjaPageView()
    numbers = itertools.count()
    view.env.filters["generate_html_element_uuid"] = lambda prefix=None: f"{prefix or ''}{next(numbers)}"
    page = view.env.from_string(_PAGE).render(document, title=f"Checks of the table {name}", style=_STYLE)
    return _BLANK_LINES.sub("\n", _LINK_OUT.sub(r"\1", page))
