"""Contrasts by coefficient and by vector: from names of design columns to one weight per column.

Belongs here: which names a column goes by, weights, samples on which a comparison rests alone. Does not belong here:
contrasts of two levels (``design``), choosing samples (``contrasts``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from itertools import permutations

import numpy as np

from fm_platform.errors import InputError
from fm_platform.expression.designs.design import Design
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.study.expression import Contrast

_CODED = re.compile(r"\[(?:T\.)?([^\]]*)\]")
_SOLE = 1e-8
_FEW = 4


def contrast_weights(design: Design, contrast: Contrast) -> Floats:
    """The weight of every design column in a contrast by ``coefficient`` or by ``vector``.

    Args:
        design: Of the contrast's samples.
        contrast: Not one of two levels.

    Raises:
        InputError: A name is not that of a column, or two names mean the same one; the message lists the columns.
    """
    wanted = {contrast.coefficient: 1.0} if contrast.vector is None else contrast.vector
    weights, given = np.zeros(len(design.columns)), set()
    for name, weight in wanted.items():
        column = _column(design, str(name))
        if column in given:
            raise InputError(
                f"the vector weighs column {design.columns[column]!r} twice",
                mend="give each column one weight",
            )
        given.add(column)
        weights[column] = weight
    return weights


def resting_on(matrix: Floats, vector: Floats) -> list[int]:
    """Samples without which the comparison could not be made: their leverage is 1 and the estimate depends on them.

    Args:
        matrix: Samples x columns, of full rank.
        vector: Weight of each column.
    """
    basis = np.linalg.pinv(matrix)
    leverage = np.einsum("sc,cs->s", matrix, basis)
    influence = vector @ basis
    return [int(place) for place in np.flatnonzero((leverage > 1 - _SOLE) & (np.abs(influence) > _SOLE))]


def _column(design: Design, name: str) -> int:
    """The column that goes by a name: as the platform shows it, or as DESeq2 does (``group_b_vs_a``)."""
    if name in design.columns:
        return design.columns.index(name)
    plain = _syntactic(name)
    found = [place for place, column in enumerate(design.columns) if plain in _aliases(design, column)]
    if len(found) == 1:
        return found[0]
    near = get_close_matches(name, design.columns, n=1, cutoff=0.5)
    raise InputError(
        f"the design {design.formula!r} has no column {name!r}",
        mend=(f"did you mean {near[0]!r}? " if near else "")
        + f"columns are: {', '.join(design.columns)} (other levels to compare with: reference levels)",
    )


def _aliases(design: Design, column: str) -> set[str]:
    """What DESeq2 calls a column; it puts the variables of an interaction in the order of the whole design."""
    orders = permutations(column.split(":")) if column.count(":") < _FEW else [(column,)]
    names = {_syntactic(_CODED.sub(r"\1", ":".join(parts))) for parts in orders}
    for variable, levels in design.levels.items():
        for level in levels[1:]:
            if column == f"{variable}[T.{level}]":
                names.add(_syntactic(f"{variable}_{level}_vs_{levels[0]}"))
    return names


def _syntactic(name: str) -> str:
    """A name with every mark that R does not take written as a dot."""
    return re.sub(r"[^\w.]", ".", name)
