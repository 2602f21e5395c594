"""Model matrices of additive designs, ``~ a + b``, without loading a formula library.

Belongs here: treatment coding of variables side by side, which is what nearly every design is. Does not belong here:
interactions and all other terms (``coding``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ADDITIVE = re.compile(r"~ (?P<first>[01] \+ )?(?P<terms>v\d+(?: \+ v\d+)*)(?P<last> - 1| \+ [01])?")


@dataclass(frozen=True)
class Additive:
    """The columns of an additive design.

    Attributes:
        names: One per column, with the variable's place for its name: ``v0[T.L1]``.
        parts: The variable of each column (-1 for the intercept) and its level (-1 for a covariate's values).
    """

    names: tuple[str, ...]
    parts: tuple[tuple[int, int], ...]

    def rows(
        self, values: Sequence[Sequence[Any]], levels: Sequence[Sequence[str] | None]
    ) -> NDArray[np.float64]:
        """The matrix for values of the variables, given in their order; levels of factors, None for covariates."""
        made = []
        for variable, level in self.parts:
            if variable < 0:
                made.append(np.ones(len(values[0])))
            elif level < 0:
                made.append(np.asarray(values[variable], dtype=np.float64))
            else:
                known = levels[variable]
                assert known is not None
                made.append(np.array([value == known[level] for value in values[variable]], dtype=np.float64))
        return np.ascontiguousarray(np.stack(made, axis=1))


def additive(neutral: str, n_levels: Mapping[int, int]) -> Additive | None:
    """The columns of a formula, or None when it is more than a sum of different variables.

    Args:
        neutral: With variables v0, v1, ..., as :class:`~fm_platform.expression.designs.formula.Formula` has it.
        n_levels: Levels of each factor, by its place.
    """
    found = _ADDITIVE.fullmatch(neutral)
    if found is None or (found["first"] and found["last"]):
        return None
    places = [int(term[1:]) for term in found["terms"].split(" + ")]
    if len(set(places)) < len(places):
        return None
    intercept = (found["first"] or "1") != "0 + " and (found["last"] or "") not in (" - 1", " + 0")
    names, parts = (["Intercept"], [(-1, -1)]) if intercept else ([], [])
    spanned = intercept
    for place in places:
        if place not in n_levels:
            names.append(f"v{place}")
            parts.append((place, -1))
            continue
        mark = "T." if spanned else ""
        for level in range(1 if spanned else 0, n_levels[place]):
            names.append(f"v{place}[{mark}L{level}]")
            parts.append((place, level))
        spanned = True
    return Additive(tuple(names), tuple(parts))
