"""Row links of what is printed and of what is prepared for leaving: report tables, pseudonymized tables, k-anonymity.

Belongs here: which row a printed row repeats. Does not belong here: numbers (``clinical``, ``expression``).
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.catalog.asset import RowsOf
from fm_platform.catalog.links.clinical import PEOPLE
from fm_platform.reporting.tables import KEYS
from fm_platform.warehouse.names import identifier

_VARIABLE = "CASE variable WHEN 'n' THEN 'subject_id' ELSE variable END"
_REPEATED = {
    "report.symptom_change": "stats.symptom_change",
    "report.responders": "stats.responders",
    "report.between_arms": "stats.between_arms",
}


def printed_links(quasi_identifiers: Sequence[str] = ()) -> dict[str, tuple[RowsOf, ...]]:
    """Table to the rows behind its rows.

    Args:
        quasi_identifiers: The tables that hold the study's quasi-identifiers.
    """
    return {
        **{table: (RowsOf(source, _same(KEYS[table])),) for table, source in _REPEATED.items()},
        "report.characteristics": (
            RowsOf(
                PEOPLE, "i.in_population AND (o.stratum IS NULL OR i.stratum = o.stratum)", chooses=_VARIABLE
            ),
        ),
        "privacy.equivalence_classes": tuple(
            RowsOf(table) for table in dict.fromkeys([PEOPLE, *quasi_identifiers])
        ),
        "privacy.k_anonymity": (RowsOf("privacy.equivalence_classes", "i.banding = o.banding"),),
        "privacy.subjects": (RowsOf(PEOPLE), RowsOf("privacy.k_anonymity")),
        "privacy.scores": (
            RowsOf("marts.symptom_scores", "i.visit_id = o.visit_id AND i.outcome_id = o.outcome_id"),
            RowsOf("staging.stg_visit_schedule", "i.visit_id = o.visit_id"),
        ),
    }


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f"i.{identifier(name)} IS NOT DISTINCT FROM o.{identifier(name)}" for name in key)
