"""Design matrices: from a formula and a sample table to named columns, with the rank and df gate.

Belongs here: levels, covariates, the gate, contrast vectors. Does not belong here: which samples take part
(``contrasts``), coding (``coding``) and fitting (``engine``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.coding import CodedMatrix, code
from fm_platform.expression.designs.formula import Formula, parse_formula
from fm_platform.expression.designs.rank import find_aliases
from fm_platform.expression.designs.remedies import listed, nested, unseen, untangling
from fm_platform.expression.designs.samples import PLATFORM_COLUMNS, SHEET_PREFIX

LARGE_COVARIATE = 5.0
"""A covariate whose mean or spread exceeds this is noted: it makes fits less stable."""

MAX_ALIASES = 5


@dataclass(frozen=True, eq=False)
class Design:
    """A design matrix and what its columns mean.

    Attributes:
        formula: As written.
        variables: The variables of the formula.
        levels: The levels of each factor, reference first.
        covariates: The numeric variables.
        columns: Names of the matrix's columns, e.g. ``Intercept``, ``condition[T.treated]``.
        matrix: Samples x columns, float64, of full column rank.
        notes: What a reader of the results should know.
    """

    formula: str
    variables: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    covariates: tuple[str, ...]
    columns: tuple[str, ...]
    matrix: NDArray[np.float64]
    notes: tuple[str, ...]
    _coded: CodedMatrix = field(repr=False)

    @property
    def residual_df(self) -> int:
        """Samples minus columns."""
        return int(self.matrix.shape[0] - self.matrix.shape[1])

    @property
    def key(self) -> tuple[tuple[str, ...], bytes]:
        """Equal for designs that give the same fit on the same samples."""
        return self.columns, self.matrix.tobytes()

    def vector(self, variable: str, level: str, reference: str) -> NDArray[np.float64]:
        """The contrast of two levels: design row at ``level`` minus design row at ``reference``.

        All other factors are held at their reference level and covariates at 0, so with interactions this is
        the effect at those references, as in DESeq2.

        Returns:
            One weight per column.
        """
        values: dict[str, list[Any]] = {
            name: [self.levels[name][0]] * 2 if name in self.levels else [0.0, 0.0] for name in self.variables
        }
        values[variable] = [level, reference]
        both = self._coded.rows(values)
        difference: NDArray[np.float64] = both[0] - both[1]
        return difference


def build_design(
    samples: pl.DataFrame,
    formula: str,
    *,
    reference: Mapping[str, str] | None = None,
    covariates: Collection[str] = (),
    replicated: bool = True,
) -> Design:
    """Build the design matrix of a set of samples and refuse one that cannot be fitted.

    Args:
        samples: Rows of ``expression.samples``; variables are its text columns.
        formula: E.g. ``~ type + condition``.
        reference: Reference level of factors; for the others it is the first in alphabetical order.
        covariates: Variables that are numbers. All others are factors, numeric-looking or not.
        replicated: Whether a residual degree of freedom is needed; a mere description needs none.

    Raises:
        InputError: A variable is unknown, has gaps, one level only or no numbers; or the matrix is
            rank-deficient; or no residual degree of freedom is left. The message names aliased columns and the samples
            that would help.
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
            values[name] = texts
            levels[name] = _ordered_levels(name, texts, (reference or {}).get(name))
    coded = code(parsed, values, levels)
    _rank_gate(coded, parsed, values, levels)
    design = Design(
        formula=parsed.text,
        variables=parsed.variables,
        levels=levels,
        covariates=tuple(name for name in parsed.variables if name in covariates),
        columns=coded.columns,
        matrix=coded.matrix,
        notes=tuple(notes),
        _coded=coded,
    )
    if replicated:
        _df_gate(design, values)
    return design


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
        mend=(f"did you mean {near[0]!r}? " if near else "") + f"columns are: {', '.join(known)}",
    )


def _complete(samples: pl.DataFrame, variable: str) -> list[str]:
    texts = samples[column_of(samples, variable)].cast(pl.String).to_list()
    gaps = [
        name for name, text in zip(samples["sample_id"], texts, strict=True) if text is None or text == ""
    ]
    if gaps:
        raise InputError(
            f"{variable!r} is empty for sample {', '.join(gaps[:10])}",
            mend="fill it in the sample sheet, or leave these samples out with `subset:`",
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


def _rank_gate(
    coded: CodedMatrix,
    parsed: Formula,
    values: Mapping[str, list[Any]],
    levels: Mapping[str, tuple[str, ...]],
) -> None:
    aliases = find_aliases(coded.matrix, coded.columns)
    if not aliases:
        return
    named = {alias.column for alias in aliases} | {name for alias in aliases for name, _ in alias.terms}
    variables_of = dict(zip(coded.columns, coded.column_variables, strict=True))
    entangled = {variable for name in named for variable in variables_of[name]}
    shown = "; ".join(str(alias) for alias in aliases[:MAX_ALIASES])
    more = f"; and {len(aliases) - MAX_ALIASES} more" if len(aliases) > MAX_ALIASES else ""
    together = " and ".join(name for name in parsed.variables if name in entangled)
    numbers = {name: known for name, known in values.items() if name not in levels}
    raise InputError(
        f"design {parsed.text!r} is rank-deficient: {shown}{more}",
        mend=f"the effects of {together} cannot be told apart in these samples"
        + _nesting({name: levels[name] for name in levels if name in entangled}, values)
        + ": drop a variable from the design, or choose samples with `subset:` in which they vary separately"
        + _samples_that_help(untangling(coded, levels, numbers)),
    )


def _nesting(levels: Mapping[str, tuple[str, ...]], values: Mapping[str, list[Any]]) -> str:
    """Which factor another one holds already."""
    return "".join(
        f" (every {inner} has one {outer} only, so {inner} holds {outer} already)"
        for outer, inner in nested(levels, values)
    )


def _samples_that_help(combinations: list[dict[str, str]]) -> str:
    if not combinations:
        return ""
    return f"; {listed(combinations)} would tell them apart, where such can be had"


def _df_gate(design: Design, values: Mapping[str, list[Any]]) -> None:
    """Refuse a design without a residual degree of freedom, and say which samples would give one."""
    if design.residual_df >= 1:
        return
    n_samples = design.matrix.shape[0]
    alone = [name for name, found in design.levels.items() if len(found) == n_samples]
    lacking = [] if alone else unseen(design.levels, values)[: 1 - design.residual_df]
    if alone:
        added = f"{alone[0]} has another level in every sample: drop it"
    elif lacking and len(lacking) == 1 - design.residual_df:
        added = f"{listed(lacking)} would give one"
    else:
        first = {name: str(found[0]) for name, found in values.items() if name in design.levels}
        again = f"second {listed([first]).removeprefix('a ')}" if first else "further sample"
        added = f"{1 - design.residual_df} more would do, such as a {again}"
    raise InputError(
        f"design {design.formula!r} has {len(design.columns)} columns for {n_samples} samples: "
        "no replication is left to estimate the spread from",
        mend="use fewer variables or more samples (a test needs at least one residual degree of freedom); "
        + added,
    )
