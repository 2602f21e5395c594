"""A fitted negative-binomial model of every gene: the stages in order, global steps between per-gene ones.

Belongs here: size factors, trend, prior, replacement of outliers and the refit, once for any number of
contrasts. Does not belong here: tests (``wald``, ``likelihood_ratio``), shrinkage of fold changes,
study.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit import cooks
from fm_platform.expression.fit.blocks import Columns, Workers
from fm_platform.expression.fit.column_units import Fitted, as_fitted
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.prior import PriorWidth, fit_prior
from fm_platform.expression.fit.size_factors import SizeFactorKind, check_factors, size_factors
from fm_platform.expression.fit.stages import Setting, coefficients, gene_wise, shrunken
from fm_platform.expression.fit.trend import Trend, fit_trend

Mode = Literal["r_compat", "exact"]
_EXCEEDING = 3
"""With two groups, a gene is not flagged if so many samples exceed the suspicious count (DESeq2's rule)."""
MODES: tuple[Mode, ...] = ("r_compat", "exact")


@dataclass(frozen=True, eq=False)
class Options:
    """How to fit.

    Attributes:
        mode: ``r_compat``: DESeq2's rules; ``exact``: the same model at its true optima.
        size_factor_kind: See :func:`~fm_platform.expression.fit.size_factors.size_factors`.
        control_genes: Genes that size factors use.
        factors: Given size factors (one per sample) or normalization factors (genes x samples).
        replace_outliers: Replace counts that Cook's distance marks where there are 7 replicates, and refit.
        workers: How genes are spread over cores.
    """

    mode: Mode = "r_compat"
    size_factor_kind: SizeFactorKind = "ratio"
    control_genes: NDArray[np.bool_] | None = None
    factors: Floats | None = None
    replace_outliers: bool = True
    workers: Workers = field(default_factory=Workers)


@dataclass(frozen=True, eq=False)
class Model:
    """The fit. Per-gene arrays have one value for every gene of the matrix, NaN where no sample has a read.

    Attributes:
        setting: Design and factors.
        own_factors: Normalization factors, samples x genes, or None.
        size_factors: Per sample (with normalization factors: their mean over genes).
        base_mean: Mean normalised count (after replacement of outliers).
        gene_wise: Gene-wise dispersions.
        trend_values: The trend at each gene.
        shrunken: The dispersions shrunk towards the trend.
        dispersion: The dispersions used.
        dispersion_outlier: Genes that keep their gene-wise dispersion.
        fitted_as: The zero and the unit of each design column in the fit.
        beta: Columns x genes, natural logarithms, per unit of the fit.
        converged: Whether reweighting ended by itself.
        max_cooks: Largest Cook's distance that may flag the gene.
        culprit: The sample that it belongs to.
        outlier: Genes whose p-value is not given because of one sample.
        distance: Largest Cook's distance over all samples, of the counts as they are.
        worst: The sample that it belongs to.
        replaced: Genes refitted with replaced counts.
        silenced: Genes that have no reads left once outlier counts are replaced.
        replaced_counts: Their counts, samples x these genes, or None.
        trend: The curve.
        prior: The scatter around it.
        options: As given.
    """

    setting: Setting
    own_factors: Floats | None
    size_factors: Floats
    base_mean: Floats
    gene_wise: Floats
    trend_values: Floats
    shrunken: Floats
    dispersion: Floats
    dispersion_outlier: NDArray[np.bool_]
    fitted_as: Fitted
    beta: Floats
    converged: NDArray[np.bool_]
    max_cooks: Floats
    culprit: NDArray[np.int64]
    outlier: NDArray[np.bool_]
    distance: Floats
    worst: NDArray[np.int64]
    replaced: NDArray[np.bool_]
    silenced: NDArray[np.bool_]
    replaced_counts: Floats | None
    trend: Trend
    prior: PriorWidth
    options: Options


def fit_model(
    counts: NDArray[np.int64],
    design: Floats,
    options: Options | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Model:
    """Fit every gene.

    Args:
        counts: Genes x samples.
        design: Samples x columns, of full rank with fewer columns than samples.
        options: How.
        on_stage: Told the name of each stage as it begins.

    Raises:
        InputError: Size factors are not defined or unusable.
    """
    options = options or Options()
    on_stage("size factors")
    fitted_as = as_fitted(design)
    block = _prepare(counts, fitted_as.design, options)
    setting = block.setting
    on_stage("gene-wise dispersions")
    made = block.gene_wise()
    on_stage("dispersion trend")
    trend = fit_trend(made["base_mean"], made["dispersion"])
    made["trend"] = trend(made["base_mean"])
    on_stage("dispersion prior")
    n_samples, n_columns = setting.normal.shape
    prior = fit_prior(made["dispersion"], made["trend"], n_samples - n_columns)
    on_stage("shrunken dispersions")
    block.shrink(made, prior)
    on_stage("log fold changes")
    block.coefficients(made)
    on_stage("outlier replacement")
    made = block.refit(made, trend, prior)
    return _assemble(made, block, len(counts), fitted_as, trend, prior)


def fit_trend_only(counts: NDArray[np.int64], design: Floats, options: Options) -> tuple[Floats, Trend]:
    """The factors (samples x 1, or samples x genes) and the trend: what a transformation needs.

    Args:
        counts: Genes x samples.
        design: Samples x columns.
        options: How.
    """
    block = _prepare(counts, as_fitted(design).design, options)
    made = block.gene_wise()
    return block.factors, fit_trend(made["base_mean"], made["dispersion"])


@dataclass(eq=False)
class _Genes:
    """The genes with reads, and the per-gene stages run over them."""

    counts: NDArray[np.int64]
    own: Floats | None
    setting: Setting
    options: Options
    live: NDArray[np.int64]
    factors: Floats

    def _run(self, function: Callable[..., Columns], arrays: list[object], *fixed: object) -> Columns:
        n_samples, n_genes = self.counts.shape
        return self.options.workers.run(
            function, [self.counts, self.own, *arrays], n_genes, n_samples, self.setting, *fixed
        )

    def gene_wise(self) -> Columns:
        return self._run(gene_wise, [])

    def shrink(self, made: Columns, prior: PriorWidth) -> None:
        arrays = [made["level"], made["dispersion"], made["trend"]]
        made |= self._run(shrunken, arrays, prior.variance)
        made["kept"] = np.log(made["dispersion"]) > np.log(made["trend"]) + prior.outlier_margin
        made["final"] = np.where(made["kept"], made["dispersion"], made["map"])

    def coefficients(self, made: Columns) -> None:
        made |= self._run(coefficients, [made["final"]])

    def refit(self, made: Columns, trend: Trend, prior: PriorWidth) -> Columns:
        """Replace marked counts in cells of 7 or more and fit those genes again; trend and prior stay."""
        n_genes = self.counts.shape[1]
        made["replaced"] = np.zeros(n_genes, dtype=bool)
        made["silenced"] = np.zeros(n_genes, dtype=bool)
        replaceable = cooks.replicated(self.setting.normal, cooks.REPLACE_REPLICATES)
        wanted = self.options.replace_outliers and replaceable.any()
        marked = np.flatnonzero(made["suspicious"].any(axis=0)) if wanted else np.zeros(0, int)
        if not len(marked):
            return made
        own = None if self.own is None else self.own[:, marked]
        counts = self.counts[:, marked].astype(np.float64)
        factors = self.setting.factors(own)
        swap = made["suspicious"][:, marked] & replaceable[:, None]
        counts = np.where(swap, cooks.replacements(counts / factors, factors), counts)
        silenced = ~counts.any(axis=0)
        made["silenced"][marked[silenced]] = True
        again = marked[~silenced]
        if len(again):
            kept = ~silenced
            part = _Genes(
                np.ascontiguousarray(counts[:, kept]),
                None if own is None else np.ascontiguousarray(own[:, kept]),
                self.setting,
                self.options,
                self.live[again],
                self.factors,
            )
            new = part.gene_wise()
            new["trend"] = trend(new["base_mean"])
            part.shrink(new, prior)
            part.coefficients(new)
            for name in ("base_mean", "dispersion", "trend", "map", "final", "kept", "beta", "converged"):
                made[name][..., again] = new[name]
            made["replaced"][again] = True
            made["new_counts"] = part.counts
            for name in ("max_cooks", "culprit"):
                made[name][again] = made[f"{name}_left"][again]
        return made


def _prepare(counts: NDArray[np.int64], design: Floats, options: Options) -> _Genes:
    """Factors, design and the genes with reads."""
    n_genes, n_samples = counts.shape
    if options.factors is not None:
        factors = check_factors(options.factors, n_genes, n_samples)
    else:
        factors = size_factors(counts, options.size_factor_kind, options.control_genes)[:, None]
    per_gene = options.factors is not None and options.factors.ndim == 2
    live = np.flatnonzero(counts.any(axis=1))
    setting = Setting(
        normal=Normal(design),
        exact=options.mode == "exact",
        shared=None if per_gene else factors,
        mean_inverse_factor=float((1.0 / factors.mean(axis=1)).mean()),
    )
    own = np.ascontiguousarray(factors[:, live]) if per_gene else None
    return _Genes(np.ascontiguousarray(counts[live].T), own, setting, options, live, factors)


def _assemble(
    made: Columns, block: _Genes, n_genes: int, fitted_as: Fitted, trend: Trend, prior: PriorWidth
) -> Model:
    setting, live = block.setting, block.live
    fitted = ~made["silenced"]

    def spread(name: str) -> Floats:
        full = np.full((*made[name].shape[:-1], n_genes), np.nan)
        full[..., live] = np.where(fitted, made[name], np.nan)
        return full

    def flags(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        full = np.zeros(n_genes, dtype=bool)
        full[live] = values
        return full

    def whose(name: str) -> NDArray[np.int64]:
        full = np.full(n_genes, -1, dtype=np.int64)
        full[live] = made[name]
        return full

    distance = np.full(n_genes, np.nan)
    distance[live] = made["distance"]
    with np.errstate(invalid="ignore"):
        outlier = flags(fitted & (made["max_cooks"] > cooks.cutoff(*setting.normal.shape)))
    if setting.normal.cells.shape == (2, 2):
        outlier &= ~flags(made["above"] >= _EXCEEDING)
    return Model(
        setting=setting,
        own_factors=block.factors if block.own is not None else None,
        size_factors=block.factors.mean(axis=1),
        base_mean=np.nan_to_num(spread("base_mean")),
        gene_wise=spread("dispersion"),
        trend_values=spread("trend"),
        shrunken=spread("map"),
        dispersion=spread("final"),
        dispersion_outlier=flags(made["kept"]),
        fitted_as=fitted_as,
        beta=spread("beta"),
        converged=flags(made["converged"]),
        max_cooks=spread("max_cooks"),
        culprit=whose("culprit"),
        outlier=outlier,
        distance=distance,
        worst=whose("worst"),
        replaced=flags(made["replaced"]),
        silenced=flags(made["silenced"]),
        replaced_counts=made.get("new_counts"),
        trend=trend,
        prior=prior,
        options=block.options,
    )
