"""The engine's arithmetic behind PyDESeq2's extension point.

Belongs here: the eight methods of ``pydeseq2.inference.Inference`` for all genes at once, for users who keep
PyDESeq2's own stages. Does not belong here: anything those stages do themselves (size factors, prior
variance, Cook's rules, filtering), where PyDESeq2 and DESeq2 differ; the platform's engine (``model``) has
its own.

Arrays are samples x genes as in PyDESeq2. The class is registered rather than derived, so that importing this
module does not import PyDESeq2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.dispersion import (
    FLOOR_MU,
    Objective,
    Prior,
    moment_dispersions,
    rough_dispersions,
)
from fm_platform.expression.fit.dispersion_search import maximise
from fm_platform.expression.fit.gene_arrays import Floats, sum_rows
from fm_platform.expression.fit.irls import fit_glm, means
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.posterior import OTHERS_SCALE
from fm_platform.expression.fit.shrinkage import posterior_modes
from fm_platform.expression.fit.stages import Setting, leverages, r_gene_wise, r_shrunken
from fm_platform.expression.fit.trend import parametric
from fm_platform.expression.fit.wald import contrast as wald_contrast
from fm_platform.expression.fit.wald import wald_test as wald_statistic


class FastInference:
    """Pass one instance to both ``DeseqDataSet(inference=...)`` and ``DeseqStats(inference=...)``.

    One instance serves one fit: the shrunken dispersions start from the gene-wise ones, and the trend is not
    fitted again to the genes that PyDESeq2 would drop.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self._gene_wise: Floats | None = None
        self._trend: tuple[float, float] | None = None
        self._trend_genes = 0

    def fit_rough_dispersions(self, normed_counts: Any, design_matrix: Any) -> Floats:
        """Moment estimates around a linear fit."""
        normed, normal = _floats(normed_counts), Normal(_floats(design_matrix))
        fitted = normal.spread(normal.predict(normal.least_squares(normed)))
        return rough_dispersions(normed, fitted, normal.shape[1])

    def fit_moments_dispersions(self, normed_counts: Any, size_factors: Any) -> Floats:
        """Moment estimates around the mean."""
        normed = _floats(normed_counts)
        mean_inverse = float((1.0 / _floats(size_factors)).mean())
        return np.nan_to_num(moment_dispersions(normed, sum_rows(normed) / len(normed), mean_inverse))

    def lin_reg_mu(self, counts: Any, size_factors: Any, design_matrix: Any, min_mu: float) -> Floats:
        """Fitted means of a linear model."""
        factors = _floats(size_factors)[:, None]
        normal = Normal(_floats(design_matrix))
        fitted = normal.spread(normal.predict(normal.least_squares(_floats(counts) / factors)))
        return np.maximum(fitted * factors, min_mu)

    def irls(
        self,
        counts: Any,
        size_factors: Any,
        design_matrix: Any,
        disp: Any,
        min_mu: float,
        beta_tol: float,
        **_: Any,
    ) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Coefficients (genes x columns), fitted means, leverages, convergence."""
        normal, factors, alpha = Normal(_floats(design_matrix)), _floats(size_factors)[:, None], _floats(disp)
        fit = fit_glm(normal, _floats(counts), factors, alpha, exact=self.exact)
        mu = means(normal, factors, fit.beta, floor=0.0)
        return fit.beta.T, mu, leverages(normal, factors, fit.beta, alpha), np.ones(len(alpha), dtype=bool)

    def alpha_mle(
        self,
        counts: Any,
        design_matrix: Any,
        mu: Any,
        alpha_hat: Any,
        min_disp: float,
        max_disp: float,
        prior_disp_var: float | None = None,
        cr_reg: bool = True,
        prior_reg: bool = False,
        **_: Any,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Dispersions, gene-wise or (``prior_reg``) shrunken towards ``alpha_hat``."""
        alpha = np.clip(_floats(alpha_hat), min_disp, max_disp)
        prior = None
        if prior_reg:
            assert prior_disp_var is not None
            prior = Prior(np.log(alpha), float(prior_disp_var))
        floored = np.maximum(_floats(mu), FLOOR_MU)
        objective = Objective(Normal(_floats(design_matrix)), _floats(counts), floored, prior)
        if self.exact:
            found = np.exp(maximise(objective, max_disp))
        elif prior is None:
            found = self._gene_wise = r_gene_wise(objective, alpha, max_disp)
        else:
            begin = self._gene_wise
            known = begin if begin is not None and len(begin) == len(alpha) else alpha
            found = r_shrunken(objective, known, alpha, max_disp)
        return found, np.ones(len(found), dtype=bool)

    def dispersion_trend_gamma_glm(self, covariates: Any, targets: Any) -> tuple[Floats, Floats, bool]:
        """The trend after all of DESeq2's rounds, and its values at every row passed."""
        inverse, values = _floats(covariates), _floats(targets)
        if self._trend is None or len(values) > self._trend_genes:
            used = values > 1e-6
            order = np.lexsort((values[used], 1.0 / inverse[used]))
            self._trend = parametric((1.0 / inverse[used])[order], values[used][order])
            self._trend_genes = len(values)
        if self._trend is None:
            return np.zeros(2), np.full(len(values), np.nan), False
        return np.array(self._trend), self._trend[0] + self._trend[1] * inverse, True

    def wald_test(
        self,
        design_matrix: Any,
        disp: Any,
        lfc: Any,
        mu: Any,
        ridge_factor: Any,
        contrast: Any,
        lfc_null: Any,
        alt_hypothesis: Any = None,
    ) -> tuple[Floats, Floats, Floats]:
        """P-values, statistics and standard errors of the contrast; natural logarithms."""
        alpha, beta, fitted = _floats(disp), _floats(lfc).T, _floats(mu)
        normal, vector = Normal(_floats(design_matrix)), _floats(contrast)
        known = np.flatnonzero(np.isfinite(alpha) & np.isfinite(beta).all(axis=0))
        some = np.ascontiguousarray(beta[:, known])
        own = fitted[:, known] / normal.spread(np.exp(normal.predict(some)))
        setting = Setting(normal, self.exact, None, 1.0)
        made = wald_contrast(own, some, alpha[known], setting, vector)
        threshold = float(np.asarray(lfc_null).max()) / math.log(2)
        stat, p = wald_statistic(
            made["estimate"], made["se"], threshold=threshold, alternative=alt_hypothesis or "greaterAbs"
        )
        results = [np.full(len(alpha), np.nan) for _ in range(3)]
        for full, values in zip(results, (p, stat, made["se"] * math.log(2)), strict=True):
            full[known] = values
        return results[0], results[1], results[2]

    def lfc_shrink_nbinom_glm(
        self,
        design_matrix: Any,
        counts: Any,
        size: Any,
        offset: Any,
        prior_no_shrink_scale: float,
        prior_scale: float,
        optimizer: str,
        shrink_index: int,
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Posterior modes (genes x columns) and inverse Hessians, of which the shrunken entry is filled."""
        assert prior_no_shrink_scale == OTHERS_SCALE, "the engine's prior of the other coefficients is fixed"
        factors, alpha = np.exp(_floats(offset))[:, None], 1.0 / _floats(size)
        normal, y = Normal(_floats(design_matrix)), _floats(counts)
        setting = Setting(normal, self.exact, factors, 1.0)
        beta = fit_glm(normal, y, factors, alpha, exact=self.exact).beta
        made = posterior_modes(y, None, beta, alpha, setting, shrink_index, float(prior_scale))
        inverse = np.zeros((len(alpha), len(beta), len(beta)))
        inverse[:, shrink_index, shrink_index] = made["sd"] ** 2
        return made["beta"].T, inverse, np.ones(len(alpha), dtype=bool)


def fast_inference(*, exact: bool = False) -> FastInference:
    """A :class:`FastInference` that passes ``isinstance(..., pydeseq2.inference.Inference)``."""
    from pydeseq2.inference import Inference

    Inference.register(FastInference)
    return FastInference(exact=exact)


def _floats(values: Any) -> Floats:
    return np.ascontiguousarray(np.asarray(values, dtype=np.float64))
