"""The export itself: the published numbers, the inputs behind them and the scripts, through the door.

Belongs here: gathering a folder's files and their ledger record. Does not belong here: any one input frame, options and
printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.catalog.disclosure.leaving import Parcel, open_door, require_reason
from fm_platform.catalog.disclosure.recomputation.clinical import clinical_inputs
from fm_platform.catalog.disclosure.recomputation.expression import expression_inputs
from fm_platform.catalog.disclosure.recomputation.naming import Naming, naming
from fm_platform.catalog.disclosure.recomputation.one import Asked, key_of, narrowed
from fm_platform.catalog.graph import Catalog
from fm_platform.lineage.exchange.ro_crate import require_empty
from fm_platform.reporting.recomputation.folder import About, folder_contents
from fm_platform.reporting.recomputation.numbers import TABLES, numbers_of, values_recorded
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier, relation
from fm_platform.warehouse.reader import Published

_NEITHER = ("page.values_recorded", "page.data_quality", "page.gaps")


@dataclass(frozen=True)
class Recomputation:
    """A folder that was written.

    Attributes:
        numbers: How many numbers it recomputes.
        tables: The tables that they are of.
        files: How many files it has.
        pseudonyms: Whether subjects appear under pseudonyms.
        record: Number of the ledger record.
    """

    numbers: int
    tables: tuple[str, ...]
    files: int
    pseudonyms: bool
    record: int


def export_recomputation(
    catalog: Catalog,
    home: Home,
    folder: Path,
    *,
    reason: str | None,
    with_subject_ids: bool = False,
    only: Asked | None = None,
) -> Recomputation:
    """Write the folder that recomputes every number of the report, or one of them, without the platform.

    Args:
        catalog: The study's catalog.
        home: Its home.
        folder: New or empty.
        reason: Why; needed, since the folder holds rows of single subjects.
        with_subject_ids: Subjects under their own ids instead of pseudonyms.
        only: One number; the folder then has what it needs and no more.

    Raises:
        InputError: Nothing is published, the folder holds something, no reason is given, there is no key for
            pseudonyms, or the one number is none that is recomputed.
        CheckFailed: The published file is not the one that the ledger records.
        EnvironmentFailure: The folder or the home cannot be written, or another process holds the home's lock.
    """
    require_reason("the folder holds rows of single subjects", reason)
    require_empty(folder)
    if only is not None:
        only.require_recomputed()
    with open_door(home, reason) as door:
        published = door.published
        there = _tables(published)
        names = naming(catalog, published, with_subject_ids=with_subject_ids)
        tables = TABLES if only is None else (only.table,)
        rows = [row for table in tables for row in _numbers(catalog, published, there, table)]
        if only is not None:
            rows = [dict(only.among(rows))]
        inputs = _inputs(catalog, published, there, names, rows[0] if only is not None else None)
        about = About(
            study=catalog.study.study.title or catalog.study.study.id,
            publication=door.publication,
            synthetic=catalog.study.study.synthetic,
            pseudonyms=names.hides,
            tables=tuple(sorted(there)),
            only=rows[0]["id"] if only is not None else "",
        )
        contents = folder_contents(about, rows, inputs)
        told = tuple(dict.fromkeys(row["table"] for row in rows))
        facts = {"tables": list(told), "numbers": len(rows), "pseudonyms": names.hides}
        record = door.let_out(Parcel("recomputation", "row-level data", contents, facts, {}), folder)
    return Recomputation(len(rows), told, len(contents), names.hides, record.seq)


def _inputs(
    catalog: Catalog,
    published: Published,
    there: set[str],
    names: Naming,
    number: Mapping[str, str] | None,
) -> dict[str, pl.DataFrame]:
    """The inputs of all numbers, or of one."""
    contrast = key_of(number["key"]).get("contrast") if number is not None else None
    inputs: dict[str, pl.DataFrame] = {}
    if contrast is None:
        inputs = clinical_inputs(catalog, published, there)
        if number is not None:
            inputs = narrowed(catalog, number, inputs)
        inputs = {name: names.of_subjects(frame) for name, frame in inputs.items()}
    if number is None or contrast is not None:
        chosen = None if contrast is None else [contrast]
        inputs |= expression_inputs(catalog, published, there, names, chosen)
    return inputs


def _tables(published: Published) -> set[str]:
    rows = published.query(
        "SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() WHERE database_name = 'warehouse'"
    )
    return set(rows["name"])


def _numbers(catalog: Catalog, published: Published, there: set[str], table: str) -> Iterator[dict[str, str]]:
    """The rows of published.csv of one table, nothing where the publication has no such table."""
    frame = _printed_only(catalog, published, there, table) if table in _NEITHER else None
    if frame is None and table in there:
        key = ", ".join(map(identifier, TABLES[table].key))
        frame = published.query(f"SELECT * FROM {relation(table, 'warehouse')} ORDER BY {key}")
    if frame is not None and table == "expression.contrasts":
        frame = frame.filter(pl.col("status") != "skipped")
    if frame is not None:
        yield from numbers_of(table, frame)


def _printed_only(catalog: Catalog, published: Published, there: set[str], table: str) -> pl.DataFrame | None:
    """What the page prints without a table of its own."""
    if table == "page.gaps":
        if "expression.de_results" not in there:
            return None
        return published.query(
            "SELECT contrast, na_reason, count(*) AS genes FROM expression.de_results WHERE na_reason IS NOT NULL "
            "GROUP BY ALL ORDER BY ALL"
        )
    if "marts.participants" not in there:
        return None
    if table == "page.values_recorded":
        scores, people, outcomes = (
            published.query(f"SELECT * FROM {relation(name, 'warehouse')}")
            for name in ("marts.symptom_scores", "marts.participants", "study.outcomes")
        )
        return values_recorded(scores, people, outcomes, [visit.id for visit in catalog.study.visits])
    return _gate(published, [s for s in catalog.study.clinical if f"quarantine.{s}" in there])


def _gate(published: Published, sources: Sequence[str]) -> pl.DataFrame:
    """What the gate did with each source."""
    counts = [
        f"""SELECT '{source}' AS source, n AS rows_read, n - aside AS rows_accepted, aside AS rows_set_aside,
    cells_emptied
FROM (SELECT count(*) AS n FROM {relation(f"raw.{source}", "warehouse")}), (
    SELECT count(DISTINCT _row_id) FILTER (scope = 'row') AS aside,
        count(DISTINCT (_row_id, "column")) FILTER (scope = 'cell') AS cells_emptied
    FROM {relation(f"quarantine.{source}", "warehouse")})"""
        for source in sources
    ]
    return (
        published.query(" UNION ALL ".join(counts)) if counts else pl.DataFrame(schema={"source": pl.String})
    )
