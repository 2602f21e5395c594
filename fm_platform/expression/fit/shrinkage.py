"""Shrunken fold changes: the posterior mode under a Cauchy prior (apeGLM).

Belongs here: the scale of the prior and the search for the mode, for one coefficient (Zhu, Ibrahim and Love 2019, doi
10.1093/bioinformatics/bty895). Does not belong here: the posterior (``posterior``); tests, whose p-values stay.

R's search starts at (0.1, -0.1, 0.1, ...) whatever the data, and ends early: its fold changes are up to a few
thousandths of themselves away from the mode. ``r_compat`` takes the same steps, ``exact`` goes to the mode.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.blocks import Columns
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.model import Model
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.posterior import Posterior
from fm_platform.expression.fit.quasi_newton import minimise
from fm_platform.expression.fit.root import R_TOLERANCE, brent
from fm_platform.expression.fit.stages import Setting

R_GAIN = 1e-7
"""R's search ends at a step that gains no more than this share of what the objective is with all coefficients 0."""

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
    """Modes and standard deviations.

    Args:
        counts: Samples x genes.
        own: Normalization factors or None.
        beta: Maximum-likelihood coefficients, columns x genes.
        dispersion: Per gene.
        setting: The design, and whether the mode itself is wanted (``exact``) or where R's search ends.
        column: The coefficient that is shrunk.
        scale: Of its prior.

    Returns:
        mode, sd: Of the coefficient, natural logarithms. beta: All coefficients at the mode.
    """
    counts = np.ascontiguousarray(counts, dtype=np.float64)
    posterior = Posterior(setting.normal, counts, setting.factors(own), dispersion, column, scale)
    if setting.exact:
        best = _best_mode(posterior, beta)
    else:
        begin = np.repeat(0.1 * (-1.0) ** np.arange(len(beta))[:, None], len(dispersion), axis=1)
        best = minimise(posterior, begin, np.maximum(posterior.value_at_zero(), 1.0), R_GAIN)
        lost = np.flatnonzero(~np.isfinite(best).all(axis=0))
        if len(lost):
            best[:, lost] = _best_mode(posterior.take(lost), beta[:, lost])
    unit = np.zeros_like(best)
    unit[column] = 1.0
    variance = setting.normal.solve(setting.normal.factor(posterior.curvature(best)[1]), unit)[column]
    return {"mode": best[column], "sd": np.sqrt(np.abs(variance)), "beta": best}


def _best_mode(posterior: Posterior, beta: Floats) -> Floats:
    """The better of the modes reached from the estimate and from no change."""
    begin = np.clip(np.nan_to_num(beta), -_STEP_LIMIT * 4, _STEP_LIMIT * 4)
    null = begin.copy()
    null[posterior.column] = 0.0
    reached = [_descend(posterior, point) for point in (begin, null)]
    values = [posterior.value(point) for point in reached]
    return np.where(values[1] < values[0], reached[1], reached[0])


def _descend(posterior: Posterior, begin: Floats) -> Floats:
    """Newton steps downhill; where the posterior is not concave, steps of its quadratic bound."""
    beta, normal = begin.copy(), posterior.normal
    live = np.arange(begin.shape[1])
    diagonal = [normal.slot[j, j] for j in range(len(normal.order))]
    for _ in range(_ROUNDS):
        now = beta[:, live]
        value = posterior.value(now)
        slope, true, bound = posterior.curvature(now)
        factor = normal.factor(true)
        convex = (factor[diagonal] > 0).all(axis=0)
        step = np.where(convex, normal.solve(factor, slope), normal.solve(normal.factor(bound), slope))
        step = np.where(np.isfinite(step), step, 0.0)
        length = np.minimum(1.0, _STEP_LIMIT / np.maximum(np.abs(step).max(axis=0), 1e-300))
        for _ in range(40):
            trial = now - length * step
            worse = ~(posterior.value(trial) <= value)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        moved = np.where(worse, 0.0, np.abs(trial - now).max(axis=0))
        beta[:, live] = np.where(worse, now, trial)
        keep = np.flatnonzero(moved > 1e-10)
        if not len(keep):
            break
        live, posterior = live[keep], posterior.take(keep)
    return beta
