"""The SQL that turns accepted raw text into typed tables, generated from study.yaml.

Belongs here: the models ``staging.<source>`` and the four ``staging.stg_*`` that every study has, whatever
its files look like. Does not belong here: how one cell is read (``expressions``), scoring, marts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fm_platform.instruments.model import Instrument
from fm_platform.sql.model import GeneratedModel
from fm_platform.study.model import Study
from fm_platform.validation import expressions, windows
from fm_platform.validation.aggregation import aggregated
from fm_platform.validation.cell_findings import date
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import (
    DATE,
    NUMBER,
    SUBJECT_ID,
    VISIT_DATE,
    VISIT_ID,
    DeclaredColumn,
    columns_of_source,
)
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.record_numbers import SEQ, SEQ_DESCRIPTION, number_sql
from fm_platform.validation.roles import visit_sources
from fm_platform.validation.subjects_model import subjects_model
from fm_platform.warehouse.names import identifier, literal

_DECLARED = "the sources and columns that study.yaml declares; null where it declares none"
_KEY_COLUMNS = {
    SUBJECT_ID: "The subject.",
    VISIT_ID: "The planned visit; an unscheduled one under its own text.",
    VISIT_DATE: "The day of the visit.",
}


def staging_models(study: Study, instruments: Sequence[Instrument]) -> list[GeneratedModel]:
    """The generated staging models of a study, in the order in which they read each other.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.

    Returns:
        ``staging.<source>`` for every clinical source, then ``stg_subjects``, ``stg_visits``, ``stg_answers``
        and ``stg_measures``; nothing for a study without a clinical half.
    """
    if not study.has_clinical:
        return []
    columns = declared_columns(study, instruments)
    return [
        *(_source_model(study, columns, name) for name in study.clinical),
        subjects_model(study, columns),
        _visits_model(study, columns),
        _answers_model(study, columns),
        _measures_model(study, columns),
    ]


def _source_model(study: Study, columns: Sequence[DeclaredColumn], name: str) -> GeneratedModel:
    source = study.clinical[name]
    declared = columns_of_source(columns, name)
    checked = [entry.column for entry in declared if entry.is_checked]
    flags = {column: f"refused_{position}" for position, column in enumerate(checked, start=1)}
    keys = _key_expressions(study, columns, name)
    dates = [entry for entry in declared if entry.kind == "date" and source.by_visit]
    added = {*keys, VISIT_DATE} if dates else set(keys)
    own = [entry for entry in declared if entry.column.lower() not in added]

    def accepted(entry: DeclaredColumn) -> str:
        if entry.kind in ("subject", "visit"):
            return expressions.text(entry.column, "r")
        absent = expressions.is_absent(entry, source, "r")
        refused = f"f.{flags[entry.column]} or " if entry.column in flags else ""
        return (
            f"case when {refused}{absent} then null else {expressions.meant(entry.column, source, 'r')} end"
        )

    def typed(entry: DeclaredColumn) -> str:
        return expressions.typed(identifier(entry.column), entry, source)

    cells = {**keys, **{entry.column: accepted(entry) for entry in [*dates, *own]}}
    outputs = {key: key for key in keys}
    for entry in dates:
        outputs[VISIT_DATE] = typed(entry)
    outputs |= {entry.column: typed(entry) for entry in own}
    refusals = "".join(
        f",\n        bool_or({identifier('column')} = {literal(column)}) as {flag}"
        for column, flag in flags.items()
    )
    started, joined = _day_one(study, columns, name)
    known, of_known = _known_subjects(study, columns, name)
    sql = f"""with findings as (
    select
        _row_id,
        bool_or(scope = 'row') as set_aside{refusals}
    from {{{{ source('quarantine', '{name}') }}}}
    group by _row_id
),{started}{known}
accepted as (
    select
        {_select_list(cells, 8)}
    from {{{{ source('raw', '{name}') }}}} as r
    left join findings as f on r._row_id = f._row_id{joined}
    where f.set_aside is null or not f.set_aside
)
"""
    key = (SUBJECT_ID, VISIT_ID) if source.by_visit else (SUBJECT_ID,)
    typed_rows = f"select\n    {_select_list(outputs, 4)}\nfrom accepted\n{of_known}"
    if source.grain == "record":
        types = {VISIT_DATE: DATE, **{entry.column: entry.type for entry in own}}
        sql += aggregated(study, name, key, typed_rows, {k: v for k, v in types.items() if k in outputs})
    else:
        sql += typed_rows
    own_descriptions = {entry.column: _description(entry) for entry in own}
    return GeneratedModel(
        name=f"staging.{name}",
        sql=sql,
        description=f"The accepted rows of {name}, typed; cells in quarantine and missing codes are null.",
        columns={key: _KEY_COLUMNS[key] for key in outputs if key in _KEY_COLUMNS} | own_descriptions,
        key=key,
    )


def _key_expressions(study: Study, columns: Sequence[DeclaredColumn], name: str) -> dict[str, str]:
    """The subject and, where there is one, the visit of a raw row."""
    parts = [entry.column for entry in columns if entry.source == name and entry.kind == "subject"]
    keys = {SUBJECT_ID: expressions.subject_id(parts, study.clinical[name], "r")}
    for entry in columns:
        if entry.source == name and entry.kind == "visit":
            keys[VISIT_ID] = expressions.visit_id(entry.column, study, "r")
    if study.clinical[name].by_window:
        cell = expressions.text(windows.date_column(columns, name), "r")
        visited = date(cell, study.clinical[name])
        keys[VISIT_ID] = windows.visit_of_day(study, windows.study_day(visited, f"s.{windows.START}"))
    return keys


def _day_one(study: Study, columns: Sequence[DeclaredColumn], name: str) -> tuple[str, str]:
    """The CTE with each subject's day 1, and its join, for a source whose visits are told by windows."""
    if not study.clinical[name].by_window:
        return "", ""
    holder, _ = windows.start_source(columns, name)
    starts = windows.starts(study, columns, name, f"{{{{ source('raw', '{holder}') }}}}")
    parts = [entry.column for entry in columns if entry.source == name and entry.kind == "subject"]
    subject = expressions.subject_id(parts, study.clinical[name], "r")
    return f"\nstarts as (\n    {starts}\n),", f"\n    left join starts as s on s.{SUBJECT_ID} = {subject}"


def _known_subjects(study: Study, columns: Sequence[DeclaredColumn], name: str) -> tuple[str, str]:
    """The CTE with the subjects that a visit may be of, and its condition, for a source that is held against others.

    The gate sets every other visit aside already (FM011); here the condition says which row a visit rests on.
    """
    source = RawSource(study, tuple(columns), name, lambda table: f"{{{{ source('raw', '{table[4:]}') }}}}")
    if not source.subject_sources:
        return "", ""
    return (
        f"\nknown as (\n    {source.known_subjects}\n),",
        f"where {SUBJECT_ID} in (select {SUBJECT_ID} from known)\n",
    )


def _select_list(values: Mapping[str, str], indent: int) -> str:
    return (",\n" + " " * indent).join(f"{sql} as {identifier(name)}" for name, sql in values.items())


def _description(entry: DeclaredColumn) -> str:
    if entry.kind == "item":
        return f"Item {entry.item} of {entry.instrument}, {entry.low}..{entry.high}."
    if entry.kind == "total":
        return f"The total of {entry.instrument} as recorded on the form."
    if entry.kind == "measure":
        return f"{entry.role}, {entry.low}..{entry.high}."
    if entry.kind in ("subject", "visit"):
        return f"The {entry.kind} as delivered."
    return f"{(entry.role or entry.kind).replace('_', ' ').capitalize()} as delivered."


def _visits_model(study: Study, columns: Sequence[DeclaredColumn]) -> GeneratedModel:
    arms = []
    for name in visit_sources(study):
        declared = {entry.kind: entry for entry in columns_of_source(columns, name)}
        visited = VISIT_DATE if "date" in declared else "cast(null as date)"
        reason = declared.get("missing_reason")
        arms.append(
            f"select {literal(name)} as source, {SUBJECT_ID}, {VISIT_ID}, {visited} as {VISIT_DATE}, "
            f"{identifier(reason.column) if reason else 'cast(null as varchar)'} as missing_reason\n"
            f"from {_staged(name)}"
        )
    empty = (
        f"select cast(null as varchar) as source, {SUBJECT_ID}, cast(null as varchar) as {VISIT_ID}, "
        f"cast(null as date) as {VISIT_DATE}, cast(null as varchar) as missing_reason"
    )
    return GeneratedModel(
        name="staging.stg_visits",
        sql=_union(arms, empty, study),
        description="Every visit that was delivered, planned or not, one row a source, subject and visit.",
        columns={
            "source": "The clinical source.",
            **_KEY_COLUMNS,
            "missing_reason": "Why the visit has no data, as delivered.",
        },
        key=("source", SUBJECT_ID, VISIT_ID),
        constants=dict.fromkeys(("source", VISIT_ID, VISIT_DATE, "missing_reason"), _DECLARED),
    )


def _answers_model(study: Study, columns: Sequence[DeclaredColumn]) -> GeneratedModel:
    arms = [
        f"select {SUBJECT_ID}, {VISIT_ID}, {literal(entry.instrument)} as instrument, "
        f"{literal(entry.item)} as item, {identifier(entry.column)} as answer\n"
        f"from {_staged(entry.source)}\nwhere {identifier(entry.column)} is not null"
        for entry in columns
        if entry.kind == "item"
    ]
    empty = (
        f"select {SUBJECT_ID}, cast(null as varchar) as {VISIT_ID}, cast(null as varchar) as instrument, "
        "cast(null as varchar) as item, cast(null as smallint) as answer"
    )
    return GeneratedModel(
        name="staging.stg_answers",
        sql=_union(arms, empty, study),
        description="Every accepted answer to a questionnaire item, one row an answer.",
        columns={
            SUBJECT_ID: _KEY_COLUMNS[SUBJECT_ID],
            VISIT_ID: _KEY_COLUMNS[VISIT_ID],
            "instrument": "The questionnaire.",
            "item": "The item's id in the questionnaire.",
            "answer": "The answer, a whole number.",
        },
        key=(SUBJECT_ID, VISIT_ID, "instrument", "item"),
        constants=dict.fromkeys((VISIT_ID, "instrument", "item", "answer"), _DECLARED),
    )


def _measures_model(study: Study, columns: Sequence[DeclaredColumn]) -> GeneratedModel:
    measures = [entry for entry in columns if entry.kind in ("measure", "total")]
    names = [str(entry.role) for entry in measures]
    arms = [
        f"select {SUBJECT_ID}, {VISIT_ID}, {literal(name)} as variable, "
        f"{_measured(entry, columns)} as value, "
        f"{number_sql(study, names, name, VISIT_ID)} as {SEQ}\n"
        f"from {_staged(entry.source)}\nwhere {identifier(entry.column)} is not null"
        for entry, name in zip(measures, names, strict=True)
    ]
    empty = (
        f"select {SUBJECT_ID}, cast(null as varchar) as {VISIT_ID}, cast(null as varchar) as variable, "
        f"cast(null as {NUMBER}) as value, cast(null as integer) as {SEQ}"
    )
    return GeneratedModel(
        name="staging.stg_measures",
        sql=_union(arms, empty, study),
        description="Every accepted plain number of a visit: outcome columns and totals as recorded.",
        columns={
            SUBJECT_ID: _KEY_COLUMNS[SUBJECT_ID],
            VISIT_ID: _KEY_COLUMNS[VISIT_ID],
            "variable": "Source and column (visits.twstrs), or instrument.total.recorded.",
            "value": "The number in the staged unit.",
            SEQ: SEQ_DESCRIPTION,
        },
        key=(SUBJECT_ID, VISIT_ID, "variable"),
        constants=dict.fromkeys((VISIT_ID, "variable", "value", SEQ), _DECLARED),
    )


def _measured(entry: DeclaredColumn, columns: Sequence[DeclaredColumn]) -> str:
    """A plain number with all its decimals; an answer that is an outcome besides is made a number."""
    staged = next(own for own in columns_of_source(columns, entry.source) if own.column == entry.column)
    name = identifier(entry.column)
    return name if staged.type == NUMBER else f"cast({name} as {NUMBER})"


def _union(arms: Sequence[str], empty: str, study: Study) -> str:
    """All arms; a table without rows when there are none."""
    if arms:
        return "\nunion all\n".join(arms) + "\n"
    return f"{empty}\nfrom {_staged(next(iter(study.clinical)))}\nwhere 1 = 0\n"


def _staged(source: str) -> str:
    return f"{{{{ source('staging', '{source}') }}}}"
