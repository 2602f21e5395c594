"""Row links of what is printed and of what is prepared for leaving: report tables, pseudonymized tables, k-anonymity.

Belongs here: which row a printed row repeats. Does not belong here: numbers (``clinical``, ``expression``).
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.catalog.asset import RowsOf
from fm_platform.catalog.links.clinical import PEOPLE, last_of_level
from fm_platform.reporting.arms_table import ARMS
from fm_platform.reporting.tables import CHANGE, RESPONSE
from fm_platform.statistics.arms import BETWEEN_ARMS
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.statistics.responders import RESPONDER_COUNTS
from fm_platform.warehouse.names import identifier

_VARIABLE = "CASE variable WHEN 'n' THEN 'subject_id' ELSE variable END"
_REPEATED = ((CHANGE, SYMPTOM_CHANGE), (RESPONSE, RESPONDER_COUNTS), (ARMS, BETWEEN_ARMS))
"""Report tables, and the tables of statistics whose rows they repeat."""


def printed_links(quasi_identifiers: Sequence[str] = ()) -> dict[str, tuple[RowsOf, ...]]:
    """Table to the rows behind its rows.

    Args:
        quasi_identifiers: The tables that hold the study's quasi-identifiers.
    """
    return {
        **{printed.name: (RowsOf(stats.name, _same(printed.key)),) for printed, stats in _REPEATED},
        "report.characteristics": (
            RowsOf(
                PEOPLE, "i.in_population AND (o.stratum IS NULL OR i.stratum = o.stratum)", chooses=_VARIABLE
            ),
            last_of_level("o.level"),
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
