"""Likelihood-ratio tests: what a design explains beyond a smaller one.

Belongs here: the statistic and its p-value, dispersions as fitted under the full design. Does not belong
here: building the designs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.blocks import Columns
from fm_platform.expression.fit.dispersion import FLOOR_MU
from fm_platform.expression.fit.gene_arrays import Floats, sum_rows
from fm_platform.expression.fit.irls import fit_glm, log_likelihood, means
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.stages import Setting


def likelihood_ratio(
    counts: Floats,
    own: Floats | None,
    beta: Floats,
    dispersion: Floats,
    settled: NDArray[np.bool_],
    setting: Setting,
    reduced: Normal,
) -> Columns:
    """Compare the fitted design with a smaller one, gene by gene.

    Args:
        counts: Samples x genes, outliers replaced.
        own: Normalization factors or None.
        beta: Coefficients of the full design, columns x genes, natural logarithms.
        dispersion: Per gene.
        settled: Genes whose reweighting ended by itself under the full design.
        setting: With the full design.
        reduced: The smaller design, whose columns the full one spans.

    Returns:
        stat: Twice the difference in log likelihood; p: from chi-squared.
    """
    from scipy.special import chdtrc

    counts = np.ascontiguousarray(counts, dtype=np.float64)
    factors = setting.factors(own)

    def fitted(normal: Normal, coefficients: Floats, settled: NDArray[np.bool_]) -> Floats:
        """Means: DESeq2 floors those of a gene whose reweighting did not settle."""
        mu = means(normal, factors, coefficients, floor=0.0)
        return mu if setting.exact else np.maximum(mu, np.where(settled, 0.0, FLOOR_MU))

    full = log_likelihood(counts, fitted(setting.normal, beta, settled), dispersion)
    if reduced.shape[1] == 1 and len(reduced.cells) == 1 and not setting.exact:
        level = sum_rows(counts / factors) / len(counts)
        small = log_likelihood(counts, level * factors, dispersion)
    else:
        fit = fit_glm(reduced, counts, factors, dispersion, exact=setting.exact)
        small = log_likelihood(counts, fitted(reduced, fit.beta, fit.converged), dispersion)
    stat = 2.0 * (full - small)
    df = setting.normal.shape[1] - reduced.shape[1]
    return {"stat": stat, "p": np.asarray(chdtrc(df, np.maximum(stat, 0.0)))}
