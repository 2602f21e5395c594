"""Three searches for the dispersion that maximises an objective.

Belongs here: DESeq2's start-dependent ascent, its grid, and the true optimum. Does not belong here: the
objective (``dispersion``).

The ascent is the rule that DESeq2 documents as its line search: steps along the slope in log dispersion whose
length adapts, accepted by Armijo's condition, ended by the first accepted gain below 1e-6. It stops where it
stops; many of its answers are not optima, and agreeing with DESeq2 means stopping at the same place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.dispersion import MIN_DISPERSION, Objective
from fm_platform.expression.fit.gene_arrays import Floats

MAX_STEPS = 100
GAIN = 1e-6
ARMIJO = 1e-4
_LOWEST, _HIGHEST = -30.0, 10.0
_GRID = 20
_SCAN = 48
_HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where the ascent ended, per gene.

    Attributes:
        log_alpha: The estimate.
        value: The objective there.
        start_value: The objective at the start.
        steps: Steps tried.
    """

    log_alpha: Floats
    value: Floats
    start_value: Floats
    steps: NDArray[np.int64]


def ascend(objective: Objective, start: Floats) -> Ascent:
    """DESeq2's line search from ``start`` (log dispersions)."""
    n_genes = len(start)
    found, found_value = start.copy(), np.empty(n_genes)
    steps = np.zeros(n_genes, dtype=np.int64)
    live = np.arange(n_genes)
    at = start.copy()
    value, slope = objective.value_and_slope(at)
    start_value = value.copy()
    rate = np.ones(n_genes)
    accepted_steps = np.zeros(n_genes, dtype=np.int64)
    low = math.log(MIN_DISPERSION / 10)
    for _ in range(MAX_STEPS):
        steps[live] += 1
        target = at + rate * slope
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(target < _LOWEST, (_LOWEST - at) / slope, rate)
            rate = np.where(target > _HIGHEST, (_HIGHEST - at) / slope, rate)
        target = at + rate * slope
        new_value, new_slope = objective.value_and_slope(target)
        accepted = new_value >= value + rate * ARMIJO * slope**2
        gain = new_value - value
        at = np.where(accepted, target, at)
        value = np.where(accepted, new_value, value)
        slope = np.where(accepted, new_slope, slope)
        accepted_steps += accepted
        rate = np.where(accepted, np.minimum(rate * 1.1, 1.0), rate / 2)
        rate = np.where(accepted & (accepted_steps % 5 == 0), rate / 2, rate)
        done = accepted & ((gain < GAIN) | (at < low))
        if done.any():
            found[live], found_value[live] = at, value
            keep = np.flatnonzero(~done)
            if not len(keep):
                return Ascent(found, found_value, start_value, steps)
            objective, live = objective.take(keep), live[keep]
            at, value, slope, rate = at[keep], value[keep], slope[keep], rate[keep]
            accepted_steps = accepted_steps[keep]
    found[live], found_value[live] = at, value
    return Ascent(found, found_value, start_value, steps)


def search_grid(objective: Objective, highest: float) -> Floats:
    """The best of 20 log dispersions, refined by 20 more around it: where the ascent did not end."""
    low, high = math.log(MIN_DISPERSION), math.log(highest)
    spacing = (high - low) / (_GRID - 1)
    coarse = _best(objective, [np.full(objective.counts.shape[1], g) for g in np.linspace(low, high, _GRID)])
    return _best(objective, [coarse + shift for shift in np.linspace(-spacing, spacing, _GRID)])


def maximise(objective: Objective, highest: float) -> Floats:
    """The global maximum in log dispersion on the allowed range: a scan, then bisection on the slope."""
    n_genes = objective.counts.shape[1]
    low, high = math.log(MIN_DISPERSION), math.log(highest)
    spacing = (high - low) / (_SCAN - 1)
    best = _best(objective, [np.full(n_genes, point) for point in np.linspace(low, high, _SCAN)])
    left, right = np.maximum(best - spacing, low), np.minimum(best + spacing, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (left + right)
        rising = objective.value_and_slope(middle)[1] > 0
        left, right = np.where(rising, middle, left), np.where(rising, right, middle)
    return _best(objective, [best, left, right])


def _best(objective: Objective, candidates: list[Floats]) -> Floats:
    best, best_value = candidates[0], objective.value(candidates[0])
    for candidate in candidates[1:]:
        value = objective.value(candidate)
        better = value > best_value
        best, best_value = np.where(better, candidate, best), np.where(better, value, best_value)
    return best
