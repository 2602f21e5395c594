"""Which columns of a design matrix say nothing new, and what they repeat.

Belongs here: the linear algebra of the rank gate. Does not belong here: formulas, levels, error texts about
studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9
MAX_TERMS = 8


@dataclass(frozen=True)
class Alias:
    """A column that is a combination of columns to its left.

    Attributes:
        column: The column's name.
        terms: The columns it repeats, with their coefficients; empty for a column that is zero everywhere.
    """

    column: str
    terms: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        if not self.terms:
            return f"{self.column} is 0 for every sample"
        shown = " ".join(
            _signed(weight, name, first=i == 0) for i, (name, weight) in enumerate(self.terms[:MAX_TERMS])
        )
        more = len(self.terms) - MAX_TERMS
        return f"{self.column} = {shown}" + (f" and {more} more" if more > 0 else "")


def find_aliases(matrix: NDArray[np.float64], columns: Sequence[str]) -> tuple[Alias, ...]:
    """The linearly dependent columns, from left to right.

    Args:
        matrix: Samples x columns.
        columns: Their names.

    Returns:
        One entry per dependent column; empty for a matrix of full column rank.
    """
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(norms > 0, norms, 1.0)
    independent: list[int] = []
    aliases: list[Alias] = []
    for index, name in enumerate(columns):
        if norms[index] == 0:
            aliases.append(Alias(name, ()))
            continue
        weights, rest = _project(scaled[:, independent], scaled[:, index])
        if rest > TOLERANCE:
            independent.append(index)
            continue
        raw = weights * norms[index] / norms[independent]
        terms = [
            (columns[i], float(weight))
            for i, weight in zip(independent, raw, strict=True)
            if abs(weight) > 1e-8
        ]
        aliases.append(Alias(name, tuple(terms)))
    return tuple(aliases)


def _project(basis: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    if basis.shape[1] == 0:
        return np.zeros(0), float(np.linalg.norm(target))
    weights: NDArray[np.float64] = np.linalg.lstsq(basis, target, rcond=None)[0].astype(np.float64)
    return weights, float(np.linalg.norm(target - basis @ weights))


def _signed(weight: float, name: str, *, first: bool) -> str:
    size = Fraction(abs(weight)).limit_denominator(1000)
    factor = (
        "" if size == 1 else f"{size} " if abs(size - Fraction(abs(weight))) < 1e-9 else f"{abs(weight):.6g} "
    )
    sign = ("-" if weight < 0 else "") if first else ("- " if weight < 0 else "+ ")
    return f"{sign}{factor}{name}"
