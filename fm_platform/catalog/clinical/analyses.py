"""The further ``stats.*`` tables: sensitivity, omnibus, response in detail, arms, planning.

Belongs here: which of them a study has, their inputs and column lineage. Does not belong here: the methods
(``statistics``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fm_platform.catalog.asset import Asset, Built, Step, constants, direct, indirect
from fm_platform.catalog.clinical import analysis_columns as words
from fm_platform.lineage.code import code_version
from fm_platform.statistics.arms import between_arms
from fm_platform.statistics.omnibus import friedman_tests
from fm_platform.statistics.planning import planning
from fm_platform.statistics.responder_arms import responder_arms
from fm_platform.statistics.responder_status import responder_status
from fm_platform.statistics.responder_tables import mcnemar_tests, responder_rates
from fm_platform.statistics.sensitivity import sensitivity
from fm_platform.study.model import Study
from fm_platform.warehouse.records import Column, ColumnInput

SCORES, PEOPLE = "marts.symptom_scores", "marts.participants"
RESPONDER_ARMS = "stats.responder_arms"
INSTRUMENT_SCORES, STATUS, RATES = (
    "staging.stg_instrument_scores",
    "stats.responder_status",
    "stats.responder_rates",
)
INPUTS = (SCORES, PEOPLE, "study.outcomes", "study.visits")

ENGINE = "the version of the statistics engine in code"
DENOMINATOR = "the names of the denominators in code"

_VALUES = direct(SCORES, "value_exact", "value_scale", how="AGGREGATION")
_VISITS = indirect("study.visits", "visit_id", "is_baseline", how="JOIN")
_ORDER = indirect("study.visits", "position", how="SORT")
_OUTCOMES = indirect("study.outcomes", "outcome_id", how="JOIN")
_POPULATION = indirect(PEOPLE, "in_population")
_ROWS = (*_VISITS, *_OUTCOMES, *_POPULATION, *indirect(PEOPLE, "stratum", how="GROUP_BY"))
"""Outcomes, visits and strata: which rows there are."""
_PANEL = (
    *direct(PEOPLE, "subject_id", how="AGGREGATION"),
    *indirect(SCORES, "subject_id", "visit_id", "outcome_id", how="GROUP_BY"),
)
"""Who has a value at which visit."""
_OUTCOME = direct("study.outcomes", "outcome_id", how="IDENTITY")
_VISIT = direct("study.visits", "visit_id", how="IDENTITY")
_STRATUM = direct(PEOPLE, "stratum", how="GROUP_BY")
_ARM = direct(PEOPLE, "arm", how="GROUP_BY")
_ARMS = indirect(PEOPLE, "arm", how="GROUP_BY")
_BETTER = direct("study.outcomes", "better")
_SCALE = (*direct("study.outcomes", "range_low", "range_high"), *_BETTER)
_FAMILY = direct("study.outcomes", "family")
_STATUS_ROWS = (*_VISITS, *_POPULATION, *indirect("study.responders", "responder_id", how="JOIN"))


def analysis_assets(study: Study) -> list[Asset]:
    """The further statistics assets of a clinical study; comparisons of arms only where it has arms."""
    assets = [_sensitivity(), _friedman(), _status(), _rates(), _mcnemar(), _planning()]
    if has_arms(study):
        assets += [_arms(), _responder_arms()]
    return assets


def has_arms(study: Study) -> bool:
    """Whether any source declares an arm."""
    return any("arm" in source.columns for source in study.clinical.values())


def _asset(
    table: str,
    description: str,
    described: tuple[Column, ...],
    build: Callable[[Step], Built],
    inputs: tuple[str, ...],
    key: tuple[str, ...],
    rest: tuple[ColumnInput, ...],
    *,
    study_keys: tuple[str, ...] = (),
    constant: Mapping[str, str] | None = None,
    own: Mapping[str, tuple[ColumnInput, ...]],
) -> Asset:
    """An asset whose columns come from ``rest``, but for those named in ``own`` and for constants."""
    return Asset(
        table=table,
        description=description,
        group="statistics",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=inputs,
        key=key,
        study_keys=study_keys,
        code_version=code_version(build),
        build=build,
        lineage={
            **{column.name: own.get(column.name, rest) for column in described},
            **dict.fromkeys(constant or {}, ()),
        },
        columns=constants(described, **(constant or {})),
    )


def _sensitivity() -> Asset:
    pairs = (*_PANEL, *_ROWS)
    complete = (*_VALUES, *pairs)
    of_complete = (
        "mean_change",
        "mean_low",
        "mean_high",
        "mean_df",
        "estimate_min",
        "estimate_max",
        "p_min",
        "p_max",
    )
    return _asset(
        "stats.sensitivity",
        "Every comparison with baseline again, under every other way to treat zeros and missing values.",
        words.SENSITIVITY_COLUMNS,
        build_sensitivity,
        INPUTS,
        ("outcome", "visit", "stratum", "analysis"),
        (*complete, *_SCALE, *_ORDER),
        constant={"engine_version": ENGINE},
        own={
            "outcome": (*_OUTCOME, *pairs),
            "visit": (*_VISIT, *pairs),
            "stratum": (*_STRATUM, *pairs),
            "n_imputed": (*pairs, *_ORDER),
            **dict.fromkeys(("analysis", "assumption", "n", "hl_level"), pairs),
            **dict.fromkeys(of_complete, complete),
        },
    )


def build_sensitivity(step: Step) -> Built:
    """``stats.sensitivity``."""
    return Built(rows=sensitivity(*(step.read(table) for table in INPUTS)))


def _friedman() -> Asset:
    pairs = (*_PANEL, *_ROWS)
    return _asset(
        "stats.friedman",
        "Did an outcome differ between any visits? Exact Friedman test of the subjects with all of them.",
        words.FRIEDMAN_COLUMNS,
        build_friedman,
        INPUTS,
        ("outcome", "stratum"),
        (*_VALUES, *pairs),
        constant={"engine_version": ENGINE},
        own={
            "outcome": (*_OUTCOME, *_ROWS),
            "stratum": (*_STRATUM, *_ROWS),
            "visits": (*direct("study.visits", "visit_id"), *_ORDER, *pairs),
            **dict.fromkeys(("n", "n_missing", "n_visits"), pairs),
        },
    )


def build_friedman(step: Step) -> Built:
    """``stats.friedman``."""
    return Built(rows=friedman_tests(*(step.read(table) for table in INPUTS)))


def _status() -> Asset:
    responder = direct("study.responders", "responder_id", how="IDENTITY")
    judged = (
        *direct(SCORES, "value_exact", "value_scale"),
        *direct(INSTRUMENT_SCORES, "value_exact", "value_scale"),
        *direct("study.responders", "reduction_percent"),
        *_BETTER,
        *indirect(SCORES, "subject_id", "visit_id", "outcome_id", how="JOIN"),
        *indirect(INSTRUMENT_SCORES, "subject_id", "visit_id", "score_id", how="JOIN"),
        *indirect("study.responders", "outcome_id", how="JOIN"),
        *_OUTCOMES,
        *indirect(PEOPLE, "subject_id", how="JOIN"),
        *_STATUS_ROWS,
    )
    return _asset(
        STATUS,
        "Each subject, later visit and responder definition (composites of instruments included), judged.",
        words.STATUS_COLUMNS,
        build_status,
        (SCORES, INSTRUMENT_SCORES, PEOPLE, "study.responders", "study.outcomes", "study.visits"),
        ("responder", "subject_id", "visit"),
        judged,
        study_keys=("instruments",),
        own={
            "responder": (*responder, *_STATUS_ROWS),
            "definition": (*direct("study.responders", "outcome_id", "reduction_percent"), *_STATUS_ROWS),
            "subject_id": (*direct(PEOPLE, "subject_id", how="IDENTITY"), *_STATUS_ROWS),
            "visit": (*_VISIT, *_STATUS_ROWS),
            "stratum": (*direct(PEOPLE, "stratum", how="IDENTITY"), *_STATUS_ROWS),
        },
    )


def build_status(step: Step) -> Built:
    """``stats.responder_status``."""
    inputs = (SCORES, INSTRUMENT_SCORES, PEOPLE, "study.responders", "study.outcomes", "study.visits")
    return Built(rows=responder_status(*(step.read(table) for table in inputs), instruments=step.instruments))


def _rates() -> Asset:
    groups = indirect(STATUS, "responder", "visit", "stratum", how="GROUP_BY")
    counted = direct(STATUS, "status", how="AGGREGATION")
    return _asset(
        RATES,
        "Responder rates under every denominator, composites of instruments included.",
        words.RATE_COLUMNS,
        build_rates,
        (STATUS,),
        ("responder", "visit", "stratum", "denominator"),
        (*direct(STATUS, "responded", how="AGGREGATION"), *counted, *groups),
        constant={"engine_version": ENGINE, "denominator": DENOMINATOR},
        own={
            "responder": (*direct(STATUS, "responder", how="GROUP_BY"), *groups),
            "visit": (*direct(STATUS, "visit", how="GROUP_BY"), *groups),
            "stratum": (*direct(STATUS, "stratum", how="GROUP_BY"), *groups),
            "definition": (*direct(STATUS, "definition", how="IDENTITY"), *groups),
            **dict.fromkeys(("n_missing", "n_base_zero"), (*counted, *groups)),
        },
    )


def build_rates(step: Step) -> Built:
    """``stats.responder_rates``."""
    return Built(rows=responder_rates(step.read(STATUS)))


def _mcnemar() -> Asset:
    rows = (*_VISITS, *indirect(STATUS, "responder", "stratum", how="GROUP_BY"))
    compared = (
        *direct(STATUS, "responded", how="AGGREGATION"),
        *indirect(STATUS, "visit", how="GROUP_BY"),
        *indirect(STATUS, "subject_id", how="JOIN"),
        *rows,
    )
    return _asset(
        "stats.mcnemar",
        "Did the same people respond at one visit and not at another? Exact McNemar tests.",
        words.MCNEMAR_COLUMNS,
        build_mcnemar,
        (STATUS, "study.visits"),
        ("responder", "first_visit", "second_visit", "stratum"),
        compared,
        constant={"engine_version": ENGINE},
        own={
            "responder": (*direct(STATUS, "responder", how="GROUP_BY"), *rows),
            "stratum": (*direct(STATUS, "stratum", how="GROUP_BY"), *rows),
            "definition": (
                *direct(STATUS, "definition", how="IDENTITY"),
                *indirect(STATUS, "visit", how="GROUP_BY"),
                *rows,
            ),
            **dict.fromkeys(("first_visit", "second_visit"), (*_VISIT, *_ORDER, *rows)),
            **dict.fromkeys(("only_first", "only_second"), (*compared, *_ORDER)),
        },
    )


def build_mcnemar(step: Step) -> Built:
    """``stats.mcnemar``."""
    return Built(rows=mcnemar_tests(step.read(STATUS), step.read("study.visits")))


def _arms() -> Asset:
    rows = (*_VISITS, *_OUTCOMES, *_POPULATION, *_ARMS)
    pairs = (*_PANEL, *rows)
    return _asset(
        "stats.between_arms",
        "Change from baseline of each arm against the reference: exact rank-sum test, Hodges-Lehmann shift.",
        words.ARMS_COLUMNS,
        build_arms,
        INPUTS,
        ("outcome", "visit", "arm"),
        (*_VALUES, *pairs),
        study_keys=("labels", "reference_arm"),
        constant={"engine_version": ENGINE},
        own={
            "outcome": (*_OUTCOME, *rows),
            "visit": (*_VISIT, *rows),
            **dict.fromkeys(("arm", "reference"), (*_ARM, *rows)),
            "family": (*direct("study.outcomes", "family", how="IDENTITY"), *rows),
            "family_size": (*_FAMILY, *rows),
            **dict.fromkeys(("p_holm", "p_bh", "holm_floor"), (*_VALUES, *_FAMILY, *pairs)),
            **dict.fromkeys(("n", "n_arm", "n_reference", "n_missing", "shift_level"), pairs),
        },
    )


def build_arms(step: Step) -> Built:
    """``stats.between_arms``."""
    rows = between_arms(
        *(step.read(table) for table in INPUTS),
        reference=step.study.reference_arm,
        order=tuple(step.study.labels.get("arm", {})),
    )
    return Built(rows=rows)


def _responder_arms() -> Asset:
    rows = (
        *indirect(STATUS, "responder", "visit", how="GROUP_BY"),
        *indirect(STATUS, "subject_id", how="JOIN"),
        *indirect(PEOPLE, "subject_id", how="JOIN"),
        *_ARMS,
    )
    counted = direct(STATUS, "status", how="AGGREGATION")
    responded = direct(STATUS, "responded", how="AGGREGATION")
    return _asset(
        RESPONDER_ARMS,
        "Responders of each arm against the reference arm: Fisher's exact test, under two denominators.",
        words.RESPONDER_ARMS_COLUMNS,
        build_responder_arms,
        (STATUS, PEOPLE),
        ("responder", "visit", "arm", "denominator"),
        (*responded, *counted, *rows),
        study_keys=("labels", "reference_arm"),
        constant={"engine_version": ENGINE, "denominator": DENOMINATOR},
        own={
            "responder": (*direct(STATUS, "responder", how="GROUP_BY"), *rows),
            "visit": (*direct(STATUS, "visit", how="GROUP_BY"), *rows),
            **dict.fromkeys(("arm", "reference"), (*_ARM, *rows)),
            "definition": (*direct(STATUS, "definition", how="IDENTITY"), *rows),
            "n_missing": (*counted, *rows),
            **dict.fromkeys(("responders_arm", "responders_reference"), (*responded, *rows)),
        },
    )


def build_responder_arms(step: Step) -> Built:
    """``stats.responder_arms``."""
    rows = responder_arms(
        step.read(STATUS),
        step.read(PEOPLE),
        reference=step.study.reference_arm,
        order=tuple(step.study.labels.get("arm", {})),
    )
    return Built(rows=rows)


def _planning() -> Asset:
    rest = (
        *_VALUES,
        *_PANEL,
        *direct(RATES, "rate", how="AGGREGATION"),
        *indirect(RATES, "denominator", "stratum"),
        *indirect("study.outcomes", "score_id", how="JOIN"),
        *_VISITS,
        *_OUTCOMES,
        *_POPULATION,
    )
    return _asset(
        "stats.planning",
        "What a series of this size can detect, and how large a two-arm trial would have to be.",
        words.PLANNING_COLUMNS,
        build_planning,
        (*INPUTS, RATES),
        ("design", "variable", "visit", "assumption", "target_power"),
        rest,
        study_keys=("instruments",),
        constant={"engine_version": ENGINE, "alpha": "the significance level in code"},
        own={
            "variable": (*_OUTCOME, *direct(RATES, "responder", how="IDENTITY"), *rest),
            "visit": (*_VISIT, *direct(RATES, "visit", how="IDENTITY"), *rest),
            "assumption": (*direct(RATES, "responders", "n"), *rest),
            "n": (*direct(RATES, "n", how="IDENTITY"), *rest),
        },
    )


def build_planning(step: Step) -> Built:
    """``stats.planning``."""
    tables = [step.read(table) for table in (*INPUTS, RATES)]
    return Built(rows=planning(*tables, instruments=step.instruments))
