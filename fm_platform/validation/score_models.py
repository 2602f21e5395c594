"""The same scores a second time, in SQL: from the instrument files, straight from the staged columns.

Belongs here: the score language as SQL expressions in whole numbers. Does not belong here: the engine whose
numbers it checks (``instruments.rules``), from which it takes nothing but the instrument's own declarations.

The two paths share the instrument file and nothing else: this one neither reads ``stg_answers`` nor forms a
matrix, and computes its proration weights in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fm_platform.instruments.model import Instrument, Score
from fm_platform.sql.model import GeneratedModel
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import SUBJECT_ID, VISIT_ID, columns_of_source
from fm_platform.warehouse.names import identifier, literal

SQL_SCORES = "staging.stg_scores_sql"


@dataclass(frozen=True)
class _Expressions:
    """SQL of a score's numerator, denominator and number of unanswered items."""

    exact: str
    scale: str
    missing: str


def score_model(study: Study, instruments: Sequence[Instrument]) -> GeneratedModel | None:
    """The model ``staging.stg_scores_sql``; None for a study without answers to score.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
    """
    scored = [pair for pair in zip(study.instruments, instruments, strict=True) if not pair[0].recorded_only]
    if not scored:
        return None
    columns = declared_columns(study, instruments)
    ctes: list[str] = []
    arms: list[str] = []
    for use, instrument in scored:
        own = columns_of_source(columns, use.source)
        reason = next((entry.column for entry in own if entry.kind == "missing_reason"), None)
        items = {
            entry.item: entry.column
            for entry in columns
            if entry.kind == "item" and entry.instrument == instrument.id
        }
        made, last = _ctes(instrument, items, use.source, reason)
        ctes += made
        arms += [_arm(instrument, score, last) for score in instrument.scores]
    return GeneratedModel(
        name=SQL_SCORES,
        sql=f"with {','.join(ctes)}\n" + "\nunion all\n".join(arms) + "\n",
        description="Every score a second time, computed in SQL, for comparison with stg_instrument_scores.",
        columns={
            SUBJECT_ID: "The subject.",
            VISIT_ID: "The visit.",
            "score_id": "instrument.score",
            "value_exact": "The score times value_scale, a whole number; null where there is no score.",
            "value_scale": "What value_exact is divided by.",
            "n_missing": "Items of the score that were not answered.",
        },
        key=(SUBJECT_ID, VISIT_ID, "score_id"),
        constants={"score_id": "the scores of the study's instruments"},
    )


def _arm(instrument: Instrument, score: Score, cte: str) -> str:
    exact, scale, missing = _names(score.id)
    return (
        f"select {SUBJECT_ID}, {VISIT_ID}, {literal(f'{instrument.id}.{score.id}')} as score_id, "
        f"cast({exact} as bigint) as value_exact, "
        f"cast(case when {exact} is not null then {scale} end as bigint) as value_scale, "
        f"cast({missing} as integer) as n_missing from {cte}"
    )


def _names(score_id: str) -> tuple[str, str, str]:
    return f"exact_{score_id}", f"scale_{score_id}", f"missing_{score_id}"


def _ctes(
    instrument: Instrument, columns: Mapping[str, str], source: str, reason: str | None
) -> tuple[list[str], str]:
    """The answers, then one step for every depth of totals; and the name of the last."""
    prefix = f"of_{instrument.id}"
    listed = "".join(
        f",\n        cast({identifier(column)} as bigint) as item_{item}" for item, column in columns.items()
    )
    given = f"\n    where {identifier(reason)} is null" if reason is not None else ""
    ctes = [
        f"""
{prefix}_answers as (
    select
        {SUBJECT_ID},
        {VISIT_ID}{listed}
    from {{{{ source('staging', '{source}') }}}}{given}
)"""
    ]
    before, carried = f"{prefix}_answers", [f"item_{item}" for item in columns]
    depths = _depths(instrument)
    for depth in range(max(depths.values()) + 1):
        here = [score for score in instrument.scores if depths[score.id] == depth]
        made = {name: sql for score in here for name, sql in _named(instrument, score).items()}
        name = f"{prefix}_{depth}"
        outputs = [*carried, *(f"{sql} as {column}" for column, sql in made.items())]
        body = ",\n        ".join([SUBJECT_ID, VISIT_ID, *outputs])
        ctes.append(f"\n{name} as (\n    select\n        {body}\n    from {before}\n)")
        before, carried = name, [*carried, *made]
    return ctes, before


def _depths(instrument: Instrument) -> dict[str, int]:
    """How many totals deep each score is."""
    depths: dict[str, int] = {}
    for score in instrument.scores:
        depths[score.id] = 1 + max(depths[part] for part in score.of) if score.rule == "total" else 0
    return depths


def _named(instrument: Instrument, score: Score) -> dict[str, str]:
    made = {"item": _item, "sum": _sum, "groups": _groups, "total": _total}[score.rule](instrument, score)
    return dict(zip(_names(score.id), (made.exact, made.scale, made.missing), strict=True))


def _added(terms: Sequence[str]) -> str:
    return f"({' + '.join(terms)})"


def _missing(instrument: Instrument, score: Score) -> str:
    return _added([f"case when item_{item} is null then 1 else 0 end" for item in instrument.items_of(score)])


def _item(instrument: Instrument, score: Score) -> _Expressions:
    return _Expressions(f"item_{score.item}", "1", _missing(instrument, score))


def _sum(instrument: Instrument, score: Score) -> _Expressions:
    items = instrument.items_of(score)
    missing = _missing(instrument, score)
    over, under = score.weight.numerator, score.weight.denominator
    if score.missing in ("lowest", "highest"):
        ends = {
            item: instrument.item(item).min if score.missing == "lowest" else instrument.item(item).max
            for item in items
        }
        filled = _added([f"coalesce(item_{item}, {end})" for item, end in ends.items()])
        return _Expressions(f"{filled} * {over * score.scale} // {under}", str(score.scale), missing)
    total = _added([f"coalesce(item_{item}, 0)" for item in items])
    complete = f"when {missing} = 0 then {total} * {over * score.scale} // {under}"
    if score.prorated_scale is None:
        return _Expressions(f"case {complete} end", str(score.scale), missing)
    answered = f"({len(items)} - {missing})"
    share = score.min_answered
    enough = f"{answered} > 0 and {answered} * {share.denominator} >= {share.numerator * len(items)}"
    weighted = f"{total} * {over * len(items) * score.prorated_scale} // ({under} * {answered})"
    return _Expressions(
        f"case {complete} when {enough} then {weighted} end",
        f"case when {missing} = 0 then {score.scale} else {score.prorated_scale} end",
        missing,
    )


def _groups(instrument: Instrument, score: Score) -> _Expressions:
    def counted(unanswered: int) -> str:
        return _added(
            [
                f"case when {' or '.join(f'coalesce(item_{item}, {unanswered}) > 0' for item in group)} "
                "then 1 else 0 end"
                for group in score.groups.values()
            ]
        )

    low, high = counted(0), counted(1)
    exact = {"lowest": low, "highest": high}.get(score.missing, f"case when {low} = {high} then {low} end")
    return _Expressions(exact, "1", _missing(instrument, score))


def _total(instrument: Instrument, score: Score) -> _Expressions:
    names = [_names(part) for part in score.of]
    common = "1"
    for _, scale, _ in names:
        common = f"lcm({common}, {scale})"
    exact = _added([f"{exact} * ({common} // {scale})" for exact, scale, _ in names])
    return _Expressions(exact, common, _missing(instrument, score))
