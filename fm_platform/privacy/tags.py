"""Which columns can identify a person, and how a tag follows column lineage.

Belongs here: tags by role and name, and the trace from a column back to tagged ones. Does not belong here:
what is done about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from fm_platform.study import Study
from fm_platform.warehouse.records import ColumnInput

Tag = Literal["identifier", "date", "quasi_identifier", "unclassified"]
IDENTIFYING: frozenset[Tag] = frozenset({"identifier", "date", "unclassified"})
"""Tags that no report table may carry. Quasi-identifiers are counted there, and k-anonymity judges them."""

PASSES_ON = frozenset({"IDENTITY", "TRANSFORMATION", "CONDITIONAL"})
"""Steps after which a value is still one person's own; aggregates and groups are not."""

_BY_NAME: Mapping[str, Tag] = {
    "subject_id": "identifier",
    "USUBJID": "identifier",
    "visit_date": "date",
    "baseline_date": "date",
}
_BY_ROLE: Mapping[str, Tag] = {"subject": "identifier", "date": "date", "missing_reason": "unclassified"}

LineageOf = Callable[[str], Mapping[str, Iterable[ColumnInput]]]
"""Column lineage of a table; empty where none is known."""


def tag_of(study: Study, table: str, column: str) -> Tag | None:
    """The tag of a column by its name and its role in study.yaml.

    A column of a delivered file that study.yaml does not mention is unclassified: it may hold free text.
    """
    if column.startswith("_"):
        return None
    schema, name = table.split(".", 1)
    source = study.clinical.get(name)
    if source is not None and schema in ("raw", "staging"):
        for role, columns in source.columns.items():
            if column in columns:
                by_role = _BY_ROLE.get(role)
                return by_role or ("quasi_identifier" if role in study.privacy.quasi_identifiers else None)
        if schema == "raw":
            return None if _is_used(study, name, column) else "unclassified"
    if column in study.privacy.quasi_identifiers and schema in ("staging", "marts", "privacy"):
        return "quasi_identifier"
    return _BY_NAME.get(column)


def _is_used(study: Study, source: str, column: str) -> bool:
    """Whether an instrument or an outcome reads a raw column: then the gate has made sure that it is a number."""
    if any(outcome.column == f"{source}.{column}" for outcome in study.outcomes):
        return True
    return any(use.source == source for use in study.instruments)


def identifying_inputs(
    study: Study, table: str, column: str, lineage_of: LineageOf, _seen: set[tuple[str, str]] | None = None
) -> set[tuple[str, str, Tag]]:
    """The tagged columns whose values reach a column one by one.

    Args:
        study: For the tags.
        table: Where the column is.
        column: The column.
        lineage_of: Column lineage of any table.
    """
    seen = set() if _seen is None else _seen
    if (table, column) in seen:
        return set()
    seen.add((table, column))
    tag = tag_of(study, table, column)
    found: set[tuple[str, str, Tag]] = {(table, column, tag)} if tag in IDENTIFYING and tag is not None else set()
    for entry in lineage_of(table).get(column, ()):
        if entry.kind == "DIRECT" and entry.transformation in PASSES_ON:
            found |= identifying_inputs(study, entry.table, entry.column, lineage_of, seen)
    return found
