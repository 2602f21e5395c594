"""Design matrices: from a formula and a sample table to named columns, with the rank and df gate.

Belongs here: levels, covariates, the gate, empty columns of nested factors, contrast vectors. Does not belong here:
which samples take part (``contrasts``), coding (``coding``) and fitting (``engine``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.coding import CodedMatrix, code
from fm_platform.expression.designs.formula import Formula
from fm_platform.expression.designs.rank import find_aliases
from fm_platform.expression.designs.remedies import listed, nested, unseen, untangling
from fm_platform.expression.designs.variables import read_variables

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
        terms: The variables of each term that has a column, e.g. ``(("group",), ("group", "individual"))``.
        notes: What a reader of the results should know.
    """

    formula: str
    variables: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    covariates: tuple[str, ...]
    columns: tuple[str, ...]
    matrix: NDArray[np.float64]
    terms: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    _coded: CodedMatrix = field(repr=False)
    _kept: tuple[int, ...] = field(repr=False)

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

        Raises:
            InputError: The comparison needs a column that no sample has.
        """
        values: dict[str, list[Any]] = {
            name: [self.levels[name][0]] * 2 if name in self.levels else [0.0, 0.0] for name in self.variables
        }
        values[variable] = [level, reference]
        both = self._coded.rows(values)
        difference: NDArray[np.float64] = both[0] - both[1]
        lost = [
            name
            for name, w in zip(self._coded.columns, difference, strict=True)
            if w and name not in self.columns
        ]
        if lost:
            raise InputError(
                f"{variable} {level} cannot be compared with {reference}: no sample has {', '.join(lost)}",
                mend="choose another reference level for the other factors, or compare by `coefficient` or `vector`",
            )
        return difference[list(self._kept)]


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
    read = read_variables(samples, formula, reference=reference, covariates=covariates)
    parsed, values, levels = read.parsed, read.values, read.levels
    coded = code(parsed, values, levels)
    empty = _empty_nested(coded)
    _rank_gate(coded, empty, parsed, values, levels)
    kept = tuple(place for place in range(len(coded.columns)) if place not in empty)
    design = Design(
        formula=parsed.text,
        variables=parsed.variables,
        levels=levels,
        covariates=tuple(name for name in parsed.variables if name in covariates),
        columns=tuple(coded.columns[place] for place in kept),
        matrix=np.ascontiguousarray(coded.matrix[:, kept]),
        terms=tuple(dict.fromkeys(coded.column_variables[place] for place in kept)),
        notes=(*read.notes, *_dropped(coded, empty)),
        _coded=coded,
        _kept=kept,
    )
    if replicated:
        _df_gate(design, values)
    return design


def _empty_nested(coded: CodedMatrix) -> list[int]:
    """Columns without a sample that a nested factor makes: its levels mean something within another factor only.

    With ``~ group + group:individual`` and groups of unequal size there is no third individual in every group. A
    column of factors that are all terms of their own is no such column: there a combination is lacking.
    """
    alone = {variables[0] for variables in coded.column_variables if len(variables) == 1}
    return [
        place
        for place, variables in enumerate(coded.column_variables)
        if not coded.matrix[:, place].any() and not set(variables) <= alone
    ]


def _dropped(coded: CodedMatrix, empty: Collection[int]) -> list[str]:
    if not empty:
        return []
    names = ", ".join(coded.columns[place] for place in empty)
    return [f"columns of the nested design that no sample has were left out: {names}"]


def _rank_gate(
    coded: CodedMatrix,
    empty: Collection[int],
    parsed: Formula,
    values: Mapping[str, list[Any]],
    levels: Mapping[str, tuple[str, ...]],
) -> None:
    left_out = {coded.columns[place] for place in empty}
    aliases = [alias for alias in find_aliases(coded.matrix, coded.columns) if alias.column not in left_out]
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
