"""The per-gene stages of a fit, each for a block of genes.

Belongs here: what is done with one gene between the global steps (size factors, trend, prior), as functions
of arrays that several workers can run. Does not belong here: the order of stages (``model``), the arithmetic
of each.

Arrays are samples x genes; factors are size factors (samples x 1) or normalization factors (samples x genes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fm_platform.expression.fit import cooks
from fm_platform.expression.fit.blocks import Columns
from fm_platform.expression.fit.dispersion import (
    FLOOR_MU,
    MIN_DISPERSION,
    Objective,
    Prior,
    max_dispersion,
    moment_dispersions,
    rough_dispersions,
)
from fm_platform.expression.fit.dispersion_search import MAX_STEPS, ascend, maximise, search_grid
from fm_platform.expression.fit.gene_arrays import Floats, columns, pieces, sum_rows
from fm_platform.expression.fit.irls import RIDGE, fit_glm, means
from fm_platform.expression.fit.normal import Normal

_LARGEST_MU = 1e100
"""Where reweighting failed, its last means may be beyond numbers; their weight is that of any large mean."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What all genes share.

    Attributes:
        normal: The design.
        exact: True optima instead of DESeq2's stopping rules.
        shared: Size factors, samples x 1, or None when every gene has its own.
        mean_inverse_factor: Mean of 1 / size factor (of the mean normalization factors).
    """

    normal: Normal
    exact: bool
    shared: Floats | None
    mean_inverse_factor: float

    def factors(self, own: Floats | None) -> Floats:
        """The factors of a block."""
        if self.shared is not None:
            return self.shared
        assert own is not None
        return own


def gene_wise(counts: Floats, own: Floats | None, setting: Setting) -> Columns:
    """Means, fitted means and gene-wise dispersions.

    Returns:
        base_mean, base_variance, dispersion, level (log fitted mean over factor in each cell of the design).
    """
    normal = setting.normal
    counts = np.ascontiguousarray(counts, dtype=np.float64)
    factors = setting.factors(own)
    n_samples, n_columns = normal.shape
    normed = counts / factors
    mean = sum_rows(normed) / n_samples
    variance = sum_rows((normed - mean) ** 2) / (n_samples - 1)
    fitted = normal.spread(normal.predict(normal.least_squares(normed)))
    highest = max_dispersion(n_samples)
    begin = np.minimum(
        rough_dispersions(normed, fitted, n_columns),
        moment_dispersions(normed, mean, setting.mean_inverse_factor),
    )
    begin = np.clip(begin, MIN_DISPERSION, highest)
    if len(normal.cells) == n_columns:
        level = normal.by_cell(normed) / np.array([len(rows) for rows in normal.members])[:, None]
    else:
        level = np.exp(normal.predict(fit_glm(normal, counts, factors, begin, exact=setting.exact).beta))
    mu = np.maximum(normal.spread(level) * factors, FLOOR_MU)
    objective = Objective(normal, counts, mu)
    exact = setting.exact
    dispersion = np.exp(maximise(objective, highest)) if exact else r_gene_wise(objective, begin, highest)
    return {"base_mean": mean, "base_variance": variance, "dispersion": dispersion, "level": level}


def r_gene_wise(objective: Objective, begin: Floats, highest: float) -> Floats:
    """DESeq2's gene-wise dispersions: an ascent that must gain, a grid where it did not end."""
    ascent = ascend(objective, np.log(begin))
    gained = ascent.value >= ascent.start_value + np.abs(ascent.start_value) / 1e6
    found = np.where(gained, np.exp(ascent.log_alpha), begin)
    found = np.clip(found, MIN_DISPERSION, highest)
    stuck = (ascent.steps >= MAX_STEPS) | (ascent.steps == 1)
    redo = np.flatnonzero(stuck & (found > 10 * MIN_DISPERSION))
    if len(redo):
        found[redo] = np.exp(search_grid(objective.take(redo), highest))
    return np.asarray(np.clip(found, MIN_DISPERSION, highest), dtype=np.float64)


def shrunken(
    counts: Floats,
    own: Floats | None,
    level: Floats,
    gene_wise: Floats,
    trend: Floats,
    setting: Setting,
    variance: float,
) -> Columns:
    """Dispersions shrunk towards the trend.

    Args:
        counts: Samples x genes.
        own: Normalization factors or None.
        level: Of :func:`gene_wise`.
        gene_wise: Gene-wise dispersions.
        trend: The curve at each gene.
        setting: What all genes share.
        variance: Of the prior.

    Returns:
        map: The maximum a posteriori dispersion.
    """
    counts = np.ascontiguousarray(counts, dtype=np.float64)
    highest = max_dispersion(len(counts))
    mu = np.maximum(setting.normal.spread(level) * setting.factors(own), FLOOR_MU)
    objective = Objective(setting.normal, counts, mu, Prior(np.log(trend), variance))
    if setting.exact:
        return {"map": np.exp(maximise(objective, highest))}
    return {"map": r_shrunken(objective, gene_wise, trend, highest)}


def r_shrunken(objective: Objective, gene_wise: Floats, trend: Floats, highest: float) -> Floats:
    """DESeq2's shrunken dispersions: an ascent from the gene-wise value, or from the trend far above it."""
    ascent = ascend(objective, np.log(np.where(gene_wise > 0.1 * trend, gene_wise, trend)))
    found = np.exp(ascent.log_alpha)
    redo = np.flatnonzero(ascent.steps >= MAX_STEPS)
    if len(redo):
        found[redo] = np.exp(search_grid(objective.take(redo), highest))
    return np.asarray(np.clip(found, MIN_DISPERSION, highest), dtype=np.float64)


def coefficients(counts: Floats, own: Floats | None, dispersion: Floats, setting: Setting) -> Columns:
    """Regression coefficients and Cook's distances.

    Returns:
        beta (columns x genes, natural logarithms), converged, rounds, max_cooks and culprit (largest distance over
        samples with 3 replicates, NaN without any, and whose it is), max_cooks_left and culprit_left (over those of
        them without 7), distance and worst (over all samples), above (samples with a higher count than the worst),
        suspicious (samples x genes: a distance above the cutoff).
    """
    normal = setting.normal
    counts = np.ascontiguousarray(counts, dtype=np.float64)
    factors = setting.factors(own)
    fit = fit_glm(normal, counts, factors, dispersion, exact=setting.exact)
    n_genes = counts.shape[1]
    limit = cooks.cutoff(*normal.shape)
    flaggable = cooks.replicated(normal, cooks.FLAG_REPLICATES)
    left = flaggable & ~cooks.replicated(normal, cooks.REPLACE_REPLICATES)
    largest, largest_left = np.full(n_genes, np.nan), np.zeros(n_genes)
    overall = np.zeros(n_genes)
    worst, above, culprit, culprit_left = (np.zeros(n_genes, dtype=np.int64) for _ in range(4))
    suspicious = np.zeros(counts.shape, dtype=bool)
    for part in pieces(*counts.shape):
        some = columns(counts, np.arange(part.start, part.stop))
        these = factors if factors.shape[1] == 1 else np.ascontiguousarray(factors[:, part])
        beta = np.ascontiguousarray(fit.beta[:, part])
        weighing = np.ascontiguousarray(fit.weighing[:, part])
        leverage = leverages(normal, these, weighing, dispersion[part])
        distance = cooks.distances(
            normal, some, some / these, means(normal, these, beta, floor=0.0), leverage
        )
        suspicious[:, part] = distance > limit
        if flaggable.any():
            largest[part] = distance[flaggable].max(axis=0)
            culprit[part] = np.flatnonzero(flaggable)[distance[flaggable].argmax(axis=0)]
        if left.any():
            largest_left[part] = distance[left].max(axis=0)
            culprit_left[part] = np.flatnonzero(left)[distance[left].argmax(axis=0)]
        overall[part] = distance.max(axis=0)
        worst[part] = distance.argmax(axis=0)
        above[part] = (some > some[worst[part], np.arange(some.shape[1])]).sum(axis=0)
    return {
        "beta": fit.beta,
        "converged": fit.converged,
        "rounds": fit.rounds,
        "max_cooks": largest,
        "max_cooks_left": largest_left,
        "culprit": culprit,
        "culprit_left": culprit_left,
        "distance": overall,
        "worst": worst,
        "above": above,
        "suspicious": suspicious,
    }


def leverages(normal: Normal, factors: Floats, beta: Floats, alpha: Floats) -> Floats:
    """Diagonal of the hat matrix of the last weighted regression, samples x genes."""
    with np.errstate(over="ignore"):
        mu = means(normal, factors, beta)
    np.minimum(mu, _LARGEST_MU, out=mu)
    weights = mu / (1.0 + alpha * mu)
    factor = normal.factor(normal.add_ridge(normal.gram(normal.by_cell(weights)), RIDGE))
    weights *= normal.spread(normal.leverage(normal.inverse(factor)))
    return weights
