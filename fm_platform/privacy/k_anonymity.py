"""How many people share each combination of quasi-identifiers, and which age bands would be wide enough.

Belongs here: equivalence classes and bands. Does not belong here: which columns are quasi-identifiers
(study.yaml says), stopping an export.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

OLDEST_SHOWN = 90
"""Ages from here on are one class, as HIPAA's safe harbor asks (45 CFR 164.514(b)(2))."""

CLASS_SCHEMA: dict[str, pl.DataType] = {
    "banding": pl.String(),
    "combination": pl.String(),
    "n": pl.Int64(),
    "below_k": pl.Boolean(),
}
"""The columns of ``privacy.equivalence_classes``; its key is banding, combination."""

SUMMARY_SCHEMA: dict[str, pl.DataType] = {
    "banding": pl.String(),
    "position": pl.Int32(),
    "quasi_identifiers": pl.String(),
    "k_required": pl.Int32(),
    "k_achieved": pl.Int64(),
    "n_subjects": pl.Int64(),
    "n_classes": pl.Int64(),
    "n_below_k": pl.Int64(),
    "passes": pl.Boolean(),
    "suggested": pl.Boolean(),
}
"""The columns of ``privacy.k_anonymity``; its key is banding."""


@dataclass(frozen=True)
class Banding:
    """A way to coarsen numbers: bands of a width, or None for as recorded; 0 leaves them out."""

    name: str
    width: int | None


BANDINGS = (
    Banding("as recorded", None),
    Banding("bands of 5", 5),
    Banding("bands of 10", 10),
    Banding("bands of 20", 20),
    Banding("bands of 40", 40),
    Banding("numbers left out", 0),
)


def banded(values: pl.Series, banding: Banding) -> pl.Series:
    """Numbers as texts of their band; other values as they are, null as ``unknown``.

    A series named ``age`` ends at ``OLDEST_SHOWN``.
    """
    if not values.dtype.is_numeric():
        return values.cast(pl.String).fill_null("unknown")
    if banding.width == 0:
        return pl.Series(values.name, ["any"] * len(values), dtype=pl.String)
    oldest = OLDEST_SHOWN if values.name == "age" else None
    texts = [
        "unknown" if value is None else _band(value, banding.width, oldest)
        for value in values.cast(pl.Float64).to_list()
    ]
    return pl.Series(values.name, texts, dtype=pl.String)


def _band(value: float, width: int | None, oldest: int | None) -> str:
    if oldest is not None and value >= oldest:
        return f"{oldest}+"
    if width is None:
        return f"{value:g}"
    low = math.floor(value / width) * width
    high = low + width - 1
    return f"{low}-{high if oldest is None else min(high, oldest - 1)}"


def equivalence_classes(people: pl.DataFrame, quasi_identifiers: Sequence[str], k: int) -> pl.DataFrame:
    """Every combination that occurs, with its number of people, for every banding.

    Args:
        people: One row a subject, with the quasi-identifiers.
        quasi_identifiers: Names of the columns.
        k: The smallest acceptable class.

    Returns:
        The columns of ``CLASS_SCHEMA``. Bandings that change nothing, for want of numbers, are left out.
    """
    numeric = any(people[name].dtype.is_numeric() for name in quasi_identifiers)
    frames = [pl.DataFrame(schema=CLASS_SCHEMA)]
    if not quasi_identifiers:
        return frames[0]
    for banding in BANDINGS if numeric else BANDINGS[:1]:
        parts = [banded(people[name], banding) for name in quasi_identifiers]
        words = pl.concat_str(
            [
                pl.format("{}={}", pl.lit(name), part)
                for name, part in zip(quasi_identifiers, parts, strict=True)
            ],
            separator="; ",
        )
        frames.append(
            people.select(combination=words)
            .group_by("combination")
            .len("n")
            .with_columns(banding=pl.lit(banding.name), below_k=pl.col("n") < k)
            .sort("combination")
            .select([pl.col(name).cast(kind) for name, kind in CLASS_SCHEMA.items()])
        )
    return pl.concat(frames)


def summary(classes: pl.DataFrame, quasi_identifiers: Sequence[str], k: int) -> pl.DataFrame:
    """What each banding achieves; the finest one that passes is suggested.

    Args:
        classes: Rows of ``privacy.equivalence_classes``.
        quasi_identifiers: Names of the columns.
        k: The smallest acceptable class.
    """
    rows: list[dict[str, Any]] = []
    for position, banding in enumerate(BANDINGS, start=1):
        own = classes.filter(pl.col("banding") == banding.name)
        if own.is_empty():
            continue
        passes = not own["below_k"].any()
        rows.append(
            {
                "banding": banding.name,
                "position": position,
                "quasi_identifiers": ", ".join(quasi_identifiers),
                "k_required": k,
                "k_achieved": own["n"].min(),
                "n_subjects": own["n"].sum(),
                "n_classes": own.height,
                "n_below_k": own.filter("below_k")["n"].sum(),
                "passes": passes,
                "suggested": passes and not any(row["passes"] for row in rows),
            }
        )
    return pl.DataFrame(rows, schema=SUMMARY_SCHEMA)


def suggested_banding(found: pl.DataFrame | None) -> Banding:
    """The finest banding that passes; bands of ten where none does or nothing was declared.

    Args:
        found: Rows of ``privacy.k_anonymity``, if there are any.
    """
    names = found.filter("suggested")["banding"].to_list() if found is not None else []
    return next((banding for banding in BANDINGS if banding.name in names), BANDINGS[2])


def refusal(found: pl.DataFrame) -> str | None:
    """Why tables must not leave the home as they are; None where they may.

    Args:
        found: Rows of ``privacy.k_anonymity``.
    """
    rows = {row["banding"]: row for row in found.iter_rows(named=True)}
    first = rows.get(BANDINGS[0].name)
    if first is None or first["passes"]:
        return None
    wider = next((row["banding"] for row in rows.values() if row["suggested"]), None)
    mend = f"numbers in {wider} would do" if wider else "no banding of numbers is enough: leave out a column"
    return (
        f"{first['n_below_k']} of {first['n_subjects']} subjects share {first['quasi_identifiers']} "
        f"with fewer than {first['k_required'] - 1} others; {mend}"
    )
