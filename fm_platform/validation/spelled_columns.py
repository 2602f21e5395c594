"""Which texts of a source are held against each other for spelling: its subjects, arms, sites and other levels.

Belongs here: the SELECTs of those texts. Does not belong here: comparing them (``spellings``), refusing (``readings``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fm_platform.sources.redcap.forms import FormSource
from fm_platform.validation import expressions
from fm_platform.validation.declared import DeclaredColumn, columns_of_source
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.roles import subject_role

_LEVELS = ("sex", "arm", "site")


@dataclass(frozen=True)
class Spelled:
    """Texts to compare.

    Attributes:
        column: The file column, for messages.
        rows: A SELECT of _row_id and the text t of every row of this source.
        texts: SELECTs of t, of this source and of the others that it is held against.
        apart: Texts that study.yaml knows to be what they are.
    """

    column: str
    rows: str
    texts: tuple[str, ...]
    apart: tuple[str, ...]


def spelled_columns(source: RawSource) -> Iterator[Spelled]:
    """The subjects of a source, and each of its columns with levels."""
    others = source.subject_sources
    parts = source.subject_parts
    if parts:
        listed = tuple(f"select subject_id as t from ({other.keys})" for other in others)
        if source.study.withdrawals is not None:
            listed += (f"select trim(subject) as t from {source.relation('raw.withdrawals')}",)
        rows = f"select _row_id, {source.subject_id} as t from {source.table}"
        yield Spelled(
            " + ".join(parts), rows, (f"select t from ({rows})", *listed), _apart([source, *others], parts)
        )
    if isinstance(source.declaration, FormSource):
        return  # the dictionary says which texts there are
    for entry in source.own_columns:
        if entry.kind == "attribute" and not entry.is_number and entry.role in _roles(source):
            rows = _levels(source, entry)
            listed = tuple(
                f"select t from ({_levels(other, own)})"
                for other in others
                for own in columns_of_source(source.columns, other.name)
                if own.kind == "attribute" and own.role == entry.role
            )
            apart = _apart([source, *others], (entry.column,))
            yield Spelled(entry.column, rows, (f"select t from ({rows})", *listed), apart)


def _levels(source: RawSource, entry: DeclaredColumn) -> str:
    cell = expressions.meant(entry.column, source.declaration)
    absent = expressions.is_missing(entry.column, source.declaration)
    return f"select _row_id, case when {absent} then null else {cell} end as t from {source.table}"


def _roles(source: RawSource) -> set[str]:
    study = source.study
    names = [*study.population, *([study.strata] if study.strata else [])]
    return {*_LEVELS, *(subject_role(study, name) for name in names)}


def _apart(sources: list[RawSource], columns: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for source in sources:
        for column in columns:
            aliases = source.declaration.aliases.get(column, {})
            found += [text for text, mean in aliases.items() if text == mean]
    return tuple(found)
