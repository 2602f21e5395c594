"""Grain record: several delivered rows become one staged row, by the declared aggregate.

Belongs here: the SELECT that aggregates typed rows. Does not belong here: typing cells (``expressions``).

Numbers are aggregated as declared. Dates and texts have no mean: beside ``first`` and ``last``, which take
them from
that row, the lowest stands for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fm_platform.study.model import Study
from fm_platform.validation.declared import ITEM, NUMBER, VISIT_DATE
from fm_platform.warehouse.names import identifier


def aggregated(study: Study, name: str, key: Sequence[str], rows: str, types: Mapping[str, str]) -> str:
    """A SELECT with one row a key.

    Args:
        study: The study.
        name: The source.
        key: subject_id, and visit_id where there are visits.
        rows: A SELECT of the typed rows with a table to take them from.
        types: Staged type of every column that is no key.

    Raises:
        InputError: A mean or median of whole-number answers is asked for.
    """
    source = study.clinical[name]
    how = source.aggregate or "last"
    if how in ("mean", "median") and ITEM in types.values():
        item = next(column for column, kind in types.items() if kind == ITEM)
        raise study.error(
            f"source {name}: {how} of {item!r}, whose answers are whole numbers",
            "clinical",
            name,
            mend="use first, last, min or max, or name the questionnaire's answers in a source of their own",
        )
    order = source.role("order")
    by = [VISIT_DATE] if VISIT_DATE in types else []
    if order is not None:
        by += [f"try_cast({identifier(order)} as bigint)", identifier(order)]
    values = [f"{_value(how, column, kind, by)} as {identifier(column)}" for column, kind in types.items()]
    keys = ", ".join(key)
    listed = ",\n    ".join([*key, *values])
    return f"select\n    {listed}\nfrom (\n{rows}) as typed\ngroup by {keys}\n"


def _value(how: str, column: str, kind: str, by: Sequence[str]) -> str:
    cell = identifier(column)
    if how in ("first", "last"):
        direction = "asc" if how == "first" else "desc"
        ranks = ", ".join(f"{rank} {direction} nulls last" for rank in [*by, cell])
        return f"first({cell} order by {ranks}) filter (where {cell} is not null)"
    if kind not in (ITEM, NUMBER):
        return f"min({cell})"
    if how == "mean":
        return f"cast(avg({cell}) as {NUMBER})"
    return f"cast({how}({cell}) as {kind})"
