"""Every number that a publication prints, one row each: its id, the text on the page, the exact value.

Belongs here: which columns of which table are numbers, and to what precision each is printed. Does not belong here:
recomputing any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.arms_table import ARMS
from fm_platform.reporting.characteristics import CHARACTERISTICS
from fm_platform.reporting.tables import CHANGE, RESPONSE, TOP_GENES
from fm_platform.statistics.ard import RESULTS
from fm_platform.statistics.planning import PLANNING
from fm_platform.statistics.responders import RESPONDER_COUNTS
from fm_platform.warehouse.table import Table

ABSENT = ""
"""What stands for a number that there is none of."""
SIGNIFICANT = 7
"""Digits of a number that is kept in a table, but not printed on the page."""

Texts = Mapping[str, Callable[[Any], str]]

PRECISIONS: Texts = {
    "count": lambda value: str(int(value)),
    "0.1": lambda value: fmt.number(value, 1),
    "0.01": lambda value: fmt.number(value, 2),
    "percent": lambda value: fmt.number(100 * value, 1),
    "p": fmt.p_value,
    "small p": fmt.small_p,
    "full": lambda value: f"{value:.{SIGNIFICANT}g}",
    "text": str,
}
"""How a number is written, by the name of its precision."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of one table.

    Attributes:
        key: Columns that name a row.
        columns: Column to precision.
        rest: The precision of numeric columns that ``columns`` does not name; None: they are no numbers of it.
        omitted: Columns that are not recomputed, each with the reason.
    """

    key: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    rest: str | None = "full"
    omitted: Mapping[str, str] = field(default_factory=dict)


def _each(precision: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), precision)


PLACE = "the row's place on the page"


def _declared(table: Table) -> Numbers:
    """The numbers of a report table: written as its columns are declared, but for a row's place on the page."""
    written = {column.name: column.written for column in table.columns if column.name not in table.key}
    placed = {"position": PLACE} if "position" in table.schema else {}
    return Numbers(table.key, {name: how for name, how in written.items() if how}, omitted=placed)


_OMITTED = {
    RESPONDER_COUNTS.name: {"reduction_percent": "declared in study.yaml"},
    PLANNING.name: dict.fromkeys(("alpha", "dropout"), "chosen, not computed"),
}
TABLES: Mapping[str, Numbers] = {
    **{table.name: _declared(table) for table in (CHANGE, RESPONSE, ARMS, CHARACTERISTICS)},
    "report.completeness": Numbers(
        ("instrument", "item", "visit"), _each("count", "n_expected n_given n_answered n_missing")
    ),
    TOP_GENES.name: _declared(TOP_GENES),
    "expression.contrasts": Numbers(
        ("contrast",),
        _each(
            "count",
            "n_samples n_level n_reference residual_df n_genes n_tested n_significant n_up n_down n_refits n_stable",
        ),
        omitted={"alpha": "declared in study.yaml"},
    ),
    "page.values_recorded": Numbers(("outcome", "visit"), {"value": "text"}),
    "page.data_quality": Numbers(
        ("source",), _each("count", "rows_read rows_accepted rows_set_aside cells_emptied")
    ),
    "page.gaps": Numbers(("contrast", "na_reason"), {"genes": "count"}),
    **{name: Numbers(table.key, omitted=_OMITTED.get(name, {})) for name, table in RESULTS.items()},
}
"""The tables whose numbers are recomputed; ``page.*`` are printed on the page and in no table of the warehouse."""

NOT_RECOMPUTED: Mapping[str, str] = {
    "report.data_queries": "questions to the study site, no numbers",
    "stats.ard": "holds the numbers of the other stats tables and of report.characteristics a second time; a blocking "
    "check of the platform holds them against each other",
    "stats.responder_status": "verdicts on single persons; the counts and rates made of them are recomputed",
    "expression.de_results": "of all genes; those of the report (report.top_genes), how many are called and how many "
    "lack a value are recomputed from all of them",
}
"""Tables of results that are not recomputed as they stand, and why."""
COLUMNS = ("id", "table", "key", "column", "printed", "value", "precision", "method")


def numbers_of(table: str, frame: pl.DataFrame) -> Iterator[dict[str, str]]:
    """The rows of published.csv that a table gives.

    Args:
        table: Its name, of ``TABLES``.
        frame: Its rows, subjects and samples as the folder names them.
    """
    numbers = TABLES[table]
    precisions = _precisions(numbers, frame)
    for row in frame.iter_rows(named=True):
        key = key_text(row, numbers.key)
        for column, precision in precisions.items():
            value = row[column]
            if value is None and column == "level":
                continue
            yield {
                "id": f"{table}[{key}].{column}",
                "table": table,
                "key": key,
                "column": column,
                "printed": ABSENT if value is None else PRECISIONS[precision](value),
                "value": ABSENT if value is None else _exact(value),
                "precision": precision,
                "method": str(row.get("method") or row.get("statistic") or row.get("test") or ""),
            }


def key_text(row: Mapping[str, Any], key: Sequence[str]) -> str:
    """A row's key as text; null is empty.

    >>> key_text({"outcome": "pain", "stratum": None, "power": 0.8}, ("outcome", "stratum", "power"))
    'outcome=pain;stratum=;power=0.8'
    """
    return ";".join(f"{name}={'' if row[name] is None else row[name]}" for name in key)


def _precisions(numbers: Numbers, frame: pl.DataFrame) -> dict[str, str]:
    found = {}
    for name, kind in frame.schema.items():
        if name in numbers.key or name in numbers.omitted or name.startswith("_"):
            continue
        if name in numbers.columns:
            found[name] = numbers.columns[name]
        elif numbers.rest is not None and kind.is_numeric():
            found[name] = numbers.rest
    return found


def _exact(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def values_recorded(
    scores: pl.DataFrame | None,
    people: pl.DataFrame | None,
    outcomes: pl.DataFrame | None,
    visits: Iterable[str],
) -> pl.DataFrame:
    """``page.values_recorded``: participants with a value over all participants, by outcome and visit.

    Args:
        scores: ``marts.symptom_scores``.
        people: ``marts.participants``.
        outcomes: ``study.outcomes``.
        visits: Ids of the planned visits.
    """
    schema = {"outcome": pl.String, "visit": pl.String, "value": pl.String}
    if scores is None or people is None or outcomes is None:
        return pl.DataFrame(schema=schema)
    counted = people.filter(pl.col("in_population").fill_null(False)).select("subject_id")
    own = scores.filter(pl.col("value").is_not_null()).join(counted, on="subject_id", how="semi")
    found = {
        (outcome, visit): n
        for outcome, visit, n in own.group_by("outcome_id", "visit_id")
        .agg(pl.col("subject_id").n_unique())
        .iter_rows()
    }
    rows = [
        (outcome, visit, f"{found.get((outcome, visit), 0)}/{counted.height}")
        for outcome in outcomes.sort("position")["outcome_id"]
        for visit in visits
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")
