"""How many patients a two-arm trial needs, and what a paired series of a size can detect.

Belongs here: closed forms and the power of the exact signed-rank test. Does not belong here: which effects a
study looks at (``planning``). All tests are two-sided.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from fm_platform.statistics.null_distribution import lower_tail

ALPHA = 0.05
RANK_EFFICIENCY = 3 / math.pi
"""Asymptotic relative efficiency of rank tests for normal data."""
SIMULATIONS, SEED = 20_000, 20230621
MOST_SIMULATED = 200


def two_proportions(first: float, second: float, power: float, alpha: float = ALPHA) -> int:
    """Patients an arm to tell two rates apart: normal approximation, pooled variance under the null."""
    z_alpha, z_beta = _z(1 - alpha / 2), _z(power)
    mean = (first + second) / 2
    under_null = z_alpha * math.sqrt(2 * mean * (1 - mean))
    otherwise = z_beta * math.sqrt(first * (1 - first) + second * (1 - second))
    return math.ceil(((under_null + otherwise) / (first - second)) ** 2 - 1e-9)


def two_means(effect: float, sd: float, power: float, alpha: float = ALPHA) -> int:
    """Patients an arm for a t test: normal approximation plus z^2/4 (Guenther 1981)."""
    z_alpha, z_beta = _z(1 - alpha / 2), _z(power)
    return math.ceil(2 * ((z_alpha + z_beta) * sd / effect) ** 2 + z_alpha**2 / 4 - 1e-9)


def rank_test(effect: float, sd: float, power: float, alpha: float = ALPHA) -> int:
    """Patients an arm for the rank-sum test, by its efficiency for normal data."""
    return math.ceil(two_means(effect, sd, power, alpha) / RANK_EFFICIENCY - 1e-9)


def ancova(effect: float, sd: float, correlation: float, power: float, alpha: float = ALPHA) -> int:
    """Patients an arm when the later value is adjusted for baseline (Borm 2007)."""
    return math.ceil(two_means(effect, sd, power, alpha) * (1 - correlation**2) - 1e-9)


def with_dropout(n: int, dropout: float) -> int:
    """Patients to enrol so that ``n`` remain."""
    return math.ceil(n / (1 - dropout) - 1e-9)


def sd_interval(sd: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Where the true standard deviation of normal data lies, by chi-square."""
    from scipy.special import chdtri

    tail = (1 - level) / 2
    return tuple(sd * math.sqrt((n - 1) / float(chdtri(n - 1, p))) for p in (tail, 1 - tail))  # type: ignore[return-value]


@lru_cache(maxsize=256)
def signed_rank_power(n: int, effect: float, alpha: float = ALPHA) -> float:
    """Power of the exact signed-rank test for n normal changes of mean ``effect`` standard deviations.

    From ``SIMULATIONS`` data sets of a fixed seed: the second decimal can be trusted.
    """
    critical = _critical(n, alpha)
    if critical < 0:
        return 0.0
    changes = np.random.default_rng(SEED).standard_normal((SIMULATIONS, n)) + effect
    ranks = np.abs(changes).argsort(axis=1).argsort(axis=1) + 1
    plus = (ranks * (changes > 0)).sum(axis=1)
    least = np.minimum(plus, n * (n + 1) // 2 - plus)
    return float((least <= critical).mean())


def _critical(n: int, alpha: float) -> int:
    """The largest rank sum that is significant; -1 where none is."""
    ranks = np.arange(1, n + 1, dtype=np.int64)
    half = Fraction(alpha) / 2
    low, high = -1, n * (n + 1) // 4 + 1
    while high - low > 1:
        middle = (low + high) // 2
        if lower_tail(ranks, middle).probability <= half:
            low = middle
        else:
            high = middle
    return low


def _z(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
