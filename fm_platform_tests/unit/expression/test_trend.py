"""The dispersion trend against DESeq2's and locfit's: which curve is taken, and its values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fm_platform.expression.fit.compare import Hypothesis, compare
from fm_platform.expression.fit.local_quadratic import fit_local
from fm_platform.expression.fit.model import fit_model
from fm_platform.expression.fit.trend import fit_trend, parametric

FROZEN = Path(__file__).resolve().parents[2] / "oracles" / "trends"
TRENDS = pl.read_csv(FROZEN / "trends.csv", null_values="NA")
SMOOTHED = ["even", "clump", "ties", "three"]
LOCAL, PARAMETRIC = 1e-6, 1e-9


def design(name: str, n_samples: int) -> np.ndarray:
    columns = [np.ones(n_samples), np.repeat([0.0, 1.0], n_samples // 2)]
    if name == "paired":
        columns[1:1] = [np.array([0.0, 1, 0, 0, 1, 0]), np.array([0.0, 0, 1, 0, 0, 1])]
    if name == "depths":
        columns[1:1] = [np.array([0.0, 1] * 4)]
    return np.stack(columns, axis=1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("r", TRENDS.to_dicts(), ids=TRENDS["set"].to_list())
def test_trend_and_results_are_deseq2s(r: dict) -> None:
    counts = pl.read_csv(FROZEN / f"counts_{r['set']}.csv").drop("gene").to_numpy()
    theirs = pl.read_csv(FROZEN / f"results_{r['set']}.csv", null_values="NA", infer_schema_length=None)
    matrix = design(r["set"], counts.shape[1])
    model = fit_model(counts, matrix)
    tested = compare(
        model, counts, np.eye(matrix.shape[1])[-1], np.zeros(len(counts), bool), Hypothesis(), alpha=0.1
    )
    assert model.trend.kind == r["kind"]
    assert model.prior.variance == pytest.approx(r["prior"], rel=1e-9)
    if r["kind"] == "parametric":
        np.testing.assert_allclose(model.trend.coefficients, (r["a0"], r["a1"]), rtol=PARAMETRIC)
    tolerance = PARAMETRIC if r["kind"] == "parametric" else LOCAL
    pairs = [(model.trend_values, "trend"), (tested.estimate, "log2FoldChange"), (tested.se, "lfcSE")]
    for ours, name in [*pairs, (tested.p, "pvalue"), (tested.padj, "padj")]:
        np.testing.assert_allclose(ours, theirs[name].cast(float).to_numpy(), rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTHED)
def test_the_local_curve_is_locfits_between_and_beyond_the_points(name: str) -> None:
    table = pl.read_csv(FROZEN / f"local_{name}.csv", null_values="NA").sort("x")
    points = table.drop_nulls()
    curve = fit_local(*(points[column].to_numpy() for column in ("x", "y", "weight")))
    np.testing.assert_allclose(curve(table["x"].to_numpy()), table["fitted"].to_numpy(), rtol=1e-7)


def test_a_round_whose_regression_does_not_settle_is_no_reason_to_give_up() -> None:
    table = pl.read_csv(FROZEN / "unsettled_round.csv").sort("mean")
    found = parametric(table["mean"].to_numpy(), table["dispersion"].to_numpy())
    np.testing.assert_allclose(found, table.select("a0", "a1").row(0), rtol=1e-9)


def test_many_equal_points_end_the_halving_of_cells() -> None:
    x = np.repeat([0.0, 1.0, 9.0], [80, 15, 5])
    curve = fit_local(x, np.sin(np.arange(100.0)), np.ones(100))
    assert np.isfinite(curve(np.linspace(-1, 10, 50))).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_genes", [1, 2])
def test_one_or_two_genes_have_a_trend(n_genes: int) -> None:
    means, dispersions = np.array([5.0, 5.0])[:n_genes], np.array([0.1, 0.2])[:n_genes]
    trend = fit_trend(means, dispersions)
    assert trend.kind == "local"
    assert dispersions.min() <= trend(means)[0] * (1 + 1e-12)
    assert trend(means)[0] <= dispersions.max() * (1 + 1e-12)
