"""The zero and the unit in which a design column is fitted.

Belongs here: which columns the ridge of the fit would distort, by what they are multiplied and what is taken off them.
Does not belong here: what a reader is told in the user's unit (``engine``).

DESeq2 adds 1e-6 to the diagonal of the normal equations, whatever the unit of a column is. Of a covariate of 0.0001
to 0.0009 that ridge takes all the information there is: its coefficient is pulled to 0 and its test says nothing.
Of a covariate far from 0 (a date as 20240115) it pulls the intercept, which lies where the covariate is 0, and with it
the coefficient; farther still, the normal equations lose their digits. Fitted in thousandths, or counted from its
mean, it is as any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

SMALL = 0.1
"""A column that is below this throughout is multiplied by the power of ten that brings it to 0.1 or above."""

LARGE = 1e6
"""A column that reaches this is multiplied by the power of ten that brings it below this."""

FAR = 100.0
"""A covariate whose mean is more standard deviations from 0 is counted from its mean."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A design as it is fitted.

    Attributes:
        design: Samples x columns.
        units: By what each column was multiplied.
        centres: What was taken off each column before, where it is not 0.
        transform: Columns x columns: the declared design times this is the fitted one, so declared coefficients are
            this times the fitted ones.
    """

    design: Floats
    units: Floats
    centres: Floats
    transform: Floats


def as_fitted(design: Floats) -> Fitted:
    """The design with every column in the zero and the unit in which it is fitted.

    Args:
        design: Samples x columns of full rank, none of them 0 throughout.
    """
    centred, transform = design.copy(), np.eye(design.shape[1])
    centres = np.zeros(design.shape[1])
    marks = np.flatnonzero(((design == 0) | (design == 1)).all(axis=0))
    for column in range(design.shape[1]):
        centre, weights = _centre(design, column, marks)
        if centre:
            centres[column] = centre
            centred[:, column] = np.where(design[:, column] != 0, design[:, column] - centre, 0.0)
            transform[marks, column] = -centre * weights
    units = column_units(centred)
    return Fitted(centred * units, units, centres, transform * units)


def column_units(design: Floats) -> Floats:
    """By what each column is multiplied before the fit: 1, or a power of ten.

    Args:
        design: Samples x columns, none of them 0 throughout.
    """
    sizes = np.abs(design).max(axis=0)
    tens = np.array([math.floor(math.log10(size)) + 1 for size in sizes])
    return np.where(sizes < SMALL, 10.0**-tens, np.where(sizes < LARGE, 1.0, LARGE * 10.0**-tens))


def _centre(design: Floats, column: int, marks: np.ndarray) -> tuple[float, Floats]:
    """The mean of a column where it is not 0, if that is far from 0, and which sum of 0-1 columns marks these samples.

    Without such a sum (no intercept) a column cannot be counted from its mean: 0.
    """
    values = design[:, column]
    used = values != 0
    mean, spread = float(values[used].mean()), float(values[used].std())
    if column in marks or spread == 0 or abs(mean) <= FAR * spread:
        return 0.0, np.zeros(len(marks))
    weights = np.linalg.lstsq(design[:, marks], used.astype(float), rcond=None)[0]
    weights = np.where(np.abs(weights) < 1e-9, 0.0, weights)
    covered = np.allclose(design[:, marks] @ weights, used, rtol=0, atol=1e-9)
    return (mean if covered else 0.0), weights
