"""Turns a parsed formula and columns of values into a numeric matrix.

Belongs here: readable names of columns, and the one use of formulaic, fed with neutral names so that no text of a study
is ever evaluated. Does not belong here: additive designs (``additive``), sample tables, gates, contrasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.additive import Additive, additive
from fm_platform.expression.designs.formula import Formula

_FACTOR = re.compile(r"v(\d+)\[(T\.)?L(\d+)\]")
_VARIABLE = re.compile(r"v(\d+)(?=\[|$)")

Levels = Mapping[str, tuple[str, ...]]
Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, eq=False)
class CodedMatrix:
    """A model matrix.

    Attributes:
        matrix: Rows x columns, float64.
        columns: Readable names, e.g. ``Intercept``, ``condition[T.treated]``, ``age``, ``sex[T.m]:age``.
        column_variables: Which variables each column is made of.
    """

    matrix: NDArray[np.float64]
    columns: tuple[str, ...]
    column_variables: tuple[tuple[str, ...], ...]
    _formula: Formula = field(repr=False)
    _levels: Levels = field(repr=False)
    _spec: Any = field(repr=False)

    def rows(self, values: Values) -> NDArray[np.float64]:
        """The same columns for other values of the variables."""
        variables = self._formula.variables
        if isinstance(self._spec, Additive):
            return self._spec.rows(
                [values[name] for name in variables], [self._levels.get(name) for name in variables]
            )
        frame = _neutral_frame(values, variables, self._levels)
        coded: NDArray[np.float64] = self._spec.get_model_matrix(frame).to_numpy(dtype=np.float64)
        return coded


def code(formula: Formula, values: Values, levels: Levels) -> CodedMatrix:
    """Build the model matrix: treatment coding against the first level of each factor.

    Args:
        formula: The parsed design.
        values: One sequence per variable: texts for factors, numbers for the others.
        levels: The levels of each factor, reference first.

    Raises:
        InputError: The terms make no matrix, e.g. unbalanced parentheses.
    """
    variables = formula.variables
    n_levels = {place: len(levels[name]) for place, name in enumerate(variables) if name in levels}
    plan: Any = additive(formula.neutral, n_levels)
    if plan is not None:
        names = plan.names
        matrix = plan.rows([values[name] for name in variables], [levels.get(name) for name in variables])
    else:
        plan, names, matrix = _by_formulaic(formula, values, levels)
    neutral = [name.split(":") for name in names]
    return CodedMatrix(
        matrix=matrix,
        columns=tuple(":".join(_readable(part, variables, levels) for part in parts) for parts in neutral),
        column_variables=tuple(
            tuple(variables[int(found[1])] for part in parts if (found := _VARIABLE.match(part)))
            for parts in neutral
        ),
        _formula=formula,
        _levels=levels,
        _spec=plan,
    )


def _by_formulaic(
    formula: Formula, values: Values, levels: Levels
) -> tuple[Any, list[str], NDArray[np.float64]]:
    """Model specification, column names and matrix of any formula."""
    from formulaic import Formula as FormulaicFormula
    from formulaic.errors import FormulaicError

    frame = _neutral_frame(values, formula.variables, levels)
    try:
        model = FormulaicFormula(formula.neutral).get_model_matrix(frame)
    except (FormulaicError, SyntaxError, ValueError):
        raise InputError(
            f"the terms of design {formula.text!r} cannot be combined",
            mend="write it like `~ batch + condition`, with balanced parentheses",
        ) from None
    matrix = np.ascontiguousarray(model.to_numpy(dtype=np.float64))
    return model.model_spec, [str(name) for name in model.columns], matrix


def _neutral_frame(values: Values, variables: Sequence[str], levels: Levels) -> Any:
    """A pandas frame with variables v0, v1, ... and levels L0, L1, ..."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for index, name in enumerate(variables):
        if name in levels:
            categories = [f"L{i}" for i in range(len(levels[name]))]
            codes = [levels[name].index(value) for value in values[name]]
            columns[f"v{index}"] = pd.Categorical.from_codes(codes, categories=categories)
        else:
            columns[f"v{index}"] = np.asarray(values[name], dtype=np.float64)
    return pd.DataFrame(columns)


def _readable(part: str, variables: Sequence[str], levels: Levels) -> str:
    factor = _FACTOR.fullmatch(part)
    if factor:
        name = variables[int(factor[1])]
        return f"{name}[{factor[2] or ''}{levels[name][int(factor[3])]}]"
    found = _VARIABLE.match(part)
    return variables[int(found[1])] if found else part
