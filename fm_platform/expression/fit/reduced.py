"""The smaller design of a likelihood-ratio test.

Belongs here: building it for the samples of a contrast, and the check that the full design contains it. Does not
belong here: the test.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.expression.designs.design import Design, build_design
from fm_platform.expression.designs.formula import parse_formula
from fm_platform.expression.fit.gene_arrays import Floats


def reduced_design(kept: pl.DataFrame, design: Design, formula: str) -> Floats:
    """The design matrix of a smaller formula.

    Args:
        kept: The samples of the contrast, in matrix order.
        design: The full design.
        formula: E.g. ``~ batch``, or ``~ 1``.

    Raises:
        InputError: The full design does not contain it, or is not larger.
    """
    if "".join(formula.split()) == "~1":
        matrix = np.ones((kept.height, 1))
    else:
        wanted = parse_formula(formula).variables
        covariates = [name for name in design.covariates if name in wanted]
        matrix = build_design(kept, formula, covariates=covariates).matrix
    full = design.matrix
    together = np.linalg.matrix_rank(np.concatenate([full, matrix], axis=1))
    if together > full.shape[1] or matrix.shape[1] >= full.shape[1]:
        raise InputError(
            f"the reduced design {formula!r} is not a part of {design.formula!r}",
            mend="drop one or more terms from the full design to get the reduced one",
        )
    return matrix
