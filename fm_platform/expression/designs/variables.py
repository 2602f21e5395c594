"""The variables of a design, read off the sample table: texts of factors, numbers of covariates, levels.

Belongs here: everything about a design that names and cells decide. Does not belong here: coding, rank and degrees of
freedom (``design``), which samples take part (``choice``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.expression.designs.formula import Formula, parse_formula
from fm_platform.expression.designs.samples import PLATFORM_COLUMNS, SHEET_PREFIX
from fm_platform.expression.designs.spellings import is_missing, places, refuse_spellings

LARGE_COVARIATE = 5.0
"""A covariate whose mean or spread exceeds this is noted: it makes fits less stable."""


@dataclass(frozen=True)
class Variables:
    """The variables of a formula in a set of samples.

    Attributes:
        parsed: The formula.
        values: Per variable, a text (factor) or a number (covariate) for each sample.
        levels: The levels of each factor, reference first.
        notes: What a reader of the results should know.
    """

    parsed: Formula
    values: Mapping[str, list[Any]]
    levels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def read_variables(
    samples: pl.DataFrame,
    formula: str,
    *,
    reference: Mapping[str, str] | None = None,
    covariates: Collection[str] = (),
) -> Variables:
    """Read the variables of a design off a set of samples.

    Args:
        samples: Rows of ``expression.samples``; variables are its text columns.
        formula: E.g. ``~ type + condition``.
        reference: Reference level of factors; for the others it is the first in alphabetical order.
        covariates: Variables that are numbers. All others are factors, numeric-looking or not.

    Raises:
        InputError: The formula cannot be read; a variable is unknown, has gaps, one level only, a level in several
            spellings or no numbers; a reference level is in no sample.
    """
    parsed = parse_formula(formula)
    for name in covariates:
        if name not in parsed.variables:
            raise InputError(
                f"covariate {name!r} is not in the design {parsed.text!r}",
                mend="add it to the design, or drop it from the covariates",
            )
    factors = [name for name in parsed.variables if name not in covariates]
    for name in reference or {}:
        if name not in factors:
            raise InputError(
                f"{name!r} is not a factor of the design {parsed.text!r}, so it has no reference level",
                mend=f"factors are: {', '.join(factors) or 'none'}",
            )
    levels: dict[str, tuple[str, ...]] = {}
    values: dict[str, list[Any]] = {}
    notes: list[str] = []
    for name in parsed.variables:
        texts = _complete(samples, name)
        if name in covariates:
            values[name] = _numbers(samples, name, texts)
            notes += _covariate_note(name, values[name])
        else:
            refuse_spellings(samples, column_of(samples, name), name)
            values[name] = texts
            levels[name] = _ordered_levels(name, texts, (reference or {}).get(name))
    return Variables(parsed, values, levels, tuple(notes))


def column_of(samples: pl.DataFrame, variable: str) -> str:
    """The column of ``expression.samples`` that holds a variable of the sample sheet.

    Raises:
        InputError: The sheet has no such column.
    """
    if SHEET_PREFIX + variable in samples.columns and variable.casefold() in PLATFORM_COLUMNS:
        return SHEET_PREFIX + variable
    if variable in samples.columns and not variable.startswith("_"):
        return variable
    if variable.casefold() in samples.columns and variable.casefold() in PLATFORM_COLUMNS:
        return variable.casefold()
    hidden = ("position", "reason")
    known = [name for name in samples.columns if not name.startswith("_") and name not in hidden]
    near = get_close_matches(variable, known, n=1)
    raise InputError(
        f"the sample sheet has no column {variable!r}",
        mend=(f"did you mean {near[0]!r}? " if near else "")
        + ("Take the blanks out of its name in the sheet; " if near and near[0].strip() == variable else "")
        + f"columns are: {', '.join(known)}",
    )


def _complete(samples: pl.DataFrame, variable: str) -> list[str]:
    texts = samples[column_of(samples, variable)].cast(pl.String).to_list()
    gaps = [at for at, text in enumerate(texts) if is_missing(text)]
    if gaps:
        said = next((texts[at].strip() for at in gaps if (texts[at] or "").strip()), None)
        raise InputError(
            f"{variable!r} is {'empty' if said is None else f'missing ({said!r})'} for sample {places(samples, gaps)}"
            + (
                ""
                if said is None
                else "; it reads as no value, as NA does in R, and variables of a design cannot be missing"
            ),
            mend="fill it in the sample sheet, or leave these samples out with `subset:` (fm de --subset)"
            + ("" if said is None else f"; if {said!r} is a level, give it another name"),
        )
    return texts


def _numbers(samples: pl.DataFrame, variable: str, texts: Sequence[str]) -> list[float]:
    numbers = []
    for name, text in zip(samples["sample_id"], texts, strict=True):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(
                f"covariate {variable!r} is {text!r} for sample {name}, which is not a number",
                mend="correct the sample sheet, or drop it from the covariates to use it as a factor",
            )
        numbers.append(number)
    return numbers


def _covariate_note(variable: str, numbers: Sequence[float]) -> list[str]:
    mean, spread = float(np.mean(numbers)), float(np.std(numbers))
    if max(abs(mean), spread) <= LARGE_COVARIATE:
        return []
    return [
        f"covariate {variable} has mean {mean:.4g} and spread {spread:.4g}: "
        "centring and scaling it makes the fit more stable"
    ]


def _ordered_levels(variable: str, texts: Sequence[str], reference: str | None) -> tuple[str, ...]:
    levels = sorted(set(texts))
    if len(levels) < 2:
        raise InputError(
            f"{variable!r} has only the level {levels[0]!r} in the {len(texts)} samples of this contrast",
            mend=f"drop {variable} from the design, or widen `subset:`",
        )
    if reference is None:
        return tuple(levels)
    if reference not in levels:
        raise InputError(
            f"no sample of this contrast has {variable} = {reference!r}, the level to compare with",
            mend=f"use one of: {', '.join(levels)}",
        )
    return (reference, *(level for level in levels if level != reference))
