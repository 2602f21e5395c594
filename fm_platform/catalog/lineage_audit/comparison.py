"""What of a table is different from another that was made in the same way.

Belongs here: comparing by key and by column, with a tolerance for floats. Does not belong here: why it is different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

TOLERANCE = 1e-6
_DIGITS = 6


@dataclass(frozen=True)
class Difference:
    """How a table differs from the one before it.

    Attributes:
        at_keys: Columns with another value in a row of the same key.
        in_all: Columns whose values, all rows together, are others: what selecting the column alone would show.
        added: Keys of rows that are new.
        removed: Keys of rows that are gone.
        examples: For each column of ``at_keys``, one key with the value before and after.
    """

    at_keys: frozenset[str]
    in_all: frozenset[str]
    added: pl.DataFrame
    removed: pl.DataFrame
    examples: dict[str, str]


def own_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """A table without the platform's own columns, in a form whose cells can be compared."""
    return rows.select(_comparable(name, dtype) for name, dtype in rows.schema.items() if name[0] != "_")


def difference(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str]) -> Difference:
    """Compare two tables of the same columns.

    Args:
        before: The one, of :func:`own_columns`.
        after: The other.
        key: Columns that tell rows apart; where they do not, only whole columns are compared.
    """
    keys = [name for name in key if name in before.columns]
    in_all = frozenset(name for name in before.columns if _bag_differs(before[name], after[name]))
    by_key = bool(keys) and not any(frame.select(keys).is_duplicated().any() for frame in (before, after))
    if not by_key:
        nothing = before.select(keys).clear()
        return Difference(frozenset(), in_all, nothing, nothing, {})
    added = after.join(before, on=keys, how="anti", nulls_equal=True).select(keys)
    removed = before.join(after, on=keys, how="anti", nulls_equal=True).select(keys)
    both = before.join(after, on=keys, how="inner", nulls_equal=True, suffix=" after", maintain_order="left")
    examples = {}
    for name in before.columns:
        if name in keys:
            continue
        other = both.filter(_unequal(name, f"{name} after", before.schema[name]))
        if other.height:
            row = other.row(0, named=True)
            at = ", ".join(f"{key}={row[key]}" for key in keys)
            examples[name] = f"{at}: {row[name]} became {row[f'{name} after']}"
    return Difference(frozenset(examples), in_all, added, removed, examples)


def _comparable(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        element = pl.element().round_sig_figs(_DIGITS) if dtype.inner.is_float() else pl.element()
        texts = column.list.eval(element.cast(pl.String).fill_null("null"))
        return texts.list.join(", ").alias(name)
    return column.cast(pl.Float64) if dtype.is_float() or dtype.is_decimal() else column


def _unequal(name: str, other: str, dtype: pl.DataType) -> pl.Expr:
    one, two = pl.col(name), pl.col(other)
    if not dtype.is_float():
        return one.ne_missing(two)
    near = (one - two).abs() <= TOLERANCE * pl.max_horizontal(one.abs(), two.abs())
    return ~(one.eq_missing(two) | near.fill_null(value=False))


def _bag_differs(one: pl.Series, other: pl.Series) -> bool:
    if one.len() != other.len():
        return True
    pair = pl.DataFrame({"one": one.sort(nulls_last=True), "other": other.sort(nulls_last=True)})
    return bool(pair.select(_unequal("one", "other", one.dtype).any()).item())
