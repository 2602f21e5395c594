"""The tail of a sum of many independent yes-or-no ranks, by inverting its characteristic function.

Belongs here: P(a random subset of the ranks has at most a given sum), in doubles. Does not belong here: counting
subsets, normal approximations.

The sum W lives on whole numbers, so that a discrete Fourier transform of its characteristic function gives its
probabilities without discretization error. Three things make it fast and keep it exact in double precision:

* Exponential tilting. Each rank r is taken with probability 1 / (1 + exp(-tilt r)) instead of one half, with
  the tilt at which the mean of W is w. Far tails then keep their relative accuracy, because the sum that is
  inverted is of the order of one (Daniels 1954, doi 10.1214/aoms/1177728652, uses the same tilt).
* Wrapping. Bernstein's inequality gives the half width beyond which W lies with a probability below
  exp(-NEGLIGIBLE); a transform of twice that length is enough.
* Skipping. With v the variance of one choice, |phi(t)| <= exp(-sum v (1 - cos rt)), and that sum is one
  transform of the histogram of the ranks. Only frequencies near which the bound exceeds exp(-NEGLIGIBLE) are
  evaluated: some dozens out of hundreds of thousands.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

NEGLIGIBLE = 44.0
"""exp(-44) is 7.8e-20, of which a few hundred thousand still vanish beside 1."""
MOST_EVALUATED = 200_000
"""Above this many frequencies times ranks, counting is as fast."""

GRID = 1 << 16
"""Points of the coarse grid."""

Ranks = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def tail_by_inversion(ranks: Ranks, w: int) -> float | None:
    """P(the sum of a random subset of ranks is at most w), each rank in or out with probability one half.

    Args:
        ranks: Positive whole numbers without a common divisor.
        w: The bound, from 1 to half of the sum of all ranks.

    Returns:
        The probability; its relative error stays below 1e-11, its absolute error below 1e-12. None where the
        characteristic function falls off too slowly for this to pay (few ranks, or w close to 0).
    """
    sizes, times = np.unique(ranks, return_counts=True)
    tilt = _tilt(sizes, times, w)
    chosen = _chosen(tilt, sizes)
    spread = times * chosen * (1 - chosen)
    length = _length(sizes, spread, int(ranks.sum()))
    frequencies = _frequencies(sizes, spread, length)
    if len(frequencies) * len(sizes) > MOST_EVALUATED:
        return None
    angles = 2 * math.pi * frequencies / length
    # phi(t) exp(-itw), each rank turned about its own mean, so that the factors stay close to one.
    turns = np.outer(angles, sizes)
    factors = (1 - chosen) * np.exp(-1j * turns * chosen) + chosen * np.exp(1j * turns * (1 - chosen))
    mean = float((times * chosen * sizes).sum())
    phi = np.exp(np.log(factors) @ times + 1j * angles * (mean - w))
    # The geometric sum of exp((tilt + it) j) over the wrapped places j = 0, 1, ... at and below w.
    places = w - (math.floor(mean) - length // 2) + 1
    step = tilt + 1j * angles
    still = step == 0
    kernel = np.where(still, places, np.expm1(step * places) / np.where(still, 1, np.expm1(step)))
    halved = np.where((frequencies == 0) | (2 * frequencies == length), 1.0, 2.0)
    total = float((halved * (phi * kernel).real).sum()) / length
    weight = float((times * (np.logaddexp(0, tilt * sizes) - math.log(2))).sum()) - tilt * w
    return min(1.0, max(0.0, total) * math.exp(weight))


def _tilt(sizes: Ranks, times: Ranks, w: int) -> float:
    """The tilt, at most 0, at which the mean of W is w; found by bisection."""
    low, high = -64.0, 0.0
    if 2 * w >= int((sizes * times).sum()):
        return high
    for _ in range(60):
        middle = (low + high) / 2
        if float((times * sizes * _chosen(middle, sizes)).sum()) < w:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _chosen(tilt: float, sizes: Ranks) -> Floats:
    """How probable it is to take each rank."""
    return np.asarray(1 / (1 + np.exp(np.minimum(-tilt * sizes, 700.0))))


def _length(sizes: Ranks, spread: Floats, total: int) -> int:
    """Length of the transform: all of W, or twice the half width that W practically never leaves.

    Rounded up to a length with small prime factors.
    """
    largest, variance = float(sizes[-1]), float((spread * sizes.astype(float) ** 2).sum())
    slope = NEGLIGIBLE * largest / 3
    half = slope + math.sqrt(slope**2 + 2 * NEGLIGIBLE * variance)
    enough = min(total + 1, 2 * math.ceil(half) + 2)
    bits = max(0, enough.bit_length() - 3)
    return next(few << bits for few in (4, 5, 6, 7, 8) if few << bits >= enough)


def _frequencies(sizes: Ranks, spread: Floats, length: int) -> Ranks:
    """The frequencies at which the characteristic function may be more than negligible.

    Looked for on a coarse grid first: the exponent of the bound changes by at most sum v r for each unit of t.
    """
    half, grid = length // 2, min(length, GRID)
    histogram = np.bincount(sizes % grid, weights=spread, minlength=grid)
    exponent = float(spread.sum()) - np.fft.rfft(histogram).real
    slack = 0.0 if grid == length else float((spread * sizes).sum()) * math.pi / grid
    near = np.flatnonzero(exponent < NEGLIGIBLE + slack)
    if grid == length:
        return near.astype(np.int64)
    each = math.ceil(length / grid) + 1
    first = np.floor((near - 0.5) * (length / grid)).astype(np.int64)
    found = np.unique((first[:, None] + np.arange(each + 1)).ravel())
    return found[(found >= 0) & (found <= half)]
