"""Ratios of gamma functions, accurate where their arguments are huge and close.

Belongs here: log Gamma(y + r) - log Gamma(r) and its derivative in r, for counts y. Does not belong here: the
negative binomial.

Stirling's series (Abramowitz and Stegun 6.1.40, 6.3.18) after a shift of 8 by the rising factorial. The
leading terms are subtracted analytically, so nothing cancels when r = 1 / dispersion is 1e8.
"""

from __future__ import annotations

import numpy as np

from fm_platform.expression.gene_arrays import Floats

_SHIFT = 8.0
_LOG_GAMMA = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def log_gamma_ratio(counts: Floats, r: Floats) -> Floats:
    """log Gamma(y + r) - log Gamma(r).

    Args:
        counts: Samples x genes.
        r: Per gene, positive.
    """
    x = counts + r
    z = x + _SHIFT
    base = r + _SHIFT
    value = _stirling(z, _LOG_GAMMA)
    value -= _stirling(base, _LOG_GAMMA)
    value += (z - 0.5) * np.log1p(counts / base)
    value += counts * (np.log(base) - 1.0)
    value -= np.log(_rising(x) / _rising(r))
    return value


def log_gamma_ratio_and_slope(counts: Floats, r: Floats) -> tuple[Floats, Floats]:
    """:func:`log_gamma_ratio` and its derivative in r, digamma(y + r) - digamma(r)."""
    x = counts + r
    z = x + _SHIFT
    base = r + _SHIFT
    inverse, inverse_base = 1.0 / z, 1.0 / base
    square, square_base = inverse * inverse, inverse_base * inverse_base
    grown = np.log1p(counts * inverse_base)
    value = _series(square, _LOG_GAMMA) * inverse
    value -= _series(square_base, _LOG_GAMMA) * inverse_base
    value += (z - 0.5) * grown
    value += counts * (np.log(base) - 1.0)
    slope = grown
    slope -= 0.5 * (inverse - inverse_base)
    slope -= _series(square, _DIGAMMA) * square - _series(square_base, _DIGAMMA) * square_base
    rising, rate = _rising_and_rate(x)
    rising_base, rate_base = _rising_and_rate(r)
    rising /= rising_base
    value -= np.log(rising)
    slope -= rate - rate_base
    return value, slope


def _series(square: Floats, coefficients: tuple[float, ...]) -> Floats:
    total = square * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        total += coefficient
        total *= square
    total += coefficients[0]
    return total


def _stirling(z: Floats, coefficients: tuple[float, ...]) -> Floats:
    inverse = 1.0 / z
    total = _series(inverse * inverse, coefficients)
    total *= inverse
    return total


def _rising(x: Floats) -> Floats:
    """x (x + 1) ... (x + 7), by pairing factors from both ends."""
    t = x * (x + 7.0)
    made = t + 6.0
    made *= t
    made *= t + 10.0
    made *= t + 12.0
    return made


def _rising_and_rate(x: Floats) -> tuple[Floats, Floats]:
    """The rising factorial and its logarithmic derivative."""
    t = x * (x + 7.0)
    first = t * (t + 6.0)
    second = (t + 10.0) * (t + 12.0)
    made = first * second
    rate = (2.0 * t + 6.0) * second
    rate += (2.0 * t + 22.0) * first
    rate *= 2.0 * x + 7.0
    rate /= made
    return made, rate
