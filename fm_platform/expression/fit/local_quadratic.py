"""A smooth curve by local quadratic regression: Loader's locfit with its default settings.

Belongs here: the curve through weighted points of one variable, its places of fitting and what lies between and
beyond them (Loader 1999, "Local Regression and Likelihood", chapters 2 and 12). Does not belong here: what is
smoothed.

A quadratic of all points is the coarse curve. What it leaves is fitted at the corners of cells, with tricube weights
over the nearest 70 % of the points: the range is halved until no cell is wider than 0.8 of the smaller bandwidth at
its ends. Within a cell stands the cubic with the values and slopes of its ends, outside the range a straight line,
both on top of the coarse curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

_SPAN = 0.7
_WIDEST_CELL = 0.8
_SMALLEST_CELL = 2.0**-17
"""Of the range: cells beside a clump of equal points could be halved for ever (locfit stops with an error)."""
_LEAST_EIGENVALUE = 1e-8
"""Of the scaled normal equations, beside the largest: smaller ones do not divide the step."""
_SMALL_ANGLE = 1e-15
_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class LocalCurve:
    """The fitted curve.

    Attributes:
        corners: Places of fitting, increasing.
        heights: What the coarse curve leaves there.
        slopes: Its slope there.
        centre: Where the coarse curve is developed.
        coarse: Its value, slope and second derivative at the centre.
    """

    corners: Floats
    heights: Floats
    slopes: Floats
    centre: float
    coarse: Floats

    def __call__(self, at: Floats) -> Floats:
        """The curve's values; NaN where ``at`` is."""
        t = at - self.centre
        coarse = self.coarse[0] + t * (self.coarse[1] + 0.5 * t * self.coarse[2])
        if len(self.corners) == 1:
            return np.asarray(coarse + self.heights[0], dtype=np.float64)
        cell = np.clip(np.searchsorted(self.corners, at, side="right") - 1, 0, len(self.corners) - 2)
        begin, length = self.corners[cell], self.corners[cell + 1] - self.corners[cell]
        s = np.clip((at - begin) / length, 0.0, 1.0)
        fine = s * s * (3.0 - 2.0 * s) * (self.heights[cell + 1] - self.heights[cell]) + self.heights[cell]
        fine += length * s * (1.0 - s) * ((1.0 - s) * self.slopes[cell] - s * self.slopes[cell + 1])
        fine += np.minimum(at - self.corners[0], 0.0) * self.slopes[0]
        fine += np.maximum(at - self.corners[-1], 0.0) * self.slopes[-1]
        return np.asarray(coarse + fine, dtype=np.float64)


@dataclass(frozen=True)
class _Corner:
    at: float
    height: float
    slope: float
    bandwidth: float


def fit_local(x: Floats, y: Floats, weights: Floats) -> LocalCurve:
    """Fit the curve.

    Args:
        x: At least one value, increasing; ties are allowed.
        y: One value each.
        weights: Of the points, positive.
    """
    centre = float((weights * x).sum() / weights.sum())
    coarse = _quadratic(x - centre, y, weights)

    def corner(at: float) -> _Corner:
        away = np.abs(x - at)
        reach = int(_SPAN * len(x) + 1e-12)
        bandwidth = float(np.partition(away, reach - 1)[reach - 1]) if reach else 0.0
        near = away < bandwidth if bandwidth > 0 else away == 0
        t = at - centre
        if not near.any():
            return _Corner(at, 0.0, 0.0, bandwidth)
        kernel = (1.0 - (away[near] / bandwidth) ** 3) ** 3 if bandwidth > 0 else 1.0
        value, slope, _ = _quadratic(x[near] - at, y[near], kernel * weights[near])
        value -= coarse[0] + t * (coarse[1] + 0.5 * t * coarse[2])
        return _Corner(at, float(value), float(slope - coarse[1] - t * coarse[2]), bandwidth)

    ends = [corner(float(at)) for at in dict.fromkeys((x[0], x[-1]))]
    corners = ends
    while True:
        halves = [
            corner((left.at + right.at) / 2) if _too_wide(left, right, x[-1] - x[0]) else None
            for left, right in pairwise(corners)
        ]
        if not any(halves):
            break
        together = [found for pair in zip(corners, [*halves, None], strict=True) for found in pair]
        corners = [found for found in together if found is not None]
    return LocalCurve(
        np.array([found.at for found in corners]),
        np.array([found.height for found in corners]),
        np.array([found.slope for found in corners]),
        centre,
        coarse,
    )


def _too_wide(left: _Corner, right: _Corner, reach: float) -> bool:
    """Whether a cell is to be halved; without a bandwidth it is measured by the whole range."""
    widths = [end.bandwidth for end in (left, right) if end.bandwidth > 0]
    allowed = max(_WIDEST_CELL * (min(widths) if widths else 0.5 * reach), _SMALLEST_CELL * reach)
    return bool(right.at - left.at > allowed)


def _quadratic(t: Floats, y: Floats, weights: Floats) -> Floats:
    """Value, slope and second derivative at 0 of the weighted least-squares quadratic.

    One Newton step from the weighted mean of ``y``, through the eigenvectors of the normal equations scaled to a unit
    diagonal, so that points which determine no quadratic give a step all the same.
    """
    basis = np.stack([np.ones(len(t)), t, 0.5 * t * t])
    begin = float((weights * y).sum() / weights.sum())
    normal = (basis * weights) @ basis.T
    size = np.diag(normal)
    scale = np.where(size > 0, 1.0 / np.sqrt(np.where(size > 0, size, 1.0)), 0.0)
    values, vectors = _eigen(normal * scale * scale[:, None])
    step = vectors.T @ (scale * (basis @ (weights * (y - begin))))
    large = values > _LEAST_EIGENVALUE * values.max()
    step = np.where(large, step / np.where(large, values, 1.0), step)
    return np.asarray(scale * (vectors @ step) + np.array([begin, 0.0, 0.0]), dtype=np.float64)


def _eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and vectors by Jacobi's rotations, which end where locfit's do: it shows near singular matrices."""
    left, vectors = matrix.copy(), np.eye(len(matrix))
    for _ in range(_SWEEPS):
        turned = False
        for i, j in combinations(range(len(matrix)), 2):
            if left[i, j] ** 2 <= _SMALL_ANGLE * abs(left[i, i] * left[j, j]):
                continue
            half, away = (left[j, j] - left[i, i]) / 2, -left[i, j]
            cosine = half / math.hypot(half, away)
            turn = math.sqrt((1 + cosine) / 2), math.copysign(math.sqrt((1 - cosine) / 2), away)
            rotation = np.array([[turn[0], -turn[1]], [turn[1], turn[0]]])
            pair = [i, j]
            left[pair] = rotation.T @ left[pair]
            left[:, pair] = left[:, pair] @ rotation
            left[i, j] = left[j, i] = 0.0
            vectors[:, pair] = vectors[:, pair] @ rotation
            turned = True
        if not turned:
            break
    return np.diag(left).copy(), vectors
