"""Exact numbers on one common integer scale.

Belongs here: bringing ints and fractions to whole numbers, and medians of whole numbers. Does not belong
here: tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Number = int | Fraction
_LARGEST = 2**61
"""Sums of two values must fit 64 bits."""


def on_common_scale(values: Sequence[Number] | Ints) -> tuple[Ints, int]:
    """Whole numbers and the scale they are over.

    Args:
        values: Ints or Fractions; an integer array is taken as it is.

    Returns:
        ``(numbers, scale)`` with ``values[i] == numbers[i] / scale``.

    Raises:
        TypeError: A float is among them: ranking floats breaks ties.
        OverflowError: The common scale needs more than 61 bits.
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "iu":
            raise TypeError("pass whole numbers or Fractions; floats break ties")
        return values.astype(np.int64), 1
    if any(not isinstance(value, int | np.integer | Fraction) for value in values):
        raise TypeError("pass whole numbers or Fractions; floats break ties")
    fractions = [Fraction(int(value) if isinstance(value, np.integer) else value) for value in values]
    scale = math.lcm(1, *(value.denominator for value in fractions))
    numbers = [value.numerator * (scale // value.denominator) for value in fractions]
    if any(abs(number) >= _LARGEST for number in numbers):
        raise OverflowError("the values need a common scale of more than 61 bits")
    return np.array(numbers, dtype=np.int64), scale


def median(values: Ints) -> Fraction | None:
    """The exact median; the mean of the two middle values where their number is even. None for no values."""
    if not len(values):
        return None
    ordered = np.sort(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return Fraction(int(low) + int(high), 2)


def shown(value: Fraction | None, scale: int = 1) -> float | None:
    """The double nearest to an exact value; null stays null."""
    return None if value is None else float(value / scale)
