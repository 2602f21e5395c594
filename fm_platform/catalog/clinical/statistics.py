"""The ``stats.*`` tables of the clinical half.

Belongs here: their columns in words, their inputs and column lineage. Does not belong here: the methods
(``statistics``).
"""

from __future__ import annotations

from collections.abc import Mapping

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants, direct, indirect
from fm_platform.lineage.code import code_version
from fm_platform.statistics.change import symptom_change
from fm_platform.statistics.responders import responders
from fm_platform.warehouse.records import ColumnInput

CHANGE_INPUTS = (
    "marts.symptom_change",
    "marts.symptom_scores",
    "marts.participants",
    "study.outcomes",
    "study.visits",
)

CHANGE, PEOPLE = "marts.symptom_change", "marts.participants"
ENGINE = "the version of the statistics engine in code"

_BASE = direct(CHANGE, "base_exact", "base_scale", how="AGGREGATION")
_VALUES = (*_BASE, *direct(CHANGE, "post_exact", "post_scale", how="AGGREGATION"))
_BETTER = direct("study.outcomes", "better")
_FAMILY = direct("study.outcomes", "family")
_EXPECTED = direct(PEOPLE, "subject_id", how="AGGREGATION")
_GROUPS = (
    *indirect("study.visits", "visit_id", "is_baseline", how="JOIN"),
    *indirect(PEOPLE, "in_population", "stratum", how="GROUP_BY"),
)
"""Later visits and strata: together with outcomes or definitions, which rows there are."""
_ROWS = (*_GROUPS, *indirect("study.outcomes", "outcome_id", how="JOIN"))
_PAIRS = (
    *direct(CHANGE, "subject_id", how="AGGREGATION"),
    *indirect(CHANGE, "visit_id", "outcome_id", how="GROUP_BY"),
    *indirect(PEOPLE, "subject_id", how="JOIN"),
)
"""Who has a complete pair."""
_JUDGED = (*_GROUPS, *indirect("study.responders", "responder_id", how="JOIN"))
_DEFINED = indirect("study.responders", "outcome_id", how="JOIN")
_RESPONSE = (
    *_VALUES,
    *direct("study.responders", "reduction_percent"),
    *_BETTER,
    *indirect("study.outcomes", "outcome_id", how="JOIN"),
)

CHANGE_COLUMNS = columns(
    outcome="The outcome",
    visit="The visit that is compared with baseline",
    stratum="The stratum; null for all subjects",
    n="Subjects with a value at both visits",
    n_missing="Subjects of the population without one of the two values",
    n_zero="Subjects without any change",
    n_eff="Subjects that the signed-rank test ranks (n less n_zero)",
    median_baseline="Median at baseline, of the n subjects",
    median_change="Median of later value minus baseline",
    hl_estimate="Hodges-Lehmann estimate of the change, zeros kept",
    hl_low="Lower end of its exact confidence interval; null where no 95 % interval exists",
    hl_high="Upper end of that interval",
    hl_level="Confidence level that the interval achieves",
    w_plus="Rank sum of increases",
    w_minus="Rank sum of decreases",
    p_value="Exact two-sided p-value of the signed-rank test",
    p_floor="The smallest p-value that n_eff subjects can give",
    p_holm="p_value adjusted by Holm within its family; null outside families and in strata",
    p_bh="p_value adjusted by Benjamini and Hochberg within its family, exploratory",
    rank_biserial="Matched-pairs rank-biserial correlation; -1 means that all values fell",
    method="Test, treatment of zeros, estimate",
    n_expected="Subjects of the population in this stratum",
    improved="Subjects that improved",
    unchanged="Subjects that did not change",
    worsened="Subjects that got worse",
    n_tied_groups="Groups of equal absolute changes",
    p_num="Numerator of p_value",
    p_den="Denominator of p_value",
    family="The family of tests that p_holm is adjusted over",
    family_size="Tests in that family",
    holm_floor="The smallest p_holm that the design can give",
    note="Why something is null",
    engine_version="Version of the statistics engine",
)
RESPONDER_COLUMNS = columns(
    responder="The responder definition",
    visit="The visit that is compared with baseline",
    stratum="The stratum; null for all subjects",
    n="Subjects that can be judged",
    responders="Of these, subjects that responded",
    rate="responders / n",
    ci_low="Lower end of the Clopper-Pearson interval",
    ci_high="Upper end of that interval",
    method="Interval method and denominator",
    outcome="The outcome that is judged",
    reduction_percent="Smallest improvement that counts, percent of baseline",
    denominator="Which subjects n counts",
    ci_level="Confidence level of the intervals",
    wilson_low="Lower end of Wilson's interval",
    wilson_high="Upper end of Wilson's interval",
    n_expected="Subjects of the population in this stratum",
    n_missing="Subjects without one of the two values",
    n_base_zero="Subjects whose baseline is zero, so that no percentage exists",
    n_nri="Subjects of the population, less n_base_zero",
    rate_nri="responders / n_nri: whoever is missing counts as not responding",
    nri_low="Lower end of its Clopper-Pearson interval",
    nri_high="Upper end of that interval",
    note="Why something is null",
    engine_version="Version of the statistics engine",
)


def statistics_assets() -> list[Asset]:
    """The statistics assets of a clinical study."""
    return [
        Asset(
            table="stats.symptom_change",
            description="Exact paired tests of every outcome against baseline, one row an outcome, visit and stratum.",
            group="statistics",
            kinds=("polars", "duckdb"),
            half="clinical",
            inputs=CHANGE_INPUTS,
            key=("outcome", "visit", "stratum"),
            code_version=code_version(build_symptom_change),
            build=build_symptom_change,
            lineage=_change_lineage(),
            columns=constants(CHANGE_COLUMNS, engine_version=ENGINE),
        ),
        Asset(
            table="stats.responders",
            description="Responders by definition, visit and stratum, with exact (Clopper-Pearson) intervals.",
            group="statistics",
            kinds=("polars", "duckdb"),
            half="clinical",
            inputs=(*CHANGE_INPUTS, "study.responders"),
            key=("responder", "visit", "stratum"),
            code_version=code_version(build_responders),
            build=build_responders,
            lineage=_responder_lineage(),
            columns=constants(
                RESPONDER_COLUMNS, engine_version=ENGINE, denominator="the name of the denominator in code"
            ),
        ),
    ]


def build_symptom_change(step: Step) -> Built:
    """``stats.symptom_change``."""
    change, scores, participants, outcomes, visits = (step.read(table) for table in CHANGE_INPUTS)
    return Built(rows=symptom_change(change, scores, participants, outcomes, visits))


def build_responders(step: Step) -> Built:
    """``stats.responders``."""
    change, scores, participants, outcomes, visits = (step.read(table) for table in CHANGE_INPUTS)
    definitions = step.read("study.responders")
    return Built(rows=responders(change, scores, participants, definitions, outcomes, visits))


def _change_lineage() -> Mapping[str, tuple[ColumnInput, ...]]:
    """Every column's inputs: the values of the pairs that count, unless it needs more or less than these."""
    pairs, family = (*_PAIRS, *_ROWS), (*_FAMILY, *_ROWS)
    adjusted = (*_VALUES, *_FAMILY, *pairs)
    own = {
        "outcome": (*direct("study.outcomes", "outcome_id", how="IDENTITY"), *_ROWS),
        "visit": (*direct("study.visits", "visit_id", how="IDENTITY"), *_ROWS),
        "stratum": (*direct(PEOPLE, "stratum", how="GROUP_BY"), *_ROWS),
        "n_expected": (*_EXPECTED, *_ROWS),
        "n_missing": (*_EXPECTED, *pairs),
        **dict.fromkeys(("n", "hl_level"), pairs),
        "median_baseline": (*_BASE, *pairs),
        **dict.fromkeys(("improved", "worsened"), (*_VALUES, *_BETTER, *pairs)),
        **dict.fromkeys(("p_holm", "p_bh", "holm_floor"), adjusted),
        "family": (*direct("study.outcomes", "family", how="IDENTITY"), *_ROWS),
        "family_size": family,
        "engine_version": (),
    }
    return {column.name: own.get(column.name, (*_VALUES, *pairs)) for column in CHANGE_COLUMNS}


def _responder_lineage() -> Mapping[str, tuple[ColumnInput, ...]]:
    """Every column's inputs: who responded of the pairs that count, unless it needs less than that."""
    pairs = (*_PAIRS, *_DEFINED, *_JUDGED)
    judged = (*_BASE, *pairs)
    own = {
        "responder": (*direct("study.responders", "responder_id", how="IDENTITY"), *_JUDGED),
        "visit": (*direct("study.visits", "visit_id", how="IDENTITY"), *_JUDGED),
        "stratum": (*direct(PEOPLE, "stratum", how="GROUP_BY"), *_JUDGED),
        "outcome": (*direct("study.responders", "outcome_id", how="IDENTITY"), *_JUDGED),
        "reduction_percent": (*direct("study.responders", "reduction_percent", how="IDENTITY"), *_JUDGED),
        "n_expected": (*_EXPECTED, *_JUDGED),
        "n_missing": (*_EXPECTED, *pairs),
        **dict.fromkeys(("n", "ci_level", "method", "note", "n_base_zero"), judged),
        "n_nri": (*_EXPECTED, *judged),
        **dict.fromkeys(("rate_nri", "nri_low", "nri_high"), (*_RESPONSE, *_EXPECTED, *pairs)),
        **dict.fromkeys(("denominator", "engine_version"), ()),
    }
    return {column.name: own.get(column.name, (*_RESPONSE, *pairs)) for column in RESPONDER_COLUMNS}
