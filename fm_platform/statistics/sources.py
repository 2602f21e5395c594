"""What the columns of ``stats.*`` are computed from: inputs that several tables share, and a column that all have.

Belongs here: groups of input columns with the meaning that they have together. Does not belong here: which column has
which of them (that stands where the column is declared).
"""

from __future__ import annotations

from fm_platform.warehouse.table import direct, indirect, text

CHANGE, SCORES, PEOPLE = "marts.symptom_change", "marts.symptom_scores", "marts.participants"
INSTRUMENT_SCORES = "staging.stg_instrument_scores"
OUTCOMES, VISITS, RESPONDERS = "study.outcomes", "study.visits", "study.responders"
DENOMINATORS = "the names of the denominators in code"
VERSION = text(
    "engine_version",
    "Version of the statistics engine",
    constant="the version of the statistics engine in code",
)
"""The last column of every table of results."""

OF_OUTCOME = direct(OUTCOMES, "outcome_id", how="IDENTITY")
OF_VISIT = direct(VISITS, "visit_id", how="IDENTITY")
OF_STRATUM = direct(PEOPLE, "stratum", how="GROUP_BY")
OF_FAMILY = direct(OUTCOMES, "family", how="IDENTITY")
BETTER = direct(OUTCOMES, "better")
FAMILY = direct(OUTCOMES, "family")

EACH_OUTCOME = indirect(OUTCOMES, "outcome_id", how="JOIN")
EACH_VISIT = indirect(VISITS, "visit_id", "is_baseline", how="JOIN")
IN_ORDER = indirect(VISITS, "position", how="SORT")
POPULATION = indirect(PEOPLE, "in_population")

SCORED = direct(SCORES, "value_exact", "value_scale", how="AGGREGATION")
ALL_SCORED = (
    *direct(PEOPLE, "subject_id", how="AGGREGATION"),
    *indirect(SCORES, "subject_id", "visit_id", "outcome_id", how="GROUP_BY"),
)
"""Who has a value at which visit."""
SCORE_ROWS = (*EACH_VISIT, *EACH_OUTCOME, *POPULATION, *indirect(PEOPLE, "stratum", how="GROUP_BY"))
"""Outcomes, visits and strata: which rows there are."""

BASE = direct(CHANGE, "base_exact", "base_scale", how="AGGREGATION")
PAIR_VALUES = (*BASE, *direct(CHANGE, "post_exact", "post_scale", how="AGGREGATION"))
EXPECTED = direct(PEOPLE, "subject_id", how="AGGREGATION")
PAIRS = (
    *direct(CHANGE, "subject_id", how="AGGREGATION"),
    *indirect(CHANGE, "visit_id", "outcome_id", how="GROUP_BY"),
    *indirect(PEOPLE, "subject_id", how="JOIN"),
)
"""Who has a complete pair."""
GROUPS = (*EACH_VISIT, *indirect(PEOPLE, "in_population", "stratum", how="GROUP_BY"))
"""Later visits and strata: together with outcomes or definitions, which rows there are."""
