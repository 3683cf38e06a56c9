"""What Great Expectations checks on the tables that the manifest is made of."""

import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from components.dataset import COLUMNS
from components.errors import DatasetError
from components.lesions import CODES, Task
from components.validate.data_docs import write_data_docs
from components.validate.quarantine import Finding, Problem

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.expectations import Expectation

SEXES = ("male", "female")
OLDEST = 120

_DIGEST = r"^[0-9a-f]{64}$"
# Columns made for the checks alone.
_LABELS_OF_LESION = "labels_of_lesion"
_POSITION = "position"


@dataclass(frozen=True)
class Rule:
    """An expectation of single rows.

    Attributes:
        field: the column of the table that a row's reason names.
        expectation: what Great Expectations checks.
        reason: what is said of a row that breaks it.
    """

    field: str
    expectation: "Expectation"
    reason: Callable[["pd.Series[Any]"], str]


def check_tables(manifest: pd.DataFrame, docs: Path) -> list[Finding]:
    """Check the rows of each task with Great Expectations, and keep its pages.

    Checked are the columns, ids and digests, age (0 to 120), sex, for classification the label (a known code; the same for all
    images of a lesion), for segmentation that there is a mask. Empty cells of age and sex are fine, as ISIC has them. Where labels
    of a lesion differ, all of its rows for classification are bad: which label is wrong cannot be told, and the rarer one may be
    the melanoma. (None of ISIC 2019's 11,847 lesions has two labels.)

    Args:
        manifest: rows of ingest; the index counts from 0.
        docs: folder for the pages: index.html, one page a task.

    Returns:
        What is wrong, row by row.

    Raises:
        DatasetError: an expectation cannot be checked, or one about a whole table does not hold.
    """
    # Read when the package is first imported: it would tell its makers what is validated here.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    findings: list[Finding] = []
    results: dict[str, ExpectationSuiteValidationResult] = {}
    for task in Task:
        table = _table(manifest, task)
        if table.empty:
            continue
        rules = _rules(task)
        result = results[task.value] = _validate(table, task.value, rules)
        unexpected = _unexpected(result)
        for rule in rules:
            findings += _findings(table, rule, unexpected.get((rule.expectation.expectation_type, rule.expectation.column), []))
    write_data_docs(docs, results)
    return findings


def _table(manifest: pd.DataFrame, task: Task) -> pd.DataFrame:
    table = manifest[manifest["task"] == task.value].copy()
    table[_POSITION] = table.index
    table[_LABELS_OF_LESION] = table.groupby("lesion_id")["label"].transform("nunique").fillna(1).astype(int)
    return table


def _rules(task: Task) -> list[Rule]:
    import great_expectations.expectations as gxe

    rules = [
        Rule("image", gxe.ExpectColumnValuesToBeUnique(column="image_id"), lambda row: "has two rows; keep one"),
        Rule(
            "image",
            gxe.ExpectColumnValuesToMatchRegex(column="sha256", regex=_DIGEST),
            lambda row: f"sha256 is {row.sha256!r}; ingest again",
        ),
        Rule(
            "age_approx",
            gxe.ExpectColumnValuesToBeBetween(column="age_approx", min_value=0, max_value=OLDEST),
            lambda row: f"age_approx is {row.age_approx:g}; it must lie between 0 and {OLDEST}",
        ),
        Rule(
            "sex",
            gxe.ExpectColumnValuesToBeInSet(column="sex", value_set=list(SEXES)),
            lambda row: f"sex is {row.sex!r}; it must be {' or '.join(SEXES)}, or empty",
        ),
    ]
    if task is Task.SEGMENTATION:
        return [*rules, Rule("mask", gxe.ExpectColumnValuesToNotBeNull(column="mask"), lambda row: "has no mask; add it")]
    return [
        *rules,
        Rule("label", gxe.ExpectColumnValuesToNotBeNull(column="label"), lambda row: "has no label; add it"),
        Rule(
            "label",
            gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(CODES)),
            lambda row: f"label is {row.label!r}, which is no code; the codes are {', '.join(CODES)}",
        ),
        Rule(
            "label",
            gxe.ExpectColumnValuesToBeBetween(column=_LABELS_OF_LESION, min_value=0, max_value=1),
            lambda row: (
                f"label is {row.label}, but lesion_id {row.lesion_id!r} has {row[_LABELS_OF_LESION]} different labels; "
                "a lesion has one diagnosis: correct label or lesion_id"
            ),
        ),
    ]


def _validate(table: pd.DataFrame, name: str, rules: Sequence[Rule]) -> "ExpectationSuiteValidationResult":
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    columns = gxe.ExpectTableColumnsToMatchSet(column_set=list(COLUMNS), exact_match=False)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[columns, *(rule.expectation for rule in rules)]))
    batch = context.data_sources.add_pandas("manifest").add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    kept = {"result_format": "COMPLETE", "unexpected_index_column_names": [_POSITION, "image_id"], "include_unexpected_rows": False}
    return batch.get_batch({"dataframe": _escaped(table)}).validate(suite, result_format=kept)


def _unexpected(result: "ExpectationSuiteValidationResult") -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Which rows broke which expectation, by its type and column."""
    rows = {}
    for outcome in result.results:
        config, raised = outcome.expectation_config, outcome.exception_info or {}
        broken = outcome.result.get("unexpected_index_list") or []
        if raised.get("raised_exception") or not (outcome.success or broken):
            why = raised.get("exception_message") or outcome.result
            raise DatasetError(f"manifest.parquet: {config.type} fails for the rows of {result.suite_name} ({why}); ingest again")
        rows[config.type, str(config.kwargs.get("column"))] = broken
    return rows


def _escaped(table: pd.DataFrame) -> pd.DataFrame:
    """Text as the pages may show it: Great Expectations writes unexpected values into its HTML as they are."""
    texts = table.select_dtypes(include=["object", "str"]).columns
    return table.assign(**{name: table[name].map(html.escape, na_action="ignore") for name in texts})


def _findings(table: pd.DataFrame, rule: Rule, unexpected: Sequence[dict[str, Any]]) -> list[Finding]:
    findings = []
    for position in sorted(int(entry[_POSITION]) for entry in unexpected):
        row = table.loc[[position]].iloc[0]
        problem = Problem(str(row["image_id"]), rule.reason(row), f"tables of {row['source']}", rule.field)
        findings.append(Finding(problem, (position,)))
    return findings
