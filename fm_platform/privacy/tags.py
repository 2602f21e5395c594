"""Which columns can identify a person, and how a tag follows column lineage.

Belongs here: tags by role and name, and the trace from a column back to tagged ones. Does not belong here:
what is done about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
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


class Tags:
    """The tags of a study's columns."""

    def __init__(self, study: Study, instruments: Sequence[Instrument] = ()) -> None:
        """Note which columns of the delivered files have a declared use."""
        self._study = study
        self._quasi = set(study.privacy.quasi_identifiers)
        declared = declared_columns(study, instruments) if study.has_clinical else ()
        self._declared = {(entry.source, entry.column): entry for entry in declared}

    def of(self, table: str, column: str) -> Tag | None:
        """The tag of a column, by its name and its role in study.yaml.

        A column of a delivered file that study.yaml does not mention is unclassified: it may hold free text.
        """
        if column.startswith("_"):
            return None
        schema, name = table.split(".", 1)
        if schema in ("raw", "staging") and name in self._study.clinical:
            entry = self._declared.get((name, column))
            if entry is not None:
                by_role = _BY_ROLE.get(entry.kind)
                return by_role or ("quasi_identifier" if entry.role in self._quasi else None)
            if schema == "raw":
                return "unclassified"
        if column in self._quasi and schema in ("staging", "marts", "privacy"):
            return "quasi_identifier"
        return _BY_NAME.get(column)

    def identifying_inputs(self, table: str, column: str, lineage_of: LineageOf) -> set[tuple[str, str, Tag]]:
        """The identifying columns whose values reach a column one by one.

        Args:
            table: Where the column is.
            column: The column.
            lineage_of: Column lineage of any table.
        """
        return {found for found in self.tagged_inputs(table, column, lineage_of) if found[2] in IDENTIFYING}

    def tagged_inputs(
        self, table: str, column: str, lineage_of: LineageOf, _seen: set[tuple[str, str]] | None = None
    ) -> set[tuple[str, str, Tag]]:
        """The tagged columns, quasi-identifiers included, whose values reach a column one by one."""
        seen = set() if _seen is None else _seen
        if (table, column) in seen:
            return set()
        seen.add((table, column))
        tag = self.of(table, column)
        found: set[tuple[str, str, Tag]] = set() if tag is None else {(table, column, tag)}
        for entry in lineage_of(table).get(column, ()):
            if entry.kind == "DIRECT" and entry.transformation in PASSES_ON:
                found |= self.tagged_inputs(entry.table, entry.column, lineage_of, seen)
        return found
