"""Ratios of gamma functions, accurate where their arguments are huge and close.

Belongs here: log Gamma(y + r) - log Gamma(r) and its derivative in r, for counts y. Does not belong here: the
negative binomial.

Stirling's series (Abramowitz and Stegun 6.1.40, 6.3.18) after a shift of 8 by the rising factorial. The
leading terms are subtracted analytically, so nothing cancels when r = 1 / dispersion is 1e8. Beyond 8 the series is a
polynomial in 1 / z^2 on [0, 1/64], economised to five Chebyshev terms (error below 1e-15).
"""

from __future__ import annotations

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

SHIFT = 8.0
"""Where the series takes over."""
_LOG_GAMMA = (
    0.08333333333333025,
    -0.0027777777679754674,
    0.0007936457350454279,
    -0.0005943194163658553,
    0.0007727064111625457,
)
_DIGAMMA = (
    0.0833333333333006,
    -0.008333333228054142,
    0.003968199550401125,
    -0.0041567576840739594,
    0.006827197748081758,
)


def log_gamma_ratio(counts: Floats, r: Floats) -> Floats:
    """log Gamma(y + r) - log Gamma(r).

    Args:
        counts: Samples x genes.
        r: Per gene, positive.
    """
    x = counts + r
    z = x + SHIFT
    base = r + SHIFT
    value = _stirling(z, _LOG_GAMMA)
    value -= _stirling(base, _LOG_GAMMA)
    value += (z - 0.5) * np.log1p(counts / base)
    value += counts * (np.log(base) - 1.0)
    value -= np.log(_rising(x) / _rising(r))
    return value


def log_gamma_ratio_and_slope(counts: Floats, r: Floats) -> tuple[Floats, Floats]:
    """:func:`log_gamma_ratio` and its derivative in r, digamma(y + r) - digamma(r)."""
    grown, value, slope = log_gamma_parts(counts, r)
    base = r + SHIFT
    value += (counts + base - 0.5) * grown
    value += counts * (np.log(base) - 1.0)
    slope += grown
    slope += slope_at_no_count(r)
    return value, slope


def log_gamma_parts(counts: Floats, r: Floats) -> tuple[Floats, Floats, Floats]:
    """What of :func:`log_gamma_ratio_and_slope` differs from count to count beyond simple products.

    Returns:
        grown: log(1 + y / (r + 8)). value: the ratio less (y + r + 7.5) grown and less y (log(r + 8) - 1). slope: the
        derivative less grown and less :func:`slope_at_no_count`.
    """
    base = r + SHIFT
    inverse_base = 1.0 / base
    inverse = counts + base
    np.divide(1.0, inverse, out=inverse)
    square = inverse * inverse
    value = _series(square, _LOG_GAMMA)
    value *= inverse
    value -= _series(inverse_base * inverse_base, _LOG_GAMMA) * inverse_base
    slope = _series(square, _DIGAMMA)
    slope *= square
    inverse *= 0.5
    slope += inverse
    x = counts + r
    rising, rate = _rising_and_rate(x)
    slope += rate
    np.negative(slope, out=slope)
    rising /= _rising(r)
    value -= np.log(rising, out=rising)
    np.multiply(counts, inverse_base, out=x)
    return np.log1p(x, out=x), value, slope


def slope_at_no_count(r: Floats) -> Floats:
    """log(r + 8) - digamma(r), without cancellation: what :func:`log_gamma_parts` leaves out of the slope, per gene."""
    inverse = 1.0 / (r + SHIFT)
    square = inverse * inverse
    return np.asarray(_series(square, _DIGAMMA) * square + 0.5 * inverse + _rising_and_rate(r)[1])


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
    t = x + 7.0
    t *= x
    made = t + 6.0
    made *= t
    rate = t + 3.0
    rate *= 2.0
    t += 11.0
    rest = t * t
    rest -= 1.0
    rate *= rest
    t *= 2.0
    t *= made
    rate += t
    np.multiply(x, 2.0, out=t)
    t += 7.0
    rate *= t
    made *= rest
    rate /= made
    return made, rate
