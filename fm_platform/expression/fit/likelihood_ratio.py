"""Likelihood-ratio tests: what a design explains beyond a smaller one.

Belongs here: the statistic and its p-value, dispersions as fitted under the full design. Does not belong
here: building the designs.
"""

from __future__ import annotations

import numpy as np

from fm_platform.expression.fit.blocks import Columns
from fm_platform.expression.fit.gene_arrays import Floats, sum_rows
from fm_platform.expression.fit.irls import fit_glm, log_likelihood, means
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.stages import Setting


def likelihood_ratio(
    counts: Floats, own: Floats | None, beta: Floats, dispersion: Floats, setting: Setting, reduced: Normal
) -> Columns:
    """Compare the fitted design with a smaller one, gene by gene.

    Args:
        counts: Samples x genes, outliers replaced.
        own: Normalization factors or None.
        beta: Coefficients of the full design, columns x genes, natural logarithms.
        dispersion: Per gene.
        setting: With the full design.
        reduced: The smaller design, whose columns the full one spans.

    Returns:
        stat: Twice the difference in log likelihood; p: from chi-squared.
    """
    from scipy.special import chdtrc

    counts = np.ascontiguousarray(counts, dtype=np.float64)
    factors = setting.factors(own)
    full = log_likelihood(counts, means(setting.normal, factors, beta, floor=0.0), dispersion)
    if reduced.shape[1] == 1 and len(reduced.cells) == 1 and not setting.exact:
        level = sum_rows(counts / factors) / len(counts)
        small = log_likelihood(counts, level * factors, dispersion)
    else:
        fitted = fit_glm(reduced, counts, factors, dispersion, exact=setting.exact).beta
        small = log_likelihood(counts, means(reduced, factors, fitted, floor=0.0), dispersion)
    stat = 2.0 * (full - small)
    df = setting.normal.shape[1] - reduced.shape[1]
    return {"stat": stat, "p": np.asarray(chdtrc(df, np.maximum(stat, 0.0)))}
