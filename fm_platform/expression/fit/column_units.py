"""The unit in which a design column is fitted.

Belongs here: which columns are too small for the ridge of the fit, and by what they are multiplied. Does not belong
here: centring, which the ridge feels far less; what a reader is told in the user's unit (``engine``).

DESeq2 adds 1e-6 to the diagonal of the normal equations, whatever the unit of a column is. Of a covariate of 0.0001
to 0.0009 that ridge takes all the information there is: its coefficient is pulled to 0 and its test says nothing.
Fitted in thousandths it is as any other.
"""

from __future__ import annotations

import math

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

SMALL = 0.1
"""A column that is below this throughout is multiplied by the power of ten that brings it to 0.1 or above."""


def column_units(design: Floats) -> Floats:
    """By what each column is multiplied before the fit: 1, or a power of ten.

    Args:
        design: Samples x columns, none of them 0 throughout.
    """
    largest = np.abs(design).max(axis=0)
    return np.array(
        [1.0 if size >= SMALL else 10.0 ** -(math.floor(math.log10(size)) + 1) for size in largest]
    )
