"""Shrunken fold changes: the posterior mode under a Cauchy prior (apeGLM).

Belongs here: the scale of the prior and the mode with its curvature, for one coefficient (Zhu, Ibrahim and
Love 2019, doi 10.1093/bioinformatics/bty895). Does not belong here: tests; p-values stay those of the test.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.blocks import Columns
from fm_platform.expression.gene_arrays import Floats, columns, sum_rows
from fm_platform.expression.irls import means, of_genes
from fm_platform.expression.model import Model
from fm_platform.expression.normal import Normal
from fm_platform.expression.root import R_TOLERANCE, brent
from fm_platform.expression.stages import Setting

OTHERS_SCALE = 15.0
"""Standard deviation of the normal prior of the other coefficients, natural logarithms."""

_LEAST, _MOST = 1e-6, 400.0
_FINE = 1e-14
_ROUNDS = 300
_STEP_LIMIT = 5.0


def shrink_contrast(
    model: Model,
    counts: NDArray[np.int64],
    live: NDArray[np.int64],
    vector: Floats,
    estimate: Floats,
    se: Floats,
) -> tuple[Floats, Floats]:
    """Shrink a contrast in every gene with reads.

    The design is rewritten so that the contrast is one of its coefficients; that one alone gets the
    heavy-tailed prior.

    Args:
        model: The fit.
        counts: Genes x samples.
        live: The genes with reads.
        vector: Weight of each design column in the contrast.
        estimate: Its maximum-likelihood estimates in these genes, log2.
        se: Their standard errors.

    Returns:
        The posterior modes and standard deviations, log2.
    """
    exact = model.setting.exact
    variance = prior_variance(estimate * math.log(2), se * math.log(2), exact=exact)
    scale = min(math.sqrt(variance), 1.0)
    column = int(np.flatnonzero(vector)[-1])
    design = model.setting.normal.design.copy()
    for other in np.flatnonzero(vector):
        if other != column:
            design[:, other] -= vector[other] / vector[column] * design[:, column]
    design[:, column] /= vector[column]
    beta = model.beta[:, live].copy()
    beta[column] = estimate * math.log(2)
    setting = replace(model.setting, normal=Normal(design))
    own = None if model.own_factors is None else model.own_factors[:, live]
    used = np.ascontiguousarray(counts[live].T)
    made = model.options.workers.run(
        posterior_modes,
        [used, own, beta, model.dispersion[live]],
        len(live),
        len(used),
        setting,
        column,
        scale,
    )
    return made["mode"] / math.log(2), made["sd"] / math.log(2)


def prior_variance(estimates: Floats, errors: Floats, *, exact: bool = False) -> float:
    """Variance of true coefficients: a moment equation in the estimates and their standard errors.

    Args:
        estimates: Natural logarithms.
        errors: Their standard errors.
        exact: Solve it beyond the tolerance of R's ``uniroot``, which is 1e-4.
    """
    known = np.isfinite(estimates) & np.isfinite(errors)
    squares, noise = estimates[known] ** 2, errors[known] ** 2
    order = np.lexsort((noise, squares))
    squares, noise = squares[order], noise[order]
    if not len(squares):
        return 1.0

    def excess(a: float) -> float:
        weights = 1.0 / (2.0 * (a + noise) ** 2)
        return float(((squares - noise) * weights).sum() / weights.sum() - a)

    if excess(_LEAST) < 0:
        return _LEAST
    if excess(_MOST) > 0:
        return _MOST
    return brent(excess, _LEAST, _MOST, _FINE if exact else R_TOLERANCE)


def posterior_modes(
    counts: Floats,
    own: Floats | None,
    beta: Floats,
    dispersion: Floats,
    setting: Setting,
    column: int,
    scale: float,
) -> Columns:
    """The better of the modes reached from the estimate and from no change.

    Returns:
        mode, sd: Of the coefficient, natural logarithms. beta: All coefficients at the mode.
    """
    counts = np.ascontiguousarray(counts, dtype=np.float64)
    factors = setting.factors(own)
    begin = np.clip(np.nan_to_num(beta), -_STEP_LIMIT * 4, _STEP_LIMIT * 4)
    null = begin.copy()
    null[column] = 0.0
    problem = (setting.normal, counts, factors, dispersion)
    reached = [_climb(*problem, point, column, scale) for point in (begin, null)]
    values = [_posterior(*problem, point, column, scale) for point in reached]
    best = np.where(values[1] > values[0], reached[1], reached[0])
    hessian = _hessian(*problem, best, column, scale)[1]
    unit = np.zeros_like(best)
    unit[column] = 1.0
    variance = setting.normal.solve(setting.normal.factor(hessian), unit)[column]
    return {"mode": best[column], "sd": np.sqrt(np.abs(variance)), "beta": best}


def _posterior(
    normal: Normal, counts: Floats, factors: Floats, alpha: Floats, beta: Floats, column: int, scale: float
) -> Floats:
    eta = normal.spread(normal.predict(beta))
    terms = counts * eta - (counts + 1.0 / alpha) * np.log1p(alpha * np.exp(eta) * factors)
    others = sum_rows(beta * beta) - beta[column] ** 2
    prior = -0.5 * others / OTHERS_SCALE**2 - np.log1p((beta[column] / scale) ** 2)
    return np.asarray(sum_rows(terms) + prior, dtype=np.float64)


def _hessian(
    normal: Normal, counts: Floats, factors: Floats, alpha: Floats, beta: Floats, column: int, scale: float
) -> tuple[Floats, Floats, Floats]:
    """Slope, and minus the second derivatives: true ones, and with a bound that is always positive."""
    mu = means(normal, factors, beta, floor=0.0)
    shrunk = 1.0 / (1.0 + alpha * mu)
    slope = normal.project(normal.by_cell((counts - mu) * shrunk))
    slope -= beta / OTHERS_SCALE**2
    own = beta[column]
    spread = scale**2 + own**2
    slope[column] += own / OTHERS_SCALE**2 - 2.0 * own / spread
    curved = normal.gram(normal.by_cell((counts * alpha + 1.0) * mu * shrunk * shrunk))
    bound = normal.add_ridge(curved, 1.0 / OTHERS_SCALE**2)
    place = normal.slot[normal.order.index(column), normal.order.index(column)]
    bound[place] -= 1.0 / OTHERS_SCALE**2
    true = bound.copy()
    true[place] += 2.0 * (scale**2 - own**2) / spread**2
    bound[place] += 2.0 / spread
    return slope, true, bound


def _climb(
    normal: Normal, counts: Floats, factors: Floats, alpha: Floats, begin: Floats, column: int, scale: float
) -> Floats:
    """Newton steps uphill; where the posterior is not concave, steps of its quadratic bound."""
    beta = begin.copy()
    live = np.arange(counts.shape[1])
    diagonal = [normal.slot[j, j] for j in range(len(normal.order))]
    for _ in range(_ROUNDS):
        now = beta[:, live]
        value = _posterior(normal, counts, factors, alpha, now, column, scale)
        slope, true, bound = _hessian(normal, counts, factors, alpha, now, column, scale)
        factor = normal.factor(true)
        concave = (factor[diagonal] > 0).all(axis=0)
        step = np.where(concave, normal.solve(factor, slope), normal.solve(normal.factor(bound), slope))
        step = np.where(np.isfinite(step), step, 0.0)
        length = np.minimum(1.0, _STEP_LIMIT / np.maximum(np.abs(step).max(axis=0), 1e-300))
        for _ in range(40):
            trial = now + length * step
            worse = ~(_posterior(normal, counts, factors, alpha, trial, column, scale) >= value)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        moved = np.where(worse, 0.0, np.abs(trial - now).max(axis=0))
        beta[:, live] = np.where(worse, now, trial)
        keep = np.flatnonzero(moved > 1e-10)
        if not len(keep):
            break
        live, alpha = live[keep], alpha[keep]
        counts, factors = columns(counts, keep), of_genes(factors, keep)
    return beta
