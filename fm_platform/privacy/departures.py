"""Whether a set of tables may leave: k-anonymity of what they carry together, and counts of few people.

Belongs here: judging frames of which it is known what each column is. Does not belong here: reading tables, tags,
writing files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fm_platform.errors import CheckFailed
from fm_platform.privacy.k_anonymity import (
    BANDINGS,
    OLDEST_SHOWN,
    Banding,
    banded,
    equivalence_classes,
    summary,
)

SMALLEST_CLASS = 3
"""Whatever study.yaml says, a smaller class does not leave."""


@dataclass(frozen=True)
class Leaving:
    """A table that is to leave.

    Attributes:
        table: Its name.
        frame: Its rows.
        person: The column that tells people apart; None where a row is no single person's.
        quasi_identifiers: Its columns that hold a person's own quasi-identifiers.
    """

    table: str
    frame: pl.DataFrame
    person: str | None = None
    quasi_identifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What was found: the smallest class, None where no quasi-identifier leaves."""

    quasi_identifiers: tuple[str, ...]
    k_required: int
    k_achieved: int | None


def with_bands(leaving: Leaving, banding: Banding) -> Leaving:
    """The table with its numeric quasi-identifiers in bands; ages of 90 and more are one band in any case."""
    frame = leaving.frame
    for name in leaving.quasi_identifiers:
        values = frame[name].alias(name.lower())
        if not values.dtype.is_numeric():
            continue
        old = name.lower() == "age" and (values >= OLDEST_SHOWN).any()
        if banding.width is not None or old:
            frame = frame.with_columns(banded(values, banding).alias(name))
    return Leaving(leaving.table, frame, leaving.person, leaving.quasi_identifiers)


def require_k(tables: Sequence[Leaving], k: int, banding: Banding = BANDINGS[0]) -> Judgement:
    """Judge the quasi-identifiers that the tables carry together, joined by person.

    Args:
        tables: Tables with their numbers as recorded.
        k: The smallest acceptable class; at least ``SMALLEST_CLASS`` is asked for.
        banding: How numbers will be coarsened.

    Raises:
        CheckFailed: A class is smaller; the message names the finest banding that would do.
    """
    k = max(k, SMALLEST_CLASS)
    people = people_of(tables)
    names = tuple(name for name in people.columns if name != "_person")
    if not names:
        return Judgement((), k, None)
    found = summary(equivalence_classes(people, names, k), names, k)
    rows = {row["banding"]: row for row in found.iter_rows(named=True)}
    own = rows.get(banding.name) or rows[BANDINGS[0].name]
    if own["passes"]:
        return Judgement(names, k, own["k_achieved"])
    wider = next((known for known in BANDINGS if (row := rows.get(known.name)) and row["passes"]), None)
    raise CheckFailed(
        f"{own['n_below_k']} of {own['n_subjects']} people share {', '.join(names)} with fewer than {k - 1} "
        f"others (the smallest class has {own['k_achieved']})",
        mend=f"numbers in {wider.name} would do: --band {wider.width}"
        if wider is not None
        else "no banding of numbers is enough: leave out a column with --without",
    )


def people_of(tables: Sequence[Leaving]) -> pl.DataFrame:
    """One row a person with every quasi-identifier that some table carries, under its name in small letters."""
    people = pl.DataFrame(schema={"_person": pl.String})
    for leaving in tables:
        if leaving.person is None or not leaving.quasi_identifiers:
            continue
        own = leaving.frame.select(
            pl.col(leaving.person).cast(pl.String).alias("_person"),
            *(pl.col(name).alias(name.lower()) for name in leaving.quasi_identifiers),
        ).unique(maintain_order=True)
        known = [name for name in own.columns if name != "_person" and name in people.columns]
        people = people.join(own.drop(known), on="_person", how="full", coalesce=True)
        for name in known:
            people = people.join(own.select("_person", name), on="_person", how="left", suffix="_own")
            people = people.with_columns(pl.coalesce(name, f"{name}_own")).drop(f"{name}_own")
    return people.unique(maintain_order=True)


COUNTS: Mapping[str, pl.Expr] = {
    "report.characteristics": pl.coalesce("count", "n"),
    "stats.ard": pl.when(pl.col("source_table") == "stats.characteristics").then(
        pl.when(pl.col("stat_name") == "count").then(pl.col("stat_value")).otherwise(pl.col("n"))
    ),
}
"""Tables that describe people by ``variable``, with the number of people behind a row."""

_STRATA: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "report.characteristics": ("stratum", ("variable", "level")),
    "stats.ard": ("group", ("variable", "analysis_id", "stat_name")),
}
"""Their column of strata, null in rows over all people, and the columns that the rows of one count share."""


def few_people(leaving: Leaving, quasi_identifiers: Sequence[str], k: int) -> tuple[str, ...]:
    """The quasi-identifiers that a table of counts describes for at least one, but fewer than k people.

    What is left of a count over all people when those of the strata are subtracted counts as if it were printed.

    Args:
        leaving: The table.
        quasi_identifiers: As declared.
        k: The smallest acceptable group; at least ``SMALLEST_CLASS`` is asked for.
    """
    count = COUNTS.get(leaving.table)
    if count is None or "variable" not in leaving.frame.columns:
        return ()
    own = leaving.frame.with_columns(_count=count).filter(pl.col("variable").is_in(list(quasi_identifiers)))
    counts = pl.concat(
        [own.select("variable", "_count"), _in_no_stratum(leaving.table, own)], how="vertical_relaxed"
    )
    small = counts.filter(pl.col("_count").is_between(1, max(k, SMALLEST_CLASS) - 1))
    return tuple(small["variable"].unique().sort().to_list())


def _in_no_stratum(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The people of each count who are in none of its strata: variable and their number."""
    stratum, cell = _STRATA[table]
    if stratum not in frame.columns:
        return pl.DataFrame(schema={"variable": pl.String, "_count": pl.Float64})
    in_strata = (
        frame.filter(pl.col(stratum).is_not_null()).group_by(cell).agg(pl.col("_count").sum().alias("_parts"))
    )
    return (
        frame.filter(pl.col(stratum).is_null())
        .join(in_strata, on=cell, how="inner", nulls_equal=True)
        .select("variable", _count=(pl.col("_count") - pl.col("_parts")).cast(pl.Float64))
    )


def without_variables(leaving: Leaving, variables: Sequence[str]) -> Leaving:
    """A table of counts without the rows of some variables: all of them, or one could be told from the rest."""
    of_people = COUNTS[leaving.table].is_not_null() if leaving.table == "stats.ard" else pl.lit(True)
    kept = leaving.frame.filter(~(pl.col("variable").is_in(list(variables)) & of_people))
    return Leaving(leaving.table, kept, leaving.person, leaving.quasi_identifiers)
