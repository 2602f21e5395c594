"""The further ``stats.*`` tables: sensitivity, omnibus, response in detail, arms, planning.

Belongs here: which of them a study has, their inputs and column lineage. Does not belong here: the methods
(``statistics``).
"""

from __future__ import annotations

from collections.abc import Callable

from fm_platform.catalog.asset import Asset, Built, Step, direct, indirect
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

_VALUES = direct(SCORES, "value_exact", "value_scale", how="AGGREGATION")
_MEMBERS = (
    *indirect(PEOPLE, "in_population", "stratum", "subject_id"),
    *indirect(SCORES, "subject_id", "visit_id", "outcome_id", how="GROUP_BY"),
)
_OUTCOME = direct("study.outcomes", "outcome_id", how="IDENTITY")
_VISIT = direct("study.visits", "visit_id", how="IDENTITY")
_STRATUM = direct(PEOPLE, "stratum", how="GROUP_BY")
_ARM = direct(PEOPLE, "arm", how="GROUP_BY")
_SCALE = direct("study.outcomes", "range_low", "range_high", "better")
_FAMILY = direct("study.outcomes", "family", how="IDENTITY")


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
    **own: tuple[ColumnInput, ...],
) -> Asset:
    """An asset whose columns come from ``rest`` but for those named in ``own``."""
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
        lineage={column.name: own.get(column.name, rest) for column in described},
        columns=described,
    )


def _sensitivity() -> Asset:
    return _asset(
        "stats.sensitivity",
        "Every comparison with baseline again, under every other way to treat zeros and missing values.",
        words.SENSITIVITY_COLUMNS,
        build_sensitivity,
        INPUTS,
        ("outcome", "visit", "stratum", "analysis"),
        (*_VALUES, *_SCALE, *_MEMBERS),
        outcome=_OUTCOME,
        visit=_VISIT,
        stratum=_STRATUM,
    )


def build_sensitivity(step: Step) -> Built:
    """``stats.sensitivity``."""
    return Built(rows=sensitivity(*(step.read(table) for table in INPUTS)))


def _friedman() -> Asset:
    return _asset(
        "stats.friedman",
        "Did an outcome differ between any visits? Exact Friedman test of the subjects with all of them.",
        words.FRIEDMAN_COLUMNS,
        build_friedman,
        INPUTS,
        ("outcome", "stratum"),
        (*_VALUES, *_MEMBERS),
        outcome=_OUTCOME,
        visits=direct("study.visits", "visit_id"),
        stratum=_STRATUM,
    )


def build_friedman(step: Step) -> Built:
    """``stats.friedman``."""
    return Built(rows=friedman_tests(*(step.read(table) for table in INPUTS)))


def _status() -> Asset:
    responder = direct("study.responders", "responder_id", how="IDENTITY")
    judged = (
        *direct(SCORES, "value_exact", "value_scale"),
        *direct(INSTRUMENT_SCORES, "value_exact", "value_scale"),
        *direct("study.responders", "reduction_percent", "outcome_id"),
        *direct("study.outcomes", "better"),
        *_MEMBERS,
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
        responder=responder,
        definition=direct("study.responders", "outcome_id", "reduction_percent"),
        subject_id=direct(PEOPLE, "subject_id", how="IDENTITY"),
        visit=_VISIT,
        stratum=direct(PEOPLE, "stratum", how="IDENTITY"),
    )


def build_status(step: Step) -> Built:
    """``stats.responder_status``."""
    inputs = (SCORES, INSTRUMENT_SCORES, PEOPLE, "study.responders", "study.outcomes", "study.visits")
    return Built(rows=responder_status(*(step.read(table) for table in inputs), instruments=step.instruments))


def _rates() -> Asset:
    return _asset(
        RATES,
        "Responder rates under every denominator, composites of instruments included.",
        words.RATE_COLUMNS,
        build_rates,
        (STATUS,),
        ("responder", "visit", "stratum", "denominator"),
        (*direct(STATUS, "responded", "status", how="AGGREGATION"), *_status_groups()),
        responder=direct(STATUS, "responder", how="GROUP_BY"),
        visit=direct(STATUS, "visit", how="GROUP_BY"),
        stratum=direct(STATUS, "stratum", how="GROUP_BY"),
        definition=direct(STATUS, "definition", how="IDENTITY"),
    )


def _status_groups() -> tuple[ColumnInput, ...]:
    return indirect(STATUS, "responder", "visit", "stratum", how="GROUP_BY")


def build_rates(step: Step) -> Built:
    """``stats.responder_rates``."""
    return Built(rows=responder_rates(step.read(STATUS)))


def _mcnemar() -> Asset:
    visit = direct(STATUS, "visit", how="GROUP_BY")
    return _asset(
        "stats.mcnemar",
        "Did the same people respond at one visit and not at another? Exact McNemar tests.",
        words.MCNEMAR_COLUMNS,
        build_mcnemar,
        (STATUS, "study.visits"),
        ("responder", "first_visit", "second_visit", "stratum"),
        (*direct(STATUS, "responded", how="AGGREGATION"), *_status_groups()),
        responder=direct(STATUS, "responder", how="GROUP_BY"),
        first_visit=visit,
        second_visit=visit,
        stratum=direct(STATUS, "stratum", how="GROUP_BY"),
        definition=direct(STATUS, "definition", how="IDENTITY"),
    )


def build_mcnemar(step: Step) -> Built:
    """``stats.mcnemar``."""
    return Built(rows=mcnemar_tests(step.read(STATUS), step.read("study.visits")))


def _arms() -> Asset:
    members = (*_MEMBERS, *indirect(PEOPLE, "arm", how="GROUP_BY"))
    return _asset(
        "stats.between_arms",
        "Change from baseline of each arm against the reference: exact rank-sum test, Hodges-Lehmann shift.",
        words.ARMS_COLUMNS,
        build_arms,
        INPUTS,
        ("outcome", "visit", "arm"),
        (*_VALUES, *members),
        study_keys=("labels", "reference_arm"),
        outcome=_OUTCOME,
        visit=_VISIT,
        arm=_ARM,
        reference=_ARM,
        family=_FAMILY,
        family_size=(*_FAMILY, *_ARM),
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
    return _asset(
        RESPONDER_ARMS,
        "Responders of each arm against the reference arm: Fisher's exact test, under two denominators.",
        words.RESPONDER_ARMS_COLUMNS,
        build_responder_arms,
        (STATUS, PEOPLE),
        ("responder", "visit", "arm", "denominator"),
        (
            *direct(STATUS, "responded", "status", how="AGGREGATION"),
            *indirect(STATUS, "responder", "visit", "subject_id", how="GROUP_BY"),
            *indirect(PEOPLE, "subject_id", "arm", how="GROUP_BY"),
        ),
        study_keys=("labels", "reference_arm"),
        responder=direct(STATUS, "responder", how="GROUP_BY"),
        visit=direct(STATUS, "visit", how="GROUP_BY"),
        arm=_ARM,
        reference=_ARM,
        definition=direct(STATUS, "definition", how="IDENTITY"),
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
    return _asset(
        "stats.planning",
        "What a series of this size can detect, and how large a two-arm trial would have to be.",
        words.PLANNING_COLUMNS,
        build_planning,
        (*INPUTS, RATES),
        ("design", "variable", "visit", "assumption", "target_power"),
        (*_VALUES, *direct(RATES, "rate", "n", how="AGGREGATION"), *_MEMBERS),
        study_keys=("instruments",),
        variable=(*_OUTCOME, *direct(RATES, "responder", how="IDENTITY")),
        visit=(*_VISIT, *direct(RATES, "visit", how="IDENTITY")),
    )


def build_planning(step: Step) -> Built:
    """``stats.planning``."""
    tables = [step.read(table) for table in (*INPUTS, RATES)]
    return Built(rows=planning(*tables, instruments=step.instruments))
