"""What study.yaml and the instruments declare of every file column of a clinical source.

Belongs here: the list of declared columns with type, range and role. Does not belong here: a file's header
(``headers``), looking at values (``rules``), or SQL (``expressions``, ``staging_models``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from fm_platform.instruments.mapping import columns_of
from fm_platform.instruments.model import Instrument
from fm_platform.study.clinical import ClinicalSource, InstrumentUse
from fm_platform.study.model import Study
from fm_platform.validation.declared import (
    ITEM,
    NUMBER,
    STAGED_NAMES,
    UNIT_RANGES,
    DeclaredColumn,
)
from fm_platform.validation.form_fields import field_columns, with_form
from fm_platform.validation.roles import role_columns, subject_level_columns


def declared_columns(study: Study, instruments: Sequence[Instrument]) -> tuple[DeclaredColumn, ...]:
    """Every declared use of every file column, source by source in the order of study.yaml.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.

    Returns:
        Optional items are among them whether or not a file has them: a raw table holds a column for each.

    Raises:
        InputError: Declarations contradict each other; the message names the line of study.yaml.
    """
    columns: list[DeclaredColumn] = []
    subject_columns = subject_level_columns(study)
    for name, source in study.clinical.items():
        found = [
            *role_columns(study, name, source),
            *_items_and_totals(study, name, source, instruments),
            *_measures(study, name, source),
            *(entry for entry in subject_columns.values() if entry.source == name),
        ]
        found = _with_units(study, name, source, list(dict.fromkeys(found)))
        found += field_columns(name, source, {entry.column for entry in found})
        found = with_form(source, found)
        _require_consistent(study, name, found)
        columns.extend(found)
    return tuple(columns)


def _items_and_totals(
    study: Study, name: str, source: ClinicalSource, instruments: Sequence[Instrument]
) -> list[DeclaredColumn]:
    found = []
    for index, (use, instrument) in enumerate(zip(study.instruments, instruments, strict=True)):
        if use.source != name:
            continue
        if not source.by_visit:
            raise study.error(
                f"instrument {use.use}: source {name} has one row a subject",
                "instruments",
                index,
                "source",
                mend="answers belong to a visit; name a source with `grain: visit`",
            )
        found += _items(study, use, instrument)
        found += [_total(study, index, score, column, instrument) for score, column in use.totals.items()]
    return found


def _items(study: Study, use: InstrumentUse, instrument: Instrument) -> list[DeclaredColumn]:
    mapped = isinstance(use.items, dict)
    found = []
    for item_id, column in columns_of(use, instrument, study=study).items():
        item = instrument.item(item_id)
        low, high = Decimal(item.min), Decimal(item.max)
        entry = DeclaredColumn(use.source, column, "item", ITEM, low, high, integer=True)
        named = replace(entry, instrument=instrument.id, item=item.id, domain=item.domain)
        found.append(replace(named, optional=item.optional and not mapped))
    return found


def _total(study: Study, index: int, score: str, column: str, instrument: Instrument) -> DeclaredColumn:
    if score not in [known.id for known in instrument.scores]:
        raise study.error(
            f"instrument {instrument.id} has no score named {score}",
            "instruments",
            index,
            "total",
            mend="declare the column as an outcome with a range instead",
        )
    low, high = (Decimal(bound.numerator) / bound.denominator for bound in instrument.range_of(score))
    entry = DeclaredColumn(study.instruments[index].source, column, "total", NUMBER, low, high)
    return replace(entry, instrument=instrument.id, domain=score, role=f"{instrument.id}.{score}.recorded")


def _measures(study: Study, name: str, source: ClinicalSource) -> list[DeclaredColumn]:
    """Outcomes that are plain columns of this source."""
    found: dict[str, DeclaredColumn] = {}
    for index, outcome in enumerate(study.outcomes):
        if outcome.column is None or outcome.range is None or not outcome.column.startswith(name + "."):
            continue
        column = outcome.column.removeprefix(name + ".")
        if not source.by_visit:
            raise study.error(
                f"outcome {outcome.id}: source {name} has one row a subject",
                "outcomes",
                index,
                "column",
                mend="an outcome is followed over visits; name a source with `grain: visit`",
            )
        low, high = (Decimal(str(bound)) for bound in outcome.range)
        entry = DeclaredColumn(name, column, "measure", NUMBER, low, high, role=outcome.column)
        if found.setdefault(column, entry) != entry:
            raise study.error(
                f"outcome {outcome.id}: {outcome.column} has another range above",
                "outcomes",
                index,
                "range",
                mend="give both outcomes the same range",
            )
    return list(found.values())


def _with_units(
    study: Study, name: str, source: ClinicalSource, columns: list[DeclaredColumn]
) -> list[DeclaredColumn]:
    """Put unit conversions on their columns. A column that only ``units:`` names becomes a measure."""
    converted = list(columns)
    for column, unit in source.units.items():
        matching = [index for index, entry in enumerate(converted) if entry.column == column]
        numbers = [index for index in matching if converted[index].is_number]
        if matching and not numbers:
            raise study.error(
                f"units: column {column!r} is not a number",
                "clinical",
                name,
                "units",
                column,
                mend="units belong to items and outcomes",
            )
        for index in numbers:
            converted[index] = replace(converted[index], factor=unit.factor)
        if not matching:
            low, high = UNIT_RANGES[unit.to_unit]
            variable = f"{name}.{column}"
            converted.append(
                DeclaredColumn(name, column, "measure", NUMBER, low, high, role=variable, factor=unit.factor)
            )
    return converted


def _require_consistent(study: Study, name: str, columns: Sequence[DeclaredColumn]) -> None:
    """Refuse names the platform needs, and columns with two uses that contradict each other."""
    for entry in columns:
        owner = STAGED_NAMES.get(entry.column.lower())
        if entry.column.startswith("_") or (owner is not None and entry.kind != owner):
            raise study.error(
                f"source {name}: a column named {entry.column!r} is the platform's own",
                "clinical",
                name,
                mend="rename it in the file",
            )
    for entry, other in combinations(columns, 2):
        if entry.column != other.column:
            continue
        two_items = entry.kind == other.kind == "item"
        key_and_number = {entry.kind, other.kind} & {"subject", "visit", "date"} and (
            entry.is_number or other.is_number
        )
        if two_items or key_and_number:
            raise study.error(
                f"column {entry.column!r} of {name} is declared as {_use(entry)} and as {_use(other)}",
                "clinical",
                name,
                mend="give each of the two a column of its own",
            )


def _use(entry: DeclaredColumn) -> str:
    return f"item {entry.instrument}.{entry.item}" if entry.kind == "item" else entry.kind
