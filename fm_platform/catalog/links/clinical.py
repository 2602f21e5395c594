"""Row links of the clinical half: scores, marts in Python, statistics, data queries.

Belongs here: who takes part in a number, as a condition. Does not belong here: computing it (``statistics``).
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.catalog.asset import RowsOf
from fm_platform.instruments.model import Instrument
from fm_platform.instruments.verdicts import carries_criteria
from fm_platform.statistics.ard import CHARACTERISTICS, LAYOUTS, Layout
from fm_platform.statistics.multiplicity import OF_FAMILY
from fm_platform.study.model import Study
from fm_platform.warehouse.names import identifier, literal

ANSWERS, MEASURES, VISITS = "staging.stg_answers", "staging.stg_measures", "staging.stg_visits"
INSTRUMENT_SCORES, SUBJECTS = "staging.stg_instrument_scores", "staging.stg_subjects"
PEOPLE, SCORES, CHANGE = "marts.participants", "marts.symptom_scores", "marts.symptom_change"
STATUS, RATES = "stats.responder_status", "stats.responder_rates"
DECIDES, FAMILY, IMPUTED = "decides", "family", "imputed from"

_WHO = "i.subject_id = o.subject_id"
_AT = f"{_WHO} AND i.visit_id = o.visit_id"
_PERSON = ', "marts"."participants" AS p'
_DEFINED = ', "study"."responders" AS r'
_BASELINE = 'i.visit_id IN (SELECT visit_id FROM "study"."visits" WHERE is_baseline)'
_COUNTS = "p.subject_id = i.subject_id AND p.in_population"
_IN_STRATUM = "(o.stratum IS NULL OR p.stratum = o.stratum)"
_POPULATION = RowsOf(PEOPLE, "i.in_population AND (o.stratum IS NULL OR i.stratum = o.stratum)")
_DESCRIBED, _LEVEL = "split_part(analysis_id, '/', 2)", "substr(o.analysis_id, len(o.variable) + 18)"
"""Variable and level in the id of an analysis, ``characteristics/sex/female``."""
_BOTH_VISITS = f"(i.visit_id = o.visit OR {_BASELINE})"
_PAIRED = (
    'EXISTS (SELECT 1 FROM "marts"."symptom_change" AS c WHERE c.subject_id = i.subject_id '
    "AND c.outcome_id = i.outcome_id AND c.visit_id = o.visit)"
)


def clinical_links(study: Study, instruments: Sequence[Instrument]) -> dict[str, tuple[RowsOf, ...]]:
    """Table to the rows behind its rows."""
    return {
        INSTRUMENT_SCORES: _scores(study, instruments),
        "marts.criteria": _criteria(instruments),
        "marts.severity_bands": (RowsOf(INSTRUMENT_SCORES, f"{_AT} AND i.score_id = o.score_id"),),
        "report.completeness": _completeness(study),
        "stats.symptom_change": (
            RowsOf(CHANGE, _of_change(), _PERSON),
            _POPULATION,
            RowsOf(
                CHANGE,
                "f.family = o.family AND f.stratum IS NULL AND o.stratum IS NULL AND i.outcome_id = f.outcome "
                f"AND i.visit_id = f.visit AND {_COUNTS} AND (f.outcome <> o.outcome OR f.visit <> o.visit)",
                f'{_PERSON}, "stats"."symptom_change" AS f',
                FAMILY,
                OF_FAMILY,
            ),
        ),
        "stats.responders": (RowsOf(CHANGE, _of_change(), _PERSON), _POPULATION),
        "stats.sensitivity": _sensitivity(),
        "stats.friedman": (
            RowsOf(SCORES, f"i.outcome_id = o.outcome AND {_COUNTS} AND {_IN_STRATUM}", _PERSON),
            _POPULATION,
        ),
        STATUS: _status(instruments),
        RATES: (
            RowsOf(
                STATUS,
                "i.responder = o.responder AND i.visit = o.visit "
                "AND (o.stratum IS NULL OR i.stratum = o.stratum)",
            ),
        ),
        "stats.mcnemar": (
            RowsOf(
                STATUS,
                "i.responder = o.responder AND i.visit IN (o.first_visit, o.second_visit) "
                "AND (o.stratum IS NULL OR i.stratum = o.stratum)",
            ),
        ),
        "stats.between_arms": _between_arms(),
        "stats.responder_arms": (
            RowsOf(
                STATUS,
                "i.responder = o.responder AND i.visit = o.visit AND p.subject_id = i.subject_id "
                "AND p.arm IN (o.arm, o.reference)",
                _PERSON,
            ),
            RowsOf(PEOPLE, "i.in_population AND i.arm IN (o.arm, o.reference)"),
        ),
        "stats.planning": (
            RowsOf(
                SCORES, f"i.outcome_id = o.variable AND {_COUNTS} AND {_BOTH_VISITS} AND {_PAIRED}", _PERSON
            ),
            RowsOf(PEOPLE, 'i.in_population AND o.variable IN (SELECT outcome_id FROM "study"."outcomes")'),
            RowsOf(
                RATES,
                "i.responder = o.variable AND i.visit = o.visit AND i.stratum IS NULL "
                "AND i.denominator = 'non-responder imputation'",
            ),
        ),
        "stats.ard": (
            *(
                link
                for table, layout in LAYOUTS.items()
                if table != CHARACTERISTICS
                for link in _statistics(table, layout)
            ),
            RowsOf(
                PEOPLE,
                "o.source_table = 'stats.characteristics' AND i.in_population "
                'AND (o."group" IS NULL OR i.stratum = o."group")',
                chooses=f"CASE {_DESCRIBED} WHEN 'n' THEN 'subject_id' ELSE {_DESCRIBED} END",
            ),
            last_of_level(f"CASE o.source_table WHEN 'stats.characteristics' THEN {_LEVEL} END"),
        ),
        "report.data_queries": _questions(study),
        **{f"quarantine.{name}": _quarantine(study, name) for name in study.clinical},
        "report.redcap_quality": tuple(
            RowsOf(f"raw.{name}", f"o.form = {literal(form)}")
            for name, source in study.clinical.items()
            if (form := getattr(source, "form", None))
        ),
    }


def last_of_level(level: str) -> RowsOf:
    """Who alone has a level: a level has a row in every stratum for as long as anybody has it in one.

    Args:
        level: SQL of the level that the row ``o`` with its ``variable`` is about.
    """
    people = " UNION ALL ".join(
        f'SELECT \'{name}\' AS variable, {name} AS level, subject_id FROM "marts"."participants" WHERE in_population'
        for name in ("sex", "arm", "site")
    )
    alone = f"SELECT variable, level, min(subject_id) AS subject_id FROM ({people}) GROUP BY ALL HAVING count(*) = 1"
    return RowsOf(
        PEOPLE,
        f"h.variable = o.variable AND h.level = {level} AND h.subject_id = i.subject_id",
        f", ({alone}) AS h",
        role=DECIDES,
    )


def _of_change() -> str:
    return f"i.outcome_id = o.outcome AND i.visit_id = o.visit AND {_COUNTS} AND {_IN_STRATUM}"


def _scores(study: Study, instruments: Sequence[Instrument]) -> tuple[RowsOf, ...]:
    """The answers to a score's own items at the visit, the recorded total, and the visit itself."""
    pairs = ", ".join(
        f"({literal(f'{instrument.id}.{score.id}')}, {literal(instrument.id)}, {literal(item)})"
        for instrument in instruments
        for score in instrument.scores
        for item in instrument.items_of(score)
    )
    sources = ", ".join(
        f"({literal(instrument.id)}, {literal(use.source)})"
        for use, instrument in zip(study.instruments, instruments, strict=True)
    )
    return (
        RowsOf(
            ANSWERS,
            f"{_AT} AND s.score_id = o.score_id AND s.instrument = i.instrument AND s.item = i.item",
            f", (VALUES {pairs}) AS s(score_id, instrument, item)" if pairs else "",
        )
        if pairs
        else RowsOf(ANSWERS, "false"),
        RowsOf(MEASURES, f"{_AT} AND i.variable = o.score_id || '.recorded'"),
        RowsOf(
            VISITS,
            f"{_AT} AND s.instrument = o.instrument AND s.source = i.source",
            f", (VALUES {sources}) AS s(instrument, source)",
        )
        if sources
        else RowsOf(VISITS, _AT),
    )


def _criteria(instruments: Sequence[Instrument]) -> tuple[RowsOf, ...]:
    named = [instrument.id for instrument in instruments if carries_criteria(instrument)]
    bounds = ", ".join(
        literal(f"{name}.{score}_{end}")
        for name in named
        for score in ("wpi", "sss", "n_regions")
        for end in ("min", "max")
    )
    held = ", ".join(literal(name) for name in named)
    if not named:
        return (RowsOf(INSTRUMENT_SCORES, "false"), RowsOf(ANSWERS, "false"))
    return (
        RowsOf(INSTRUMENT_SCORES, f"{_AT} AND i.score_id IN ({bounds})"),
        RowsOf(ANSWERS, f"{_AT} AND i.instrument IN ({held}) AND i.item = 'duration_3_months'"),
    )


def _completeness(study: Study) -> tuple[RowsOf, ...]:
    person = ', "staging"."stg_subjects" AS p'
    return (
        RowsOf(
            ANSWERS,
            f"i.instrument = o.instrument AND i.item = o.item AND i.visit_id = o.visit AND {_COUNTS}",
            person,
        ),
        RowsOf(VISITS, f"i.visit_id = o.visit AND {_COUNTS}", person),
        RowsOf(SUBJECTS, "i.in_population"),
    )


def _sensitivity() -> tuple[RowsOf, ...]:
    """Both visits of an analysis; the visits between where values are carried forward or modelled."""
    who = f"i.outcome_id = o.outcome AND {_COUNTS} AND {_IN_STRATUM}"
    filled = "o.analysis NOT IN ('complete_pairs', 'pratt', 'sign_test', 'leave_one_out')"
    position = '(SELECT v.position FROM "study"."visits" AS v WHERE v.visit_id = {})'
    between = (
        f"(o.analysis = 'mixed_model' OR (o.analysis = 'locf' AND {position.format('i.visit_id')} < "
        f"{position.format('o.visit')}))"
    )
    return (
        RowsOf(SCORES, f"{who} AND {_BOTH_VISITS} AND ({filled} OR {_PAIRED})", _PERSON),
        RowsOf(SCORES, f"{who} AND NOT {_BOTH_VISITS} AND {between}", _PERSON, IMPUTED),
        _POPULATION,
    )


def _status(instruments: Sequence[Instrument]) -> tuple[RowsOf, ...]:
    parts = ", ".join(
        f"({literal(f'{instrument.id}.{composite.id}')}, {literal(f'{instrument.id}.{score}')})"
        for instrument in instruments
        for composite in instrument.composites
        for criterion in composite.criteria
        for score in criterion.scores
    )
    composites = (
        RowsOf(
            INSTRUMENT_SCORES,
            f"{_WHO} AND {_BOTH_VISITS} AND s.responder = o.responder AND s.score_id = i.score_id",
            f", (VALUES {parts}) AS s(responder, score_id)",
        )
        if parts
        else RowsOf(INSTRUMENT_SCORES, "false")
    )
    return (
        RowsOf(
            SCORES,
            f"{_WHO} AND {_BOTH_VISITS} AND r.responder_id = o.responder AND i.outcome_id = r.outcome_id",
            _DEFINED,
        ),
        composites,
        RowsOf(PEOPLE, _WHO),
    )


def _between_arms() -> tuple[RowsOf, ...]:
    compared = f"{_COUNTS} AND {_BOTH_VISITS} AND {_PAIRED}"
    return (
        RowsOf(SCORES, f"i.outcome_id = o.outcome AND p.arm IN (o.arm, o.reference) AND {compared}", _PERSON),
        RowsOf(PEOPLE, "i.in_population AND i.arm IN (o.arm, o.reference)"),
        RowsOf(
            SCORES,
            f"f.family = o.family AND i.outcome_id = f.outcome AND p.arm IN (f.arm, f.reference) AND {_COUNTS} "
            f"AND (i.visit_id = f.visit OR {_BASELINE}) "
            "AND (f.outcome <> o.outcome OR f.visit <> o.visit OR f.arm <> o.arm)",
            f'{_PERSON}, "stats"."between_arms" AS f',
            FAMILY,
            OF_FAMILY,
        ),
    )


def _statistics(table: str, layout: Layout) -> tuple[RowsOf, RowsOf]:
    """The row of a result table that a statistic is read from: the statistic's own cell, and what is said beside it."""
    parts = ["'" + table.split(".")[1] + "'"]
    parts += [f"coalesce(CAST(i.{identifier(name)} AS VARCHAR), '-')" for name in layout.analysis]
    group = (
        f'o."group" IS NOT DISTINCT FROM CAST(i.{identifier(layout.group)} AS VARCHAR)'
        if layout.group
        else "true"
    )
    identity = " || '/' || ".join(parts)
    same = f"o.source_table = {literal(table)} AND o.analysis_id = {identity} AND {group}"
    return (
        RowsOf(table, same, columns=("stat_value", "stat_text"), chooses="stat_name"),
        RowsOf(table, same, columns=("analysis_id", "group", "variable", "method", "n")),
    )


def _quarantine(study: Study, source: str) -> tuple[RowsOf, ...]:
    """The row itself; rules that look subjects up read every row of the other tables."""
    others = tuple(RowsOf(f"raw.{name}") for name in (*study.clinical, "withdrawals") if name != source)
    return (RowsOf(f"raw.{source}", "i._row_id = o._row_id"), *others)


def _questions(study: Study) -> tuple[RowsOf, ...]:
    """The delivered rows that a question is about, which the rules hand back; and what it says of them."""
    sources = (*study.clinical, *(("samples",) if study.has_expression else ()))
    return tuple(
        RowsOf(f"raw.{name}", "list_contains(o._row_ids, i._row_id)", role="value") for name in sources
    )
