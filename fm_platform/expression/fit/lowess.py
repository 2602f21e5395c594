"""Cleveland's lowess: local lines, tricube weights, robust rounds.

Belongs here: the smoother as Cleveland (1979, doi 10.1080/01621459.1979.10481038) defines it, with the
details of his published routine that change answers: weights are 1 within 0.001 and 0 beyond 0.999 of the
bandwidth, nearby points are interpolated, robustness stops when residuals vanish. Does not belong here: what
is smoothed.
"""

from __future__ import annotations

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats


def lowess(x: Floats, y: Floats, *, fraction: float, rounds: int = 3) -> Floats:
    """Smoothed values at x.

    Args:
        x: Increasing.
        y: One value each.
        fraction: Share of the points in each local fit.
        rounds: Robustness rounds after the first fit.
    """
    n = len(x)
    near = max(min(int(fraction * n + 1e-7), n), 2)
    delta = 0.01 * (x[-1] - x[0])
    robust = np.ones(n)
    smooth = np.zeros(n)
    for round_number in range(rounds + 1):
        smooth = _pass(x, y, near, delta, robust, weighted=round_number > 0)
        if round_number == rounds:
            break
        residuals = np.abs(y - smooth)
        scale = residuals.sum() / n
        middle = np.sort(residuals)
        half = n // 2
        spread = 3.0 * (middle[half - 1] + middle[half]) if n % 2 == 0 else 6.0 * middle[half]
        if spread < 1e-7 * scale:
            break
        ratio = residuals / spread
        robust = np.where(ratio <= 0.001, 1.0, np.where(ratio <= 0.999, (1.0 - ratio**2) ** 2, 0.0))
    return smooth


def _pass(x: Floats, y: Floats, near: int, delta: float, robust: Floats, *, weighted: bool) -> Floats:
    """One sweep from left to right; points within ``delta`` of the last fitted one are interpolated."""
    n = len(x)
    smooth = np.zeros(n)
    left, right = 0, near - 1
    last, i = -1, 0
    while True:
        if right < n - 1 and x[i] - x[left] > x[right + 1] - x[i]:
            left, right = left + 1, right + 1
            continue
        fitted = _local_line(x, y, x[i], left, right, robust, weighted=weighted)
        smooth[i] = y[i] if fitted is None else fitted
        if last < i - 1:
            share = (x[last + 1 : i] - x[last]) / (x[i] - x[last])
            smooth[last + 1 : i] = share * smooth[i] + (1.0 - share) * smooth[last]
        last = i
        cut = x[last] + delta
        i = last + 1
        while i < n and x[i] <= cut:
            if x[i] == x[last]:
                smooth[i] = smooth[last]
                last = i
            i += 1
        i = max(last + 1, i - 1)
        if last >= n - 1:
            return smooth


def _local_line(
    x: Floats, y: Floats, at: float, left: int, right: int, robust: Floats, *, weighted: bool
) -> float | None:
    """The weighted line through the neighbours, at one place; None when all weights are 0."""
    width = max(at - x[left], x[right] - at)
    end = right
    while end + 1 < len(x) and abs(x[end + 1] - at) <= 0.999 * width:
        end += 1
    points = slice(left, end + 1)
    away = np.abs(x[points] - at)
    weights = np.where(
        away <= 0.999 * width, np.where(away > 0.001 * width, (1.0 - (away / width) ** 3) ** 3, 1.0), 0.0
    )
    if weighted:
        weights = weights * robust[points]
    total = weights.sum()
    if total <= 0:
        return None
    weights = weights / total
    if width > 0:
        centre = float((weights * x[points]).sum())
        spread = float((weights * (x[points] - centre) ** 2).sum())
        if np.sqrt(spread) > 0.001 * (x[-1] - x[0]):
            weights = weights * (1.0 + (at - centre) / spread * (x[points] - centre))
    return float((weights * y[points]).sum())
