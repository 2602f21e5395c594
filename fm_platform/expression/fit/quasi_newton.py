"""Limited-memory quasi-Newton minimisation of many small problems at once, with the stopping rule of apeglm.

Belongs here: L-BFGS (Liu and Nocedal 1989, doi 10.1007/BF01589116) with backtracking to the strong Wolfe
conditions, one problem per gene. Does not belong here: what is minimised.

The method ends a gene at the first step that gains too little, which is short of the minimum. Agreeing with a tool
that stops there means taking the same steps: six remembered steps, a first step of length 1, trial lengths x 0.5 and
x 2.1, sufficient decrease 1e-4, curvature 0.9.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats, Genes, columns, sum_rows

_REMEMBERED = 6
_MAX_STEPS = 300
_MAX_TRIALS = 100
_SHORTER, _LONGER = 0.5, 2.1
_DECREASE, _CURVATURE = 1e-4, 0.9
_FLAT = 1e-8


class Problem(Protocol):
    """One function of a few coefficients per gene."""

    def value_and_slope(self, at: Floats) -> tuple[Floats, Floats]:
        """Values (per gene) and slopes (coefficients x genes)."""

    def take(self, genes: Genes) -> Problem:
        """The same for some of the genes."""


def minimise(problem: Problem, begin: Floats, scale: Floats, gain: float) -> Floats:
    """Where the method stops, coefficients x genes.

    Args:
        problem: What is minimised.
        begin: Starts, coefficients x genes.
        scale: Positive, per gene: what a gain is measured by.
        gain: A gene ends at the first step that gains no more than this times its scale.
    """
    ended, live = begin.copy(), np.arange(begin.shape[1])
    at = begin.copy()
    value, slope = problem.value_and_slope(at)
    base, base_value, base_slope = at, value, slope
    way = -slope
    length = 1.0 / np.maximum(np.sqrt(_dot(slope, slope)), 1e-300)
    memory = np.zeros((2, _REMEMBERED, *begin.shape))
    steps, trials = np.zeros(len(live), dtype=np.int64), np.zeros(len(live), dtype=np.int64)
    for _ in range(_MAX_STEPS * 4):
        at = base + length * way
        value, slope = problem.value_and_slope(at)
        factor = _change_of_length(value, base_value, length, _dot(slope, way), _dot(base_slope, way))
        trials += 1
        stepped = (factor == 1.0) | (trials >= _MAX_TRIALS)
        steps += stepped
        small = np.sqrt(_dot(slope, slope)) <= _FLAT * scale * np.maximum(1.0, np.sqrt(_dot(at, at)))
        done = stepped & (small | (np.abs(base_value - value) <= gain * scale) | (steps >= _MAX_STEPS))
        ended[:, live[done]] = at[:, done]
        go_on = np.flatnonzero(stepped & ~done)
        if len(go_on):
            memory[:, 1:, :, go_on] = memory[:, :-1, :, go_on]
            memory[0, 0][:, go_on] = at[:, go_on] - base[:, go_on]
            memory[1, 0][:, go_on] = slope[:, go_on] - base_slope[:, go_on]
            way[:, go_on] = _direction(slope[:, go_on], memory[..., go_on])
        length = np.where(stepped, 1.0, length * factor)
        trials[stepped] = 0
        base, base_slope = np.where(stepped, at, base), np.where(stepped, slope, base_slope)
        base_value = np.where(stepped, value, base_value)
        if done.any():
            keep = np.flatnonzero(~done)
            if not len(keep):
                return ended
            problem, live, memory = problem.take(keep), live[keep], np.ascontiguousarray(memory[..., keep])
            base, base_slope, way = columns(base, keep), columns(base_slope, keep), columns(way, keep)
            base_value, length, scale = base_value[keep], length[keep], scale[keep]
            steps, trials = steps[keep], trials[keep]
    ended[:, live] = base
    return ended


def _change_of_length(value: Floats, before: Floats, length: Floats, rate: Floats, first: Floats) -> Floats:
    """What to multiply a trial's length by: 1 where it is accepted."""
    decreased = value <= before + length * _DECREASE * first
    return np.where(
        ~decreased,
        _SHORTER,
        np.where(rate < _CURVATURE * first, _LONGER, np.where(rate > -_CURVATURE * first, _SHORTER, 1.0)),
    )


def _direction(slope: Floats, memory: Floats) -> Floats:
    """The two-loop recursion; steps not yet taken are zeros and change nothing."""
    moves, changes = memory
    way = -slope
    products = [_dot(move, change) for move, change in zip(moves, changes, strict=True)]
    inverse = [
        np.where(product == 0.0, 0.0, 1.0 / np.where(product == 0.0, 1.0, product)) for product in products
    ]
    shares = []
    for move, change, scale in zip(moves, changes, inverse, strict=True):
        share = _dot(move, way) * scale
        shares.append(share)
        way = way - share * change
    way = way * (products[0] / _dot(changes[0], changes[0]))
    for index in reversed(range(len(shares))):
        back = _dot(changes[index], way) * inverse[index]
        way = way + (shares[index] - back) * moves[index]
    return way


def _dot(left: Floats, right: Floats) -> Floats:
    return sum_rows(left * right)
