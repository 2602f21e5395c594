"""Which samples a contrast takes, and whether the names it is declared with are those of the sample sheet.

Belongs here: subsets, the two levels, pairs, and the refusal of names that no sample has. Does not belong here: reading
a design's variables (``variables``), judging replication (``contrasts``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from fm_platform.errors import InputError
from fm_platform.expression.designs.formula import parse_formula
from fm_platform.expression.designs.pairing import complete_pairs
from fm_platform.expression.designs.spellings import plain, refuse_spellings
from fm_platform.expression.designs.variables import column_of, read_variables
from fm_platform.study.expression import Contrast

SeenLevel = tuple[str, str, str]
"""A variable, a level of it, and the subset (in words) in which an earlier delivery had it."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The samples of a contrast.

    Attributes:
        kept: Rows of ``expression.samples`` that take part, in matrix order.
        column: The column of the compared variable; None for a coefficient or a vector.
        gone: Why there is nothing to compare any more, where earlier deliveries had the levels.
        notes: Values of the subset that no sample has.
    """

    kept: pl.DataFrame
    column: str | None = None
    gone: str | None = None
    notes: tuple[str, ...] = ()


def choose_samples(
    samples: pl.DataFrame, contrast: Contrast, *, seen_levels: Collection[SeenLevel] = ()
) -> Choice:
    """Choose the samples of a contrast.

    Args:
        samples: ``expression.samples``; rows without a position take no part.
        contrast: The declaration.
        seen_levels: Levels that earlier deliveries had in the same subset (see :func:`levels_seen`).

    Raises:
        InputError: The sheet lacks a column, no sample has a level, a level of the subset or of the compared variable
            has several spellings (a value of the subset and the sheet's among them), or the subset leaves none.
    """
    counted = samples.filter(pl.col("position").is_not_null()).sort("position")
    for name in contrast.subset:
        refuse_spellings(counted, column_of(counted, name), name)
    notes = _absent_values(samples, contrast)
    kept = _subset(counted, contrast)
    pair = contrast.pair
    if pair is None:
        if kept.is_empty():
            raise InputError(
                f"no sample is left by the subset {contrast.restriction}",
                mend=_subset_mend(counted, contrast),
            )
        return Choice(kept, notes=notes)
    column = column_of(counted, pair.variable)
    if pair.variable in contrast.covariates:
        raise InputError(
            f"{pair.variable!r} is listed under covariates, so it has no levels to compare",
            mend="take it out of `covariates:`",
        )
    refuse_spellings(kept, column, pair.variable)
    found = kept[column].to_list()
    missing = [level for level in (pair.level, pair.reference) if level not in found]
    if missing:
        if all((pair.variable, level, contrast.restriction) in seen_levels for level in missing):
            gone = " or ".join(f"{pair.variable} = {level}" for level in missing)
            return Choice(kept, column, f"no sample with {gone} is left in this delivery")
        raise _unseen_level(counted, kept, column, contrast, pair.variable, missing)
    if contrast.complete_pairs:
        kept = complete_pairs(kept, column, pair.level, pair.reference)
    return Choice(kept, column, notes=notes)


def require_subset(samples: pl.DataFrame, contrast: Contrast) -> None:
    """Refuse a subset with a value that no sample has, where no later delivery may have it.

    Raises:
        InputError: Naming the value and those there are.
    """
    for name, value, there in _absent(samples, contrast):
        raise InputError(_said(name, value), mend=_values(name, value, there))


def coded_against(contrast: Contrast) -> dict[str, str]:
    """The level that each factor's others are coded against, where the contrast says so."""
    compared = {contrast.pair.variable: contrast.pair.reference} if contrast.pair else {}
    return {**compared, **contrast.reference_levels}


def check_names(
    samples: pl.DataFrame,
    contrast: Contrast,
    *,
    seen_levels: Collection[SeenLevel] = (),
    cells: bool = True,
) -> None:
    """Refuse a contrast whose names are not those of the sample sheet, without coding a design.

    Args:
        samples: ``expression.samples``, or what is known of it before the counts are read.
        contrast: The declaration.
        seen_levels: As for :func:`choose_samples`.
        cells: Whether every sample here takes part, so that a gap in one is a fault.

    Raises:
        InputError: As :func:`choose_samples`, and as :func:`~fm_platform.expression.designs.variables.read_variables`.
    """
    choice = choose_samples(samples, contrast, seen_levels=seen_levels)
    for variable in parse_formula(contrast.design).variables:
        column_of(samples, variable)
    if cells and choice.gone is None:
        read_variables(
            choice.kept, contrast.design, reference=coded_against(contrast), covariates=contrast.covariates
        )


def levels_seen(contrasts_table: pl.DataFrame) -> set[SeenLevel]:
    """The levels of an earlier ``expression.contrasts``: only seen ones get into it."""
    seen: set[SeenLevel] = set()
    for row in contrasts_table.filter(pl.col("variable").is_not_null()).iter_rows(named=True):
        seen |= {(row["variable"], row[side], row["subset"]) for side in ("level", "reference")}
    return seen


def _subset(samples: pl.DataFrame, contrast: Contrast) -> pl.DataFrame:
    kept = samples
    for name, values in contrast.subset.items():
        kept = kept.filter(pl.col(column_of(samples, name)).cast(pl.String).is_in(list(values)))
    return kept


def _absent(samples: pl.DataFrame, contrast: Contrast) -> Iterator[tuple[str, str, list[str]]]:
    """The values of a subset that no sample has: variable, value, the values there are."""
    for name, values in contrast.subset.items():
        there = sorted({text for text in samples[column_of(samples, name)].cast(pl.String) if text})
        yield from ((name, value, there) for value in values if value not in there)


def _absent_values(samples: pl.DataFrame, contrast: Contrast) -> tuple[str, ...]:
    """Notes on values of the subset that no sample has; one that only spells another way what is there is refused."""
    notes = []
    for name, value, there in _absent(samples, contrast):
        if any(plain(value) == plain(text) for text in there):
            raise InputError(
                f"{_said(name, value)} and the sample sheet spells in another way",
                mend=_values(name, value, there),
            )
        notes.append(_said(name, value))
    return tuple(notes)


def _unseen_level(
    counted: pl.DataFrame,
    kept: pl.DataFrame,
    column: str,
    contrast: Contrast,
    variable: str,
    missing: Sequence[str],
) -> InputError:
    wanted = " or ".join(f"{variable} = {level!r}" for level in missing)
    here = sorted({text for text in kept[column].to_list() if text})
    anywhere = sorted({text for text in counted[column].to_list() if text})
    if set(missing) <= set(anywhere):
        return InputError(
            f"no sample with {wanted} is left by the subset {contrast.restriction} "
            f"({kept.height} of {counted.height} samples left)",
            mend=f"{_subset_mend(counted, contrast)}; levels of {variable} left: {', '.join(here) or 'none'}",
        )
    near = [found[0] for level in missing if (found := get_close_matches(level, anywhere, n=1))]
    meant = f"did you mean {' and '.join(map(repr, near))}? " if near else ""
    if any(text != text.strip() for text in near):
        blank = next(text for text in near if text != text.strip())
        meant += f"Take the blanks out of the sample sheet, or quote the level (fm de: {_quoted(blank)}); "
    return InputError(
        f"no sample has {wanted}",
        mend=f"{meant}levels of {variable}: {', '.join(anywhere) or 'none'}",
    )


def _subset_mend(counted: pl.DataFrame, contrast: Contrast) -> str:
    """How to correct a subset: the first value in it that no sample has, and those there are."""
    for name, value, there in _absent(counted, contrast):
        return f"no sample has {name} = {value!r}: {_values(name, value, there)}"
    return "correct `subset:`"


def _said(name: str, value: str) -> str:
    return f"no sample has {name} = {value!r}, which the subset names"


def _values(name: str, value: str, there: Sequence[str]) -> str:
    near = get_close_matches(value, there, n=1) or [text for text in there if plain(text) == plain(value)]
    meant = f"did you mean {near[0]!r}? " if near else ""
    quoted = next((text for text in there if "," in text), None)
    how = f" (in fm de quoted: --subset '{name}={_quoted(quoted)}')" if quoted else ""
    return f"{meant}values of {name}: {', '.join(there[:20])}{how}"


def _quoted(level: str) -> str:
    """A level as a command line takes it whatever it holds."""
    return '"' + level.replace('"', '""') + '"'
