"""Negative-binomial regression with a log link, all genes of a block at once.

Belongs here: starts, iteratively reweighted least squares with DESeq2's ridge, floor and stopping rule, and the
true optimum. Does not belong here: what DESeq2 does where reweighting fails (``bounded_search``), dispersions,
tests. Method: Love 2014, "Generalized linear model"; coefficients are natural logarithms here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.bounded_search import bounded_search
from fm_platform.expression.fit.dispersion import FLOOR_MU
from fm_platform.expression.fit.gene_arrays import Floats, columns, pieces, sum_rows
from fm_platform.expression.fit.normal import Normal

RIDGE = 1e-6 / math.log(2) ** 2
"""DESeq2's 1e-6 on squared log2 coefficients."""

TOLERANCE = 1e-8
MAX_ROUNDS = 100
LARGE_BETA = 30.0
_NEWTON_ROUNDS = 200
_BOUND = 30.0 * math.log(2)
_LEAST_MU = 1e-300
"""What stands for a mean of 0, whose logarithm a count of 0 would be multiplied by."""


@dataclass(frozen=True, eq=False)
class GlmFit:
    """Coefficients of a block of genes.

    Attributes:
        beta: Columns x genes, natural logarithms.
        rounds: Reweighting rounds.
        converged: Whether reweighting ended by itself.
        weighing: Coefficients whose means weigh the last regression, from which DESeq2 takes leverages.
    """

    beta: Floats
    weighing: Floats
    rounds: NDArray[np.int64]
    converged: NDArray[np.bool_]


def start(normal: Normal, normed: Floats) -> Floats:
    """Least squares on log(normalised count + 0.1)."""
    return normal.least_squares(np.log(normed + 0.1))


def fit_glm(normal: Normal, counts: Floats, factors: Floats, alpha: Floats, *, exact: bool = False) -> GlmFit:
    """Fit every gene of a block.

    Args:
        normal: The design.
        counts: Samples x genes.
        factors: Size factors, samples x 1, or normalization factors, samples x genes.
        alpha: Dispersion per gene.
        exact: Take every gene to the optimum of its ridge-penalised likelihood; else genes whose reweighting does
            not settle get the coefficients of DESeq2's second search.
    """
    first = start(normal, counts / factors)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        fit = _reweighted(normal, counts, factors, alpha, first)
    if not exact:
        for gene in np.flatnonzero(~fit.converged).tolist():
            fit.beta[:, gene] = _searched(
                normal,
                counts[:, gene],
                _column(factors, gene),
                alpha[gene],
                fit.beta[:, gene],
                first[:, gene],
            )
        return fit
    usable = np.isfinite(fit.beta).all(axis=0) & (np.abs(fit.beta) < LARGE_BETA).all(axis=0)
    begin = np.where(usable, fit.beta, first)
    best = optimum(normal, counts, factors, alpha, np.ascontiguousarray(begin))
    return replace(fit, beta=best, weighing=best)


def _searched(
    normal: Normal, counts: Floats, factors: Floats, alpha: float, ended: Floats, begin: Floats
) -> Floats:
    each, one = np.ascontiguousarray(counts[:, None]), np.array([alpha])
    fixed = _fixed_likelihood(each, one)

    def likelihood(log_mu: Floats, mu: Floats) -> Floats:
        impossible = ((mu == 0) & (each > 0)).any(axis=0)
        return np.where(impossible, -np.inf, fixed + _moving_likelihood(each, log_mu, one))

    return bounded_search(normal.design, np.log(factors), likelihood, ended, begin)


def _column(factors: Floats, gene: int) -> Floats:
    return factors[:, 0] if factors.shape[1] == 1 else factors[:, gene]


def of_genes(factors: Floats, genes: NDArray[np.int64] | NDArray[np.bool_]) -> Floats:
    """The factors of some genes; one column serves all."""
    return factors if factors.shape[1] == 1 else columns(factors, genes)


def means(normal: Normal, factors: Floats, beta: Floats, *, floor: float = FLOOR_MU) -> Floats:
    """Fitted means, samples x genes."""
    mu = normal.spread(np.exp(normal.predict(beta))) * factors
    return np.maximum(mu, floor, out=mu)


def _reweighted(normal: Normal, counts: Floats, factors: Floats, alpha: Floats, first: Floats) -> GlmFit:
    """Rounds until the deviance settles. A gene whose means overflow on the way is left as one that does not."""
    n_genes = counts.shape[1]
    beta, weighing = first.copy(), first.copy()
    beyond = np.zeros(n_genes, dtype=bool)
    rounds = np.zeros(n_genes, dtype=np.int64)
    converged = np.zeros(n_genes, dtype=bool)
    live = np.arange(n_genes)
    fixed = -2.0 * _fixed_likelihood(counts, alpha)
    now, old = first.copy(), np.zeros(n_genes)
    log_mu = np.empty(counts.shape)
    for part in pieces(*counts.shape):
        log_mu[:, part] = _log_means(normal, _part(factors, part), first[:, part])
    for number in range(MAX_ROUNDS):
        rounds[live] += 1
        deviance = fixed.copy()
        for part in pieces(*counts.shape):
            now[:, part], log_mu[:, part], moving = _round(
                normal, counts[:, part], _part(factors, part), alpha[part], log_mu[:, part]
            )
            deviance[part] -= 2.0 * moving
        large = (np.abs(now) > LARGE_BETA).any(axis=0)
        if large.any():
            weighing[:, live[large]] = beta[:, live[large]]
            beyond[live[large]] = True
        beta[:, live] = now
        lost = large | ~np.isfinite(deviance)
        settled = np.abs(deviance - old) / (np.abs(deviance) + 0.1) < TOLERANCE
        settled &= ~lost & (number > 0)
        converged[live[settled]] = True
        old = deviance
        gone = lost | settled
        if gone.any():
            keep = np.flatnonzero(~gone)
            if not len(keep):
                break
            live, old, alpha, fixed = live[keep], old[keep], alpha[keep], fixed[keep]
            counts, now, factors = columns(counts, keep), columns(now, keep), of_genes(factors, keep)
            log_mu = columns(log_mu, keep)
    return GlmFit(beta, np.where(beyond, weighing, beta), rounds, converged)


def _round(
    normal: Normal, counts: Floats, factors: Floats, alpha: Floats, log_mu: Floats
) -> tuple[Floats, Floats, Floats]:
    """The next coefficients, the logarithms of their means, and their likelihood up to what is fixed."""
    mu = np.exp(log_mu)
    weights = mu / (1.0 + alpha * mu)
    response = log_mu - np.log(factors)
    response += (counts - mu) / mu
    response *= weights
    factor = normal.factor(normal.add_ridge(normal.gram(normal.by_cell(weights)), RIDGE))
    after = normal.solve(factor, normal.project(normal.by_cell(response)))
    log_after = _log_means(normal, factors, after)
    return after, log_after, _moving_likelihood(counts, log_after, alpha)


def _log_means(normal: Normal, factors: Floats, beta: Floats) -> Floats:
    """Logarithms of floored fitted means, samples x genes."""
    log_mu = normal.spread(normal.predict(beta)) + np.log(factors)
    return np.maximum(log_mu, math.log(FLOOR_MU), out=log_mu)


def _part(factors: Floats, part: slice) -> Floats:
    return factors if factors.shape[1] == 1 else factors[:, part]


def log_likelihood(counts: Floats, mu: Floats, alpha: Floats) -> Floats:
    """Negative-binomial log likelihood, per gene."""
    log_mu = np.log(np.maximum(mu, _LEAST_MU))
    return _fixed_likelihood(counts, alpha) + _moving_likelihood(counts, log_mu, alpha)


def _fixed_likelihood(counts: Floats, alpha: Floats) -> Floats:
    """The part that the means do not enter."""
    from scipy.special import gammaln

    from fm_platform.expression.fit.gamma import log_gamma_ratio

    return sum_rows(log_gamma_ratio(counts, 1.0 / alpha)) - sum_rows(gammaln(counts + 1.0))


def _moving_likelihood(counts: Floats, log_mu: Floats, alpha: Floats) -> Floats:
    grown = np.log1p(np.exp(log_mu) * alpha)
    terms = log_mu + np.log(alpha)
    terms -= grown
    terms *= counts
    return np.asarray(sum_rows(terms) - sum_rows(grown) / alpha, dtype=np.float64)


def optimum(normal: Normal, counts: Floats, factors: Floats, alpha: Floats, begin: Floats) -> Floats:
    """The maximum of likelihood minus ridge, without a floor on the means: a concave problem.

    Newton steps, halved until they do not lose, within coefficients of 30 (log2).
    """
    beta = np.clip(begin, -_BOUND, _BOUND)
    best = _penalised(normal, counts, factors, alpha, beta)
    live = np.arange(counts.shape[1])
    for _ in range(_NEWTON_ROUNDS):
        now = beta[:, live]
        mu = means(normal, factors, now, floor=0.0)
        shrunk = 1.0 / (1.0 + alpha * mu)
        slope = normal.project(normal.by_cell((counts - mu) * shrunk)) - RIDGE * now
        curvature = (counts * alpha + 1.0) * mu * shrunk * shrunk
        factor = normal.factor(normal.add_ridge(normal.gram(normal.by_cell(curvature)), RIDGE))
        step = normal.solve(factor, slope)
        step = np.where(np.isfinite(step), step, 0.0)
        length = np.minimum(1.0, 5.0 / np.maximum(np.abs(step).max(axis=0), 1e-300))
        value = best[live]
        for _ in range(40):
            trial = np.clip(now + length * step, -_BOUND, _BOUND)
            trial_value = _penalised(normal, counts, factors, alpha, trial)
            worse = ~(trial_value >= value)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        better = trial_value >= value
        moved = np.where(better, np.abs(trial - now).max(axis=0), 0.0)
        beta[:, live] = np.where(better, trial, now)
        best[live] = np.where(better, trial_value, value)
        keep = np.flatnonzero(moved > 1e-11)
        if not len(keep):
            break
        live, alpha = live[keep], alpha[keep]
        counts, factors = columns(counts, keep), of_genes(factors, keep)
    return beta


def _penalised(normal: Normal, counts: Floats, factors: Floats, alpha: Floats, beta: Floats) -> Floats:
    """Likelihood minus ridge, up to what does not depend on beta."""
    eta = normal.spread(normal.predict(beta))
    terms = counts * eta - (counts + 1.0 / alpha) * np.log1p(alpha * np.exp(eta) * factors)
    return np.asarray(sum_rows(terms) - 0.5 * RIDGE * sum_rows(beta * beta), dtype=np.float64)
