"""From a fitted model to the result of one contrast.

Belongs here: which test is run, what a gene without information gets, the remarks. Does not belong here:
fitting (``model``), the arithmetic of tests (``wald``, ``likelihood_ratio``, ``filtering``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit import wald
from fm_platform.expression.fit.column_units import as_fitted
from fm_platform.expression.fit.filtering import independent_filtering
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.likelihood_ratio import likelihood_ratio
from fm_platform.expression.fit.model import Model
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.shrinkage import shrink_contrast

_WITHOUT_READS = {"estimate": 0.0, "se": 0.0, "stat": 0.0, "p": 1.0}
"""What DESeq2 gives a gene that has no reads left once outlier counts are replaced; ``exact`` gives it nothing."""

_NO_READS = 0.01
"""A fitted mean below this, divided by the number of samples, is that of samples without a read."""

_LEAST_RATIO = 1e-8
"""Below this a likelihood ratio is 0 but for the end of the search."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """What is tested about a contrast.

    Attributes:
        threshold: Log2 fold change that bounds the null hypothesis, not negative.
        alternative: See :func:`~fm_platform.expression.fit.wald.wald_test`.
        reduced: Design matrix of a likelihood-ratio test (samples x columns); None: Wald's test.
    """

    threshold: float = 0.0
    alternative: wald.Alternative = "greaterAbs"
    reduced: Floats | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """The test of every gene; NaN where there is none.

    Attributes:
        estimate: Log2 fold change.
        se: Its standard error.
        stat: Wald statistic, or that of the likelihood-ratio test.
        p: P-value; none for outliers.
        padj: Adjusted.
        threshold: Mean below which genes have no adjusted p-value.
        shrunk: apeGLM's log2 fold change, or None.
        shrunk_se: Its posterior standard deviation, or None.
        notes: Remarks.
    """

    estimate: Floats
    se: Floats
    stat: Floats
    p: Floats
    padj: Floats
    threshold: float
    shrunk: Floats | None
    shrunk_se: Floats | None
    notes: tuple[str, ...]


def compare(
    model: Model,
    counts: NDArray[np.int64],
    vector: Floats,
    silent: NDArray[np.bool_],
    hypothesis: Hypothesis,
    *,
    alpha: float,
    shrink: bool = False,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Compared:
    """Test a contrast in every gene.

    Args:
        model: The fit.
        counts: Genes x samples, as fitted.
        vector: Weight of each design column.
        silent: Genes with no reads at the compared levels: fold change 0.
        hypothesis: What is tested.
        alpha: Level that independent filtering is tuned for.
        shrink: Whether apeGLM shrinks the contrast, too.
        on_stage: Told the name of each stage.
    """
    live = np.flatnonzero(np.isfinite(model.dispersion))
    on_stage("Wald tests" if hypothesis.reduced is None else "likelihood-ratio tests")
    own = None if model.own_factors is None else model.own_factors[:, live]
    beta, dispersion = np.ascontiguousarray(model.beta[:, live]), model.dispersion[live]
    run = model.options.workers.run
    n_samples = model.setting.normal.shape[0]
    weights = model.fitted_as.transform.T @ np.asarray(vector, float)
    made = run(wald.contrast, [own, beta, dispersion], len(live), n_samples, model.setting, weights)
    if model.setting.exact:
        made["se"] = _errors(model, counts, live, weights, made["estimate"], made["se"])
    estimate = np.where(silent[live], 0.0, made["estimate"])
    if hypothesis.reduced is None:
        stat, p = wald.wald_test(
            estimate, made["se"], threshold=hypothesis.threshold, alternative=hypothesis.alternative
        )
    else:
        used = _with_replacements(model, counts)[:, live]
        ratio = run(
            likelihood_ratio,
            [used, own, beta, dispersion, model.converged[live]],
            len(live),
            n_samples,
            model.setting,
            Normal(as_fitted(hypothesis.reduced).design),
        )
        stat, p = ratio["stat"], ratio["p"]
    full = {"estimate": estimate, "se": made["se"], "stat": stat, "p": p}
    spread = {name: _spread(values, live, len(counts)) for name, values in full.items()}
    spread["p"][model.outlier] = np.nan
    if not model.setting.exact:
        for name, value in _WITHOUT_READS.items():
            spread[name][model.silenced] = value
    shrunk = shrunk_se = None
    if shrink:
        on_stage("apeGLM shrinkage")
        both = shrink_contrast(model, counts, live, weights, made["estimate"], made["se"])
        shrunk, shrunk_se = (_spread(values, live, len(counts)) for values in both)
    on_stage("independent filtering")
    filtered = independent_filtering(model.base_mean, spread["p"], alpha)
    return Compared(
        **spread,
        padj=filtered.padj,
        threshold=filtered.threshold,
        shrunk=shrunk,
        shrunk_se=shrunk_se,
        notes=tuple(_notes(model, silent, live)),
    )


def _errors(
    model: Model,
    counts: NDArray[np.int64],
    live: NDArray[np.int64],
    weights: Floats,
    estimate: Floats,
    se: Floats,
) -> Floats:
    """Standard errors; of a separated gene the estimate over the root of its likelihood ratio.

    Where a group has no reads the optimum lies at the bound of the search, and the curvature there says nothing of how
    likely 0 is (Hauck and Donner 1977): one read among eight samples had p = 1e-5. The likelihood ratio is defined.
    """
    normal = model.setting.normal
    lowest = normal.predict(np.ascontiguousarray(model.beta[:, live])).min(axis=0)
    separated = np.flatnonzero(lowest < math.log(_NO_READS / normal.shape[0]))
    if not len(separated) or normal.shape[1] < 2:
        return se
    without = np.linalg.svd(weights[None, :])[2][1:].T
    genes = live[separated]
    ratio = model.options.workers.run(
        likelihood_ratio,
        [
            np.ascontiguousarray(_with_replacements(model, counts)[:, genes]),
            None if model.own_factors is None else np.ascontiguousarray(model.own_factors[:, genes]),
            np.ascontiguousarray(model.beta[:, genes]),
            model.dispersion[genes],
            model.converged[genes],
        ],
        len(genes),
        normal.shape[0],
        model.setting,
        Normal(normal.design @ without),
    )
    implied = np.abs(estimate[separated]) / np.sqrt(np.maximum(ratio["stat"], _LEAST_RATIO))
    errors = se.copy()
    errors[separated] = np.maximum(se[separated], implied)
    return errors


def _with_replacements(model: Model, counts: NDArray[np.int64]) -> Floats:
    used = counts.T.astype(np.float64)
    if model.replaced_counts is not None:
        used[:, model.replaced] = model.replaced_counts
    return used


def _spread(values: Floats, live: NDArray[np.int64], n_genes: int) -> Floats:
    full = np.full(n_genes, np.nan)
    full[live] = values
    return full


def _notes(model: Model, silent: NDArray[np.bool_], live: NDArray[np.int64]) -> list[str]:
    notes = [model.trend.note, *([model.prior.note] if model.prior.note else [])]
    unsettled = int((~model.converged[live]).sum())
    if unsettled:
        notes.append(
            f"{unsettled} genes: reweighting did not settle (as with a group without reads), their fold changes are "
            + ("the optimum" if model.setting.exact else "where DESeq2's second search ends")
        )
    if model.replaced.any():
        notes.append(f"{int(model.replaced.sum())} genes were refitted with outlier counts replaced")
    if silent.any():
        notes.append(
            f"{int(silent.sum())} genes have no reads in the compared samples: fold change 0, p 1 (DESeq2's rule)"
        )
    return notes
