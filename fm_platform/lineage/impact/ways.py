"""The conditions under which a row of a table depends on raw rows.

Belongs here: SQL for each of the ways that ``reached`` names. Does not belong here: counting or listing what they hit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fm_platform.lineage.impact.origin import SAMPLES, Origin, has_table
from fm_platform.lineage.source_rows import ROW_ID, ROW_IDS
from fm_platform.warehouse.reader import Published

CONTRASTS = "expression.contrasts"
_ABOUT_ONE = {"subject_id", "USUBJID"}
"""Columns of tables whose rows are about one subject, so that a stratum is no denominator."""
_POPULATION = ("marts.participants", "staging.stg_subjects")
_WHOLE_MATRIX = (
    "expression.size_factors",
    "expression.pca",
    "expression.outliers",
    "expression.sample_distances",
)


def ways_of(
    published: Published, origin: Origin, table: str, schema: Mapping[str, str]
) -> tuple[dict[str, str], list[Any]]:
    """Conditions under which a row is reached, and their values in order."""
    ways: dict[str, str] = {}
    values: list[Any] = []
    if ROW_IDS in schema:
        ways["rows"] = f"list_has_any({ROW_IDS}, ?::VARCHAR[])"
    elif ROW_ID in schema:
        ways["rows"] = f"list_contains(?::VARCHAR[], {ROW_ID})"
    if ways:
        values.append(origin.row_ids)
    if (
        "stratum" in schema
        and origin.strata
        and not _ABOUT_ONE & set(schema)
        and _counts_people(published, table)
    ):
        ways["denominator"] = "list_contains(?::VARCHAR[], coalesce(stratum, ''))"
        values.append([stratum or "" for stratum in origin.strata])
    fitted = _fitted(published, origin, table, schema)
    if fitted is not None:
        ways["fit"] = fitted[0]
        values += fitted[1]
    return ways, values


def _counts_people(published: Published, table: str) -> bool:
    """Whether a table's numbers count subjects of the population, by the recorded column lineage."""
    found = published.query(
        "WITH RECURSIVE up(t) AS (SELECT ?::VARCHAR UNION SELECT input_table FROM audit.column_lineage "
        "JOIN up ON table_name = up.t AND starts_with(up.t, 'report.')) "
        "SELECT count(*) FROM audit.column_lineage JOIN up ON table_name = up.t WHERE list_contains(?, input_table)",
        [table, list(_POPULATION)],
    )
    return bool(found.item())


def _fitted(
    published: Published, origin: Origin, table: str, schema: Mapping[str, str]
) -> tuple[str, list[Any]] | None:
    """What a vanishing sample, or a changed line of a matrix, does beyond the rows that name it."""
    genes = [row.row_id for row in origin.rows if row.source == "counts"]
    if not origin.count_ids and not genes:
        return None
    if table == "raw.count_columns" and origin.count_ids:
        first = "(SELECT min(position) FROM raw.count_columns AS c WHERE c.sheet = count_columns.sheet AND "
        return f"position >= {first}list_contains(?::VARCHAR[], c.count_id))", [list(origin.count_ids)]
    if table == SAMPLES and origin.count_ids:
        first = f"(SELECT min(s.position) FROM {SAMPLES} AS s WHERE list_contains(?::VARCHAR[], s.count_id))"
        return f"position >= {first}", [list(origin.count_ids)]
    if table in ("raw.counts", "expression.counts"):
        return ("true", []) if origin.count_ids else None
    if table in _WHOLE_MATRIX or (table == "expression.library_sizes" and genes):
        return "true", []
    if "contrast" in schema and has_table(published, CONTRASTS):
        used = (
            f"contrast IN (SELECT contrast FROM {CONTRASTS} WHERE list_has_any(samples, ?::VARCHAR[]))"
            if origin.samples
            else "true"
        )
        return used, [list(origin.samples)] if origin.samples else []
    return None
