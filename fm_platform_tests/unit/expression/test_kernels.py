from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fm_platform.expression.fit.dispersion import Objective, Prior
from fm_platform.expression.fit.dispersion_search import ascend, maximise, search_grid
from fm_platform.expression.fit.filtering import benjamini_hochberg, independent_filtering
from fm_platform.expression.fit.gamma import log_gamma_ratio, log_gamma_ratio_and_slope
from fm_platform.expression.fit.gene_arrays import sum_rows
from fm_platform.expression.fit.irls import fit_glm, means
from fm_platform.expression.fit.lowess import lowess
from fm_platform.expression.fit.normal import Normal
from fm_platform.expression.fit.prior import fit_prior
from fm_platform.expression.fit.quasi_newton import minimise
from fm_platform.expression.fit.size_factors import size_factors
from fm_platform.expression.fit.trend import fit_trend
from fm_platform.expression.fit.wald import wald_test

PAIRED = np.array([[1, 0, 0, 0], [1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1], [1, 0, 1, 0], [1, 0, 1, 1]], float)


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=2, max_size=8),
    log_alpha=st.floats(-18, 2),
)
def test_gamma_ratios_are_the_sums_that_define_them(counts: list[int], log_alpha: float) -> None:
    small = [count % 300 for count in counts]
    r = np.array([np.exp(-log_alpha)])
    y = np.array(small, dtype=float)[:, None]
    steps = [np.arange(count, dtype=float) + r[0] for count in small]
    value, slope = log_gamma_ratio_and_slope(y, r)
    np.testing.assert_allclose(value[:, 0], [np.log(s).sum() for s in steps], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slope[:, 0], [(1 / s).sum() for s in steps], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(log_gamma_ratio(y, r), value, rtol=1e-13, atol=1e-12)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000), samples=st.integers(1, 300), genes=st.integers(1, 40), turned=st.booleans()
)
def test_sums_over_samples_add_row_to_row(seed: int, samples: int, genes: int, turned: bool) -> None:
    values = np.random.default_rng(seed).normal(size=(samples, genes)) ** 9
    if turned:
        values = np.asfortranarray(values)
    one_by_one = values[0].copy()
    for row in values[1:]:
        one_by_one += row
    np.testing.assert_array_equal(sum_rows(values), one_by_one)
    np.testing.assert_array_equal(sum_rows(values[:, :1]), one_by_one[:1])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), covariate=st.booleans())
def test_normal_equations_agree_with_dense_algebra(seed: int, covariate: bool) -> None:
    generator = np.random.default_rng(seed)
    design = np.column_stack([PAIRED, generator.normal(size=6)]) if covariate else PAIRED
    normal = Normal(design)
    weights = generator.gamma(1.0, 1.0, (6, 7)) + 0.05
    dense = np.einsum("np,ng,nq->gpq", design, weights, design)
    entries = normal.gram(normal.by_cell(weights))
    factor = normal.factor(entries)
    right = generator.normal(size=(design.shape[1], 7))
    np.testing.assert_allclose(
        normal.log_determinant(factor), np.linalg.slogdet(dense)[1], rtol=1e-9, atol=1e-9
    )
    solved = np.linalg.solve(dense, right.T[..., None])[..., 0].T
    np.testing.assert_allclose(normal.solve(factor, right), solved, rtol=1e-7, atol=1e-8)
    inverse = normal.inverse(factor)
    np.testing.assert_allclose(normal.trace(inverse, entries), design.shape[1], rtol=1e-8)
    rows = np.einsum("np,gpq,nq->ng", normal.cells, np.linalg.inv(dense), normal.cells)
    np.testing.assert_allclose(normal.leverage(inverse), rows, rtol=1e-6, atol=1e-8)
    quadratic = np.einsum("pg,gpq,qg->g", right, dense, right)
    np.testing.assert_allclose(normal.quadratic(entries, right), quadratic, rtol=1e-9)


def test_a_paired_design_stays_sparse() -> None:
    subjects = 25
    design = np.zeros((2 * subjects, subjects + 1))
    design[:, 0] = 1
    for subject in range(1, subjects):
        design[2 * subject : 2 * subject + 2, subject] = 1
    design[1::2, -1] = 1
    assert len(Normal(design).slot) == 3 * (subjects - 1) + 3


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), subjects=st.integers(2, 8), batches=st.booleans(), slope=st.booleans())
def test_a_sparser_plan_has_the_same_determinant(
    seed: int, subjects: int, batches: bool, slope: bool
) -> None:
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), 3)
    treated = np.tile([0.0, 1.0, 1.0], subjects)
    parts = [np.ones(3 * subjects), treated]
    parts += [np.tile([0.0, 0.0, 1.0], subjects) if slope else generator.normal(size=3 * subjects)]
    parts += [(subject == one).astype(float) for one in range(1, subjects)]
    parts += [(subject >= subjects // 2) * treated] if batches else []
    design = np.column_stack(parts)[:, generator.permutation(len(parts))]
    normal = Normal(design)
    weights = np.exp(generator.normal(size=(len(design), 4)))
    dense = np.einsum("np,ng,nq->gpq", design, weights, design)
    sparser = normal.sparser
    factor = sparser.factor(sparser.gram(sparser.by_cell(weights)))
    np.testing.assert_allclose(
        sparser.log_determinant(factor), np.linalg.slogdet(dense)[1], rtol=1e-9, atol=1e-9
    )
    assert len(sparser.slot) <= len(normal.slot)


def test_an_intercept_beside_subjects_becomes_the_first_subject() -> None:
    sparser = Normal(PAIRED).sparser
    assert sorted(np.count_nonzero(sparser.design, axis=0)) == [2, 2, 2, 3]
    assert len(sparser.slot) == 7
    assert sparser.sparser is sparser


@pytest.fixture
def objective() -> Objective:
    generator = np.random.default_rng(3)
    mu = np.exp(generator.normal(4, 1, (6, 40)))
    counts = generator.negative_binomial(5.0, 5.0 / (5.0 + mu)).astype(float)
    return Objective(Normal(PAIRED), counts, np.maximum(mu, 0.5), Prior(np.full(40, -1.5), 0.5))


def test_the_slope_is_the_derivative_of_the_objective(objective: Objective) -> None:
    at, h = np.linspace(-6, 1, 40), 1e-5
    value, slope = objective.value_and_slope(at)
    np.testing.assert_allclose(value, objective.value(at), rtol=1e-12)
    numeric = (objective.value(at + h) - objective.value(at - h)) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-5)


def test_exact_is_at_least_as_good_as_every_other_search(objective: Objective) -> None:
    best = objective.value(maximise(objective, 10.0))
    starts = [np.full(40, start) for start in (-18.0, -4.0, 1.0)]
    for other in [search_grid(objective, 10.0), *(ascend(objective, start).log_alpha for start in starts)]:
        loss = (objective.value(np.clip(other, np.log(1e-8), np.log(10))) - best) / np.abs(best)
        assert loss.max() <= 1e-12


def test_the_ascent_never_ends_below_its_start(objective: Objective) -> None:
    ascent = ascend(objective, np.full(40, -8.0))
    assert (ascent.value >= ascent.start_value).all()
    assert ascent.steps.max() <= 100
    np.testing.assert_allclose(objective.value(ascent.log_alpha), ascent.value, rtol=1e-12)


def _poisson_like(
    counts: NDArray[np.float64], *, exact: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    fit = fit_glm(Normal(PAIRED), counts, np.ones((6, 1)), np.full(counts.shape[1], 1e-6), exact=exact)
    return fit.beta, fit.converged


def test_regression_solves_its_score_equations() -> None:
    generator = np.random.default_rng(0)
    counts = generator.poisson(50, (6, 30)).astype(float)
    beta, converged = _poisson_like(counts)
    assert converged.all()
    residual = counts - means(Normal(PAIRED), np.ones((6, 1)), beta)
    np.testing.assert_allclose(PAIRED.T @ residual, 0, atol=1e-2)


def test_a_group_without_reads_gets_the_true_optimum() -> None:
    counts = np.array([[5, 0, 6, 0, 7, 0]], float).T.repeat(2, axis=1)
    counts[:, 1] = [5, 6, 7, 5, 6, 7]
    exact, _ = _poisson_like(counts, exact=True)
    floored, _ = _poisson_like(counts)
    assert -30 < exact[3, 0] < -8 < floored[3, 0] < -2
    assert abs(exact[3, 1]) < 1


def test_thresholds_apply_to_the_contrast() -> None:
    estimate, se = np.array([1.8, 0.2, -1.8]), np.full(3, 0.2)
    stat, p = wald_test(estimate, se, threshold=1.0)
    np.testing.assert_allclose(stat, [4.0, 0.0, -4.0])
    assert p[1] == 1.0
    assert wald_test(estimate, se, threshold=1.0, alternative="lessAbs")[1][1] < 1e-4
    greater = wald_test(estimate, se, threshold=1.0, alternative="greater")[1]
    less = wald_test(estimate, se, threshold=1.0, alternative="less")[1]
    np.testing.assert_allclose(greater[[0, 2]], less[[2, 0]])
    assert greater[0] < 1e-4 < 0.99 < greater[2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_monotone_and_not_smaller(values: list[float]) -> None:
    p = np.array([*values, np.nan])
    adjusted = benjamini_hochberg(p)
    assert np.isnan(adjusted[-1])
    assert (adjusted[:-1] >= p[:-1]).all()
    assert (np.diff(adjusted[:-1][np.argsort(p[:-1], kind="stable")]) >= 0).all()


def test_filtering_drops_uninformative_low_means() -> None:
    generator = np.random.default_rng(4)
    mean = np.concatenate([np.linspace(0.1, 1, 500), np.linspace(10, 100, 500)])
    p = np.concatenate([generator.uniform(size=500), generator.beta(0.1, 3, 500)])
    filtered = independent_filtering(mean, p, 0.1)
    assert filtered.threshold > 0.5
    assert np.isnan(filtered.padj[mean < filtered.threshold]).all()
    assert (filtered.padj < 0.1).sum() > (benjamini_hochberg(p) < 0.1).sum()


def test_lowess_reproduces_a_line() -> None:
    x = np.arange(50.0)
    np.testing.assert_allclose(lowess(x, 4 * x + 8, fraction=0.2, rounds=0), 4 * x + 8, rtol=1e-12)


def test_lowess_is_that_of_r() -> None:
    x = np.arange(1.0, 11.0)
    y = np.array([2, 4, 3, 6, 8, 7, 11, 9, 12, 30], float)
    r = [
        2.27528187568,
        3.17954599391,
        4.18271253629,
        5.72293431697,
        7.15266017676,
        8.43185193769,
        9.15711343209,
    ]
    np.testing.assert_allclose(
        lowess(x, y, fraction=0.5), [*r, 9.0, 20.54074167586, 29.35832292527], rtol=1e-9
    )


def test_the_trend_is_recovered_and_does_not_depend_on_gene_order() -> None:
    generator = np.random.default_rng(1)
    mean = np.exp(generator.normal(4, 1.5, 3000))
    dispersion = (0.05 + 2 / mean) * generator.gamma(10, 0.1, 3000)
    trend = fit_trend(mean, dispersion)
    assert trend.kind == "parametric"
    np.testing.assert_allclose(trend.coefficients, (0.05, 2.0), rtol=0.1)
    shuffled = generator.permutation(3000)
    assert fit_trend(mean[shuffled], dispersion[shuffled]).coefficients == trend.coefficients


def test_a_trend_that_rises_is_fitted_locally() -> None:
    mean = np.exp(np.linspace(0, 8, 400))
    trend = fit_trend(mean, 0.001 * mean)
    assert trend.kind == "local"
    np.testing.assert_allclose(trend(mean[100:300]), 0.001 * mean[100:300], rtol=0.05)


def test_without_overdispersion_the_trend_is_flat() -> None:
    trend = fit_trend(np.array([3.0, 4.0]), np.full(2, 1e-8))
    assert trend.kind == "mean"
    assert np.isnan(trend(np.zeros(1))).all()


@pytest.mark.parametrize("df", [1, 2, 3])
def test_with_few_degrees_of_freedom_the_prior_is_found_by_simulation(df: int) -> None:
    generator = np.random.default_rng(8)
    log_residual = np.log(generator.chisquare(df, 20_000) / df) + generator.normal(0, 1.0, 20_000)
    width = fit_prior(np.exp(log_residual), np.ones(20_000), df)
    assert width.variance == pytest.approx(1.0, abs=0.2)
    assert fit_prior(np.exp(log_residual), np.ones(20_000), df) == width


def test_poscounts_work_where_every_gene_has_a_zero() -> None:
    counts = np.array([[0, 10, 20], [5, 0, 20], [5, 10, 0]])
    factors = size_factors(counts, "poscounts")
    assert (np.diff(factors) > 0).all()
    assert np.log(factors).mean() == pytest.approx(0)


class _Bowls:
    """Sums of (x - centre)^4 + (x - centre)^2, one bowl per column."""

    def __init__(self, centres: NDArray[np.float64]) -> None:
        self.centres = centres

    def value_and_slope(self, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        off = at - self.centres
        return (off**4 + off**2).sum(axis=0), 4 * off**3 + 2 * off

    def take(self, genes: Any) -> _Bowls:
        return _Bowls(self.centres[:, genes])


def test_many_minima_are_found_at_once_as_each_alone() -> None:
    centres = np.random.default_rng(8).normal(0, 3, (3, 40))
    together = minimise(_Bowls(centres), np.zeros((3, 40)), np.ones(40), 1e-14)
    np.testing.assert_allclose(together, centres, atol=1e-6)
    for gene in (0, 17):
        alone = minimise(_Bowls(centres[:, [gene]]), np.zeros((3, 1)), np.ones(1), 1e-14)
        np.testing.assert_array_equal(alone[:, 0], together[:, gene])
    coarse = minimise(_Bowls(centres), np.zeros((3, 40)), np.ones(40), 1e-2)
    assert 1e-4 < np.abs(coarse - centres).max() < 0.2
