"""A linear mixed model of one outcome: fixed visits, a random intercept a subject, REML, Satterthwaite's df.

Belongs here: the fit and its contrasts with baseline. Does not belong here: which rows it becomes
(``sensitivity``). With V = s (I + r J) for each subject (s the residual variance, r the ratio of the
intercepts' variance to it) everything depends on r alone, through sums over subjects with equally many
values, so that the fit is a search along one line whatever the number of subjects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_platform.statistics.integers import Ints
from fm_platform.statistics.panel import Bools

LEVEL = 0.95
_LARGEST_SHARE = 1 - 2.0**-24
_STEPS = 128
Floats = npt.NDArray[np.float64]


class NoFit(Exception):
    """The model has no estimate for these data; the text says why."""


@dataclass(frozen=True)
class Contrast:
    """One visit against baseline.

    Attributes:
        estimate: Estimated mean change, in the values' units; ``low`` and ``high`` enclose it at ``LEVEL``.
        error: Its standard error.
        df: Satterthwaite's degrees of freedom.
        p_value: Two-sided, of Student's t.
    """

    estimate: float
    error: float
    df: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        contrasts: One a column of the values; None at baseline and where nobody has a value.
        residual_variance: Within subjects, in squared units.
        intercept_variance: Between subjects; 0 where it is estimated at the edge.
    """

    contrasts: tuple[Contrast | None, ...]
    residual_variance: float
    intercept_variance: float


def fit_mixed_model(values: Ints, known: Bools, baseline: int, scale: int = 1) -> Fit:
    """Fit by restricted maximum likelihood (Patterson & Thompson 1971, doi 10.1093/biomet/58.3.545).

    The degrees of freedom are those of lmerTest (Kuznetsova et al. 2017, doi 10.18637/jss.v082.i13), from the
    observed information of both variances. In complete data with a positive intercept variance the model is
    the analysis of variance of subjects and visits; at an intercept variance of 0 it is least squares.

    Args:
        values: Whole numbers, shape (subjects, visits); read where known.
        known: Same shape; every subject has a baseline and another value.
        baseline: The column of the baseline.
        scale: What the values are to be divided by.

    Raises:
        NoFit: All changes at each visit are the same, or the likelihood has no maximum that can be told.
    """
    held: Bools = np.asarray(known.any(axis=0))
    changes = values - values[:, [baseline]]
    if all(len(np.unique(changes[known[:, at], at])) == 1 for at in np.flatnonzero(held)):
        raise NoFit("the changes at each visit are the same for every subject")
    sums = _Sums.of(values[:, held], known[:, held])
    at = _at_optimum(sums)
    place = int(held[:baseline].sum())
    found = iter(_contrasts(at, place, scale))
    contrasts = tuple(next(found) if has else None for has in held)
    squared = at.variance / scale**2
    return Fit(contrasts, squared, squared * at.ratio)


@dataclass(frozen=True)
class _Sums:
    """What the likelihood needs of the data, over subjects with 1, 2, ... values.

    Attributes:
        size: How many values such a subject has; ``subjects`` how many subjects they are.
        pairs: How often two visits are held together, shape (sizes, visits, visits).
        totals: Sum of subjects' totals over those that hold a visit, shape (sizes, visits).
        squares: Sum of squared totals.
        held: Values a visit; ``own`` their sums; ``square`` the sum of all squares.
    """

    size: Floats
    subjects: Floats
    pairs: Floats
    totals: Floats
    squares: Floats
    held: Floats
    own: Floats
    square: float

    @staticmethod
    def of(values: Ints, known: Bools) -> _Sums:
        """Summed as whole numbers, so that the order of subjects does not matter."""
        centred = np.where(known, values - int(values[known].sum()) // int(known.sum()), 0)
        most = int(np.abs(centred).max()) * known.shape[1]
        y = centred if most**2 * len(known) < 2**62 else centred.astype(object)
        total, count, here = y.sum(axis=1), known.sum(axis=1), known.astype(np.int64)
        groups: list[Sequence[Any]] = []
        for size in np.unique(count):
            k, t = here[count == size], total[count == size]
            groups.append((size, len(k), k.T @ k, (k * t[:, None]).sum(axis=0), (t * t).sum()))
        size, subjects, pairs, totals, squares = (
            np.array(part, dtype=float) for part in zip(*groups, strict=True)
        )
        return _Sums(
            size,
            subjects,
            pairs,
            totals,
            squares,
            here.sum(axis=0).astype(float),
            y.sum(axis=0).astype(float),
            float((y * y).sum()),
        )


@dataclass(frozen=True)
class _At:
    """The likelihood at one ratio, with its first and second derivatives there.

    Attributes:
        ratio: Variance of the intercepts over that of the residuals.
        inverse: Of X'WX, shape (visits, visits); ``slope`` is the derivative of X'WX.
        means: Generalised least-squares means of the visits, about the centre.
        df: Values less visits.
        fitted: Weighted residual sum of squares, with derivatives; ``rest`` the log determinants, likewise.
    """

    ratio: float
    inverse: Floats
    slope: Floats
    means: Floats
    df: int
    fitted: tuple[float, float, float]
    rest: tuple[float, float, float]

    @property
    def variance(self) -> float:
        """REML's residual variance."""
        return self.fitted[0] / self.df

    @property
    def deviance(self) -> float:
        """-2 log restricted likelihood, less a constant, the residual variance profiled out."""
        return self.rest[0] + self.df * math.log(self.fitted[0])

    @property
    def gradient(self) -> float:
        """Its derivative by the ratio."""
        return self.rest[1] + self.df * self.fitted[1] / self.fitted[0]


def _at(sums: _Sums, ratio: float) -> _At:
    """Weights of a subject with n values are I - w J, w = r / (1 + n r)."""
    grown = 1 + sums.size * ratio
    w, w1, w2 = ratio / grown, grown**-2.0, -2 * sums.size * grown**-3.0
    m = np.diag(sums.held) - np.tensordot(w, sums.pairs, 1)
    m1, m2 = -np.tensordot(w1, sums.pairs, 1), -np.tensordot(w2, sums.pairs, 1)
    b, b1, b2 = sums.own - w @ sums.totals, -(w1 @ sums.totals), -(w2 @ sums.totals)
    inverse: Floats = np.asarray(np.linalg.inv(m), dtype=np.float64)
    means = inverse @ b
    moved = inverse @ (b1 - m1 @ means)
    turned = inverse @ m1
    q = sums.square - w @ sums.squares - b @ means
    q1 = -(w1 @ sums.squares) - 2 * b1 @ means + means @ m1 @ means
    q2 = -(w2 @ sums.squares) - 2 * (b2 @ means + b1 @ moved) + 2 * moved @ m1 @ means + means @ m2 @ means
    f = sums.subjects @ np.log(grown) + np.linalg.slogdet(m)[1]
    f1 = sums.subjects @ (sums.size / grown) + np.trace(turned)
    f2 = -(sums.subjects @ (sums.size / grown) ** 2) + np.trace(inverse @ m2) - np.trace(turned @ turned)
    df = int(sums.held.sum()) - len(m)
    return _At(
        ratio, inverse, m1, means, df, (float(q), float(q1), float(q2)), (float(f), float(f1), float(f2))
    )


def _at_optimum(sums: _Sums) -> _At:
    """The best of a grid over the intercepts' share of the variance, then bisection of the derivative."""

    def at(share: float) -> _At:
        return _at(sums, share / (1 - share))

    grid = [*(step / _STEPS for step in range(_STEPS)), 1 - 2.0**-12, _LARGEST_SHARE]
    try:
        best = min(range(len(grid)), key=lambda place: at(grid[place]).deviance)
        if best == len(grid) - 1:
            raise NoFit("the model did not converge: hardly any variance within subjects")
        low, high = grid[max(best - 1, 0)], grid[best + 1]
        if best == 0 and at(0.0).gradient >= 0:
            return at(0.0)
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if at(middle).gradient < 0 else (low, middle)
        return at(low)
    except (np.linalg.LinAlgError, ValueError) as problem:
        raise NoFit(f"the model did not converge: {problem}") from problem


def _contrasts(at: _At, baseline: int, scale: int) -> list[Contrast | None]:
    """Each visit against baseline, None for baseline itself."""
    from scipy.special import stdtr, stdtrit

    s = at.variance
    information = np.array(
        [[at.rest[2] + at.fitted[2] / s, -at.fitted[1] / s**2], [-at.fitted[1] / s**2, at.df / s**2]]
    )
    if at.ratio and np.linalg.det(information) <= 0:
        raise NoFit("the model did not converge: the likelihood is flat")
    found: list[Contrast | None] = []
    for visit in range(len(at.means)):
        if visit == baseline:
            found.append(None)
            continue
        contrast = np.zeros(len(at.means))
        contrast[[visit, baseline]] = 1.0, -1.0
        u = at.inverse @ contrast
        spread = float(contrast @ u)
        gradient = np.array([-s * float(u @ at.slope @ u), spread])
        df = float(at.df)
        if at.ratio:
            df = float((s * spread) ** 2 / (gradient @ np.linalg.solve(information, gradient)))
        change, error = float(contrast @ at.means), math.sqrt(s * spread)
        half = float(stdtrit(df, (1 + LEVEL) / 2)) * error
        found.append(
            Contrast(
                estimate=change / scale,
                error=error / scale,
                df=df,
                low=(change - half) / scale,
                high=(change + half) / scale,
                p_value=float(2 * stdtr(df, -abs(change) / error)),
            )
        )
    return found
