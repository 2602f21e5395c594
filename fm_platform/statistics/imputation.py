"""Filling the holes of a panel under an assumption that has a name.

Belongs here: what a missing value is taken to be. Does not belong here: tests. None of these fillings enters
a primary analysis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from fm_platform.statistics.integers import Ints
from fm_platform.statistics.panel import Panel


@dataclass(frozen=True)
class Range:
    """The scale of an outcome and which end of it is the good one."""

    low: Fraction
    high: Fraction
    better: Literal["lower", "higher"]

    @property
    def best(self) -> Fraction:
        """The best value there is."""
        return self.low if self.better == "lower" else self.high

    @property
    def worst(self) -> Fraction:
        """The worst value there is."""
        return self.high if self.better == "lower" else self.low


@dataclass(frozen=True)
class Filled:
    """Pairs of baseline and later values, some of them filled in.

    Attributes:
        base: Baseline values times ``scale``; ``post`` likewise.
        n_imputed: Subjects with a value filled in.
    """

    base: Ints
    post: Ints
    scale: int
    n_imputed: int


Fill = Callable[[Panel, int, Range], Filled]


def complete_pairs(panel: Panel, visit: int, scale: Range) -> Filled:
    """Subjects with both values; nothing is filled in."""
    del scale
    has = panel.known[:, panel.baseline] & panel.known[:, visit]
    return Filled(panel.values[has, panel.baseline], panel.values[has, visit], panel.scale, 0)


def baseline_carried(panel: Panel, visit: int, scale: Range) -> Filled:
    """Baseline observation carried forward: a missing later value is taken to be the baseline's."""
    del scale
    has, later = panel.known[:, panel.baseline], panel.known[:, visit]
    base = panel.values[has, panel.baseline]
    post = np.where(later, panel.values[:, visit], panel.values[:, panel.baseline])[has]
    return Filled(base, post, panel.scale, int((has & ~later).sum()))


def last_carried(panel: Panel, visit: int, scale: Range) -> Filled:
    """Last observation carried forward, from the latest earlier visit with a value."""
    del scale
    has = panel.known[:, panel.baseline]
    last = np.full(len(panel.subjects), panel.baseline)
    for at in range(visit + 1):
        last = np.where(panel.known[:, at], at, last)
    everyone = np.arange(len(panel.subjects))
    return Filled(
        panel.values[has, panel.baseline],
        panel.values[everyone, last][has],
        panel.scale,
        int((has & (last != visit)).sum()),
    )


def most_favourable(panel: Panel, visit: int, scale: Range) -> Filled:
    """Every missing value as favourable as the scale allows: worst at baseline, best later."""
    return _bounded(panel, visit, at_baseline=scale.worst, later=scale.best)


def least_favourable(panel: Panel, visit: int, scale: Range) -> Filled:
    """Every missing value as unfavourable as the scale allows: best at baseline, worst later."""
    return _bounded(panel, visit, at_baseline=scale.best, later=scale.worst)


def _bounded(panel: Panel, visit: int, *, at_baseline: Fraction, later: Fraction) -> Filled:
    common = math.lcm(panel.scale, at_baseline.denominator, later.denominator)
    factor = common // panel.scale
    columns = []
    for at, end in ((panel.baseline, at_baseline), (visit, later)):
        columns.append(np.where(panel.known[:, at], panel.values[:, at] * factor, int(end * common)))
    holes = ~panel.known[:, panel.baseline] | ~panel.known[:, visit]
    return Filled(columns[0], columns[1], common, int(holes.sum()))
