"""The engine as a whole: against R's frozen results, and the same under every way of cutting the work."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fm_platform.expression.fit.blocks import Workers
from fm_platform.expression.fit.compare import Compared, Hypothesis, compare
from fm_platform.expression.fit.dispersion import Objective, Prior
from fm_platform.expression.fit.dispersion_search import maximise
from fm_platform.expression.fit.irls import RIDGE, log_likelihood, means
from fm_platform.expression.fit.model import Model, Options, fit_model
from fm_platform.expression.fit.posterior import Posterior
from fm_platform.expression.fit.shrinkage import posterior_modes
from fm_platform.expression.fit.stages import coefficients, gene_wise
from fm_platform.expression.fit.vst import vst

GROUPS = ["a", "b"] * 8
DESIGN = np.column_stack([np.ones(16), [group == "b" for group in GROUPS]]).astype(float)


def _test(model: Model, counts: NDArray[np.int64], *, shrink: bool = False, **hypothesis: Any) -> Compared:
    silent = np.zeros(len(counts), dtype=bool)
    vector = np.eye(model.setting.normal.shape[1])[-1]
    return compare(model, counts, vector, silent, Hypothesis(**hypothesis), alpha=0.1, shrink=shrink)


def _frozen(path: Path) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema_length=0, null_values="NA")
    return frame.with_columns(pl.exclude("").replace({"TRUE": "1", "FALSE": "0"}).cast(pl.Float64))


def _column(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return frame[name].to_numpy().astype(np.float64)


@pytest.fixture(scope="module")
def pasilla(shared_data: Path) -> tuple[NDArray[np.int64], Path, Model]:
    folder = shared_data / "pasilla" / "oracle_R_DESeq2_1.38.3"
    design = _frozen(folder / "design_matrix.csv.gz")
    table = pl.read_csv(shared_data / "pasilla" / "pasilla_gene_counts.tsv", separator="\t")
    counts = np.ascontiguousarray(table.select(design[:, 0].to_list()).to_numpy().astype(np.int64))
    return counts, folder, fit_model(counts, design[:, 1:].to_numpy())


def test_pasilla_agrees_with_r_stage_by_stage(pasilla: Any) -> None:
    counts, folder, model = pasilla
    stages, results = _frozen(folder / "mcols.csv.gz"), _frozen(folder / "results.csv.gz")
    for ours, theirs, limit in (
        (model.base_mean, "baseMean", 1e-12),
        (model.gene_wise, "dispGeneEst", 1e-9),
        (model.trend_values, "dispFit", 1e-8),
        (model.dispersion, "dispersion", 1e-8),
    ):
        r = _column(stages, theirs)
        assert (np.isnan(ours) | (ours == 0)).tolist() == (np.isnan(r) | (r == 0)).tolist()
        with np.errstate(invalid="ignore"):
            assert np.nanquantile(np.abs(ours / r - 1), 0.99) < limit, theirs
    tested = _test(model, counts)
    p, padj = _column(results, "pvalue"), _column(results, "padj")
    assert np.nanquantile(np.abs(tested.p - p), 0.99) < 1e-8
    assert np.isnan(tested.p).tolist() == np.isnan(p).tolist()
    assert np.isnan(tested.padj).tolist() == np.isnan(padj).tolist()
    assert (tested.padj < 0.05).tolist() == (padj < 0.05).tolist()


def test_thresholds_and_likelihood_ratios_are_those_of_r(pasilla: Any) -> None:
    counts, folder, model = pasilla
    above = _test(model, counts, threshold=1.0)
    r = _frozen(folder / "results_lfc1_greaterAbs.csv.gz")
    assert np.nanmax(np.abs(above.stat - _column(r, "stat"))) < 1e-6
    assert np.nanmax(np.abs(above.p - _column(r, "pvalue"))) < 1e-8
    ratio = _test(model, counts, reduced=model.setting.normal.design[:, :2])
    r = _frozen(folder / "results_LRT.csv.gz")
    assert np.nanquantile(np.abs(ratio.p - _column(r, "pvalue")), 0.99) < 1e-8


def test_exact_is_nowhere_worse_than_r_on_r_s_own_objectives(pasilla: Any) -> None:
    """Given R's fitted means, trend, prior and dispersions; every fifth gene."""
    counts, folder, model = pasilla
    stages = _frozen(folder / "mcols.csv.gz")
    genes = np.flatnonzero(np.isfinite(model.dispersion))[::5]
    used, normal = np.ascontiguousarray(counts[genes].T).astype(float), model.setting.normal
    factors = model.size_factors[:, None]
    level = gene_wise(used, None, model.setting)["level"]
    mu = np.maximum(normal.spread(level) * factors, 0.5)
    exact = replace(model.setting, exact=True)
    objectives = [Objective(normal, used, mu)]
    objectives.append(
        replace(objectives[0], prior=Prior(np.log(model.trend_values[genes]), model.prior.variance))
    )
    for objective, name in zip(objectives, ("dispGeneEst", "dispMAP"), strict=True):
        ours = objective.value(maximise(objective, 10.0))
        theirs = objective.value(np.log(_column(stages, name)[genes]))
        assert ((theirs - ours) / np.abs(ours)).max() <= 1e-9
        assert ((ours - theirs) / np.abs(ours)).max() > 1e-8
    dispersion = _column(stages, "dispersion")[genes]
    first = stages.columns.index("dispMAP") + 1
    of_r = np.stack([_column(stages, name)[genes] for name in stages.columns[first : first + 3]]) * np.log(2)
    values = []
    for beta in (coefficients(used, None, dispersion, exact)["beta"], of_r):
        fit = log_likelihood(used, means(normal, factors, beta, floor=0.0), dispersion)
        values.append(fit - 0.5 * RIDGE * (beta**2).sum(axis=0))
    assert ((values[1] - values[0]) / np.abs(values[0])).max() <= 1e-9


def test_the_blind_transformation_is_that_of_r(pasilla: Any) -> None:
    counts, folder, _ = pasilla
    r = pl.read_csv(folder / "vst_blind.csv.gz")[:, 1:].to_numpy()
    np.testing.assert_allclose(vst(counts), r, atol=1e-8)


def test_airway_finds_the_prior_of_three_degrees_of_freedom(shared_data: Path) -> None:
    folder = shared_data / "airway" / "oracle_R_DESeq2_1.38.3"
    design = _frozen(folder / "design_matrix.csv.gz")
    table = pl.read_csv(shared_data / "airway" / "airway_rawcounts.csv")
    counts = np.ascontiguousarray(table.select(design[:, 0].to_list()).to_numpy().astype(np.int64))
    model = fit_model(counts, design[:, 1:].to_numpy())
    assert model.prior.variance == pytest.approx(0.528528528528528, abs=1e-12)
    r = _frozen(folder / "results.csv.gz")
    tested = _test(model, counts)
    assert np.nanquantile(np.abs(tested.p - _column(r, "pvalue")), 0.99) < 1e-8
    assert (tested.padj < 0.05).tolist() == (_column(r, "padj") < 0.05).tolist()


def test_replaced_outliers_and_refits_are_those_of_r(shared_data: Path) -> None:
    folder = shared_data / "tb_suscept" / "oracle_R_DESeq2_1.38.3_status"
    design = _frozen(folder / "design_matrix.csv.gz")
    lines = (shared_data / "tb_suscept" / "counts.txt").read_text().splitlines()
    samples = [name for name in lines[0].split("\t") if name]
    places = [samples.index(name) + 1 for name in design[:, 0]]
    counts = np.array([[int(cells[i]) for i in places] for cells in (line.split("\t") for line in lines[1:])])
    model = fit_model(counts, design[:, 1:].to_numpy())
    assert model.replaced.sum() == 57
    stages, r = _frozen(folder / "mcols.csv.gz"), _frozen(folder / "results.csv.gz")
    assert model.replaced.tolist() == (_column(stages, "replace") == 1).tolist()
    tested = _test(model, counts)
    assert np.isnan(tested.p).tolist() == np.isnan(_column(r, "pvalue")).tolist()
    assert np.nanquantile(np.abs(tested.p - _column(r, "pvalue")), 0.99) < 1e-8


def _synthetic(
    shared_data: Path, name: str, labels: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and design; the last level of each label is compared with the others."""
    root = shared_data / "pydeseq2_r_oracle"
    own = root / "tests/data" / name
    folder = own if (own / "test_counts.csv").exists() else root / "datasets/synthetic"
    counts = pl.read_csv(folder / "test_counts.csv")[:, 1:].to_numpy().astype(np.int64)
    sheet = pl.read_csv(folder / "test_metadata.csv")
    columns = [sheet[label] for label in labels]
    design = [column if column.dtype.is_numeric() else column == column.max() for column in columns]
    return np.ascontiguousarray(counts), np.column_stack([np.ones(sheet.height), *design]).astype(float)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("single_factor", ["condition"]),
        ("multi_factor", ["group", "condition"]),
        ("continuous", ["group", "condition", "measurement"]),
    ],
)
def test_shrunken_fold_changes_are_apeglm_s(shared_data: Path, name: str, labels: list[str]) -> None:
    counts, design = _synthetic(shared_data, name, labels)
    tested = _test(fit_model(counts, design), counts, shrink=True)
    assert tested.shrunk is not None
    assert tested.shrunk_se is not None
    r = _frozen(shared_data / "pydeseq2_r_oracle/tests/data" / name / "r_test_lfc_shrink_res.csv")
    np.testing.assert_allclose(tested.shrunk, _column(r, "log2FoldChange"), rtol=1e-9)
    np.testing.assert_allclose(tested.shrunk_se, _column(r, "lfcSE"), rtol=1e-5)


def test_r_s_shrinkage_ends_short_of_the_mode_that_exact_finds(shared_data: Path) -> None:
    counts, design = _synthetic(shared_data, "multi_factor", ["group", "condition"])
    model = fit_model(counts, design)
    own = None
    used = np.ascontiguousarray(counts.T.astype(np.float64))
    made = {
        exact: posterior_modes(
            used, own, model.beta, model.dispersion, replace(model.setting, exact=exact), 2, 0.5
        )
        for exact in (False, True)
    }
    posterior = Posterior(model.setting.normal, used, model.size_factors[:, None], model.dispersion, 2, 0.5)
    early, late = (posterior.value(made[exact]["beta"]) for exact in (False, True))
    assert (late <= early * (1 + 1e-13)).all()
    assert ((early - late) / posterior.value_at_zero()).max() < 1e-6
    slope = posterior.curvature(made[True]["beta"])[0]
    assert np.abs(slope).max() < 1e-4
    relative = np.abs(made[False]["mode"] / made[True]["mode"] - 1)
    assert 1e-4 < relative.max() < 2e-2


def test_alternatives_are_those_of_r(shared_data: Path) -> None:
    root = shared_data / "pydeseq2_r_oracle"
    counts, design = _synthetic(shared_data, "single_factor", ["condition"])
    model = fit_model(counts, design)
    for alternative in ("greater", "less", "greaterAbs", "lessAbs"):
        tested = _test(model, counts, threshold=0.5, alternative=alternative)
        r = _frozen(root / "tests/data/single_factor" / f"r_test_res_{alternative}.csv")
        np.testing.assert_allclose(tested.stat, _column(r, "stat"), atol=1e-10)
        np.testing.assert_allclose(tested.p, _column(r, "pvalue"), atol=1e-10)


def _digest(model: Model, tested: Compared, order: NDArray[np.int64] | None = None) -> str:
    digest = hashlib.sha256()
    fitted = (model.base_mean, model.gene_wise, model.dispersion, model.beta, model.max_cooks, model.outlier)
    for values in (*fitted, tested.estimate, tested.se, tested.stat, tested.p, tested.padj, tested.shrunk):
        assert values is not None
        digest.update(np.ascontiguousarray(values if order is None else values[..., order]).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("mode", ["r_compat", "exact"])
def test_results_do_not_depend_on_blocks_workers_or_gene_order(simulate: Any, mode: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=300)
    counts[7, 0] = 400_000
    counts[9] = 0
    whole = fit_model(counts, DESIGN, Options(mode=mode))
    expected = _digest(whole, _test(whole, counts, shrink=True))
    for workers in (Workers(1, block=1), Workers(1, block=77), Workers(2, block=120)):
        model = fit_model(counts, DESIGN, Options(mode=mode, workers=workers))
        assert _digest(model, _test(model, counts, shrink=True)) == expected
    shuffled = np.random.default_rng(2).permutation(len(counts))
    other = np.ascontiguousarray(counts[shuffled])
    model = fit_model(other, DESIGN, Options(mode=mode))
    assert _digest(model, _test(model, other, shrink=True), np.argsort(shuffled)) == expected
    assert whole.replaced[7]


def test_outliers_stay_when_they_are_not_to_be_replaced(simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=100)
    counts[7, 0] = 400_000
    kept = fit_model(counts, DESIGN, Options(replace_outliers=False))
    replaced = fit_model(counts, DESIGN)
    assert not kept.replaced.any()
    assert np.flatnonzero(replaced.replaced).tolist() == [7]
    assert kept.outlier[7]
    assert not replaced.outlier[7]
    assert kept.base_mean[7] > 10 * replaced.base_mean[7]


def test_two_threads_or_processes_give_what_one_gives(simulate: Any) -> None:
    """On a matrix large enough that two are really used."""
    counts = simulate(["a", "b"] * 100, up_in="b", genes=2600)
    design = np.column_stack([np.ones(200), np.arange(200) % 2]).astype(float)
    digests = set()
    for workers in (Workers(1), Workers(2), Workers(2, "processes")):
        assert workers.used(*counts.shape) == workers.count
        model = fit_model(counts, design, Options(workers=workers))
        digests.add(_digest(model, _test(model, counts, shrink=True)))
    assert len(digests) == 1


def test_normalization_factors_that_repeat_size_factors_change_nothing(simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=150)
    plain = fit_model(counts, DESIGN)
    repeated = np.repeat(plain.size_factors[None], len(counts), axis=0)
    offsets = fit_model(counts, DESIGN, Options(factors=repeated))
    np.testing.assert_allclose(offsets.dispersion, plain.dispersion, rtol=1e-9)
    np.testing.assert_allclose(_test(offsets, counts).p, _test(plain, counts).p, rtol=1e-8)
    doubled = repeated.copy()
    doubled[0, DESIGN[:, 1] == 1] *= 2
    longer = fit_model(counts, DESIGN, Options(factors=doubled))
    shift = _test(longer, counts).estimate[0] - _test(plain, counts).estimate[0]
    assert shift == pytest.approx(-1.0, abs=0.05)


def test_pydeseq2_with_our_arithmetic_gives_our_results(simulate: Any) -> None:
    import pandas as pd
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats
    from pydeseq2.inference import Inference

    from fm_platform.expression.fit.fast_inference import fast_inference

    groups = ["a", "b"] * 4
    counts = simulate(groups, up_in="b", genes=400)
    design = np.column_stack([np.ones(8), [group == "b" for group in groups]]).astype(float)
    inference = fast_inference()
    assert isinstance(inference, Inference)
    assert not [name for name in Inference.__abstractmethods__ if not hasattr(inference, name)]
    names = [f"s{i}" for i in range(8)]
    dataset = DeseqDataSet(
        counts=pd.DataFrame(counts.T, index=names, columns=[f"g{i}" for i in range(len(counts))]),
        metadata=pd.DataFrame(index=names),
        design=pd.DataFrame(design, index=names, columns=["Intercept", "b"]),
        inference=inference,
        quiet=True,
    )
    dataset.deseq2()
    stats = DeseqStats(dataset, contrast=np.array([0.0, 1.0]), inference=inference, quiet=True)
    stats.summary()
    stats.lfc_shrink(coeff="b")
    model = fit_model(counts, design)
    ours = _test(model, counts, shrink=True)
    np.testing.assert_allclose(stats.p_values.to_numpy(), ours.p, atol=1e-5)
    assert ours.shrunk is not None
    np.testing.assert_allclose(stats.LFC["b"].to_numpy() / np.log(2), ours.shrunk, atol=1e-3)
