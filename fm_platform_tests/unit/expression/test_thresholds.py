"""Thresholds on a contrast of two levels of which neither is the reference, against DESeq2's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fm_platform.expression.fit.compare import Hypothesis, compare
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.model import Model, fit_model

FROZEN = Path(__file__).resolve().parents[2] / "oracles" / "three_groups"
GROUPS = np.array(["a", "b", "c"] * 4)
COLUMNS = ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
ALTERNATIVES = ("greaterAbs", "lessAbs", "greater", "less")


@pytest.fixture(scope="module")
def counts() -> NDArray[np.int64]:
    return np.ascontiguousarray(pl.read_csv(FROZEN / "counts.csv")[:, 1:].to_numpy().astype(np.int64))


@pytest.fixture(scope="module")
def model(counts: NDArray[np.int64]) -> Model:
    """With a as the reference, as in R."""
    return fit_model(counts, np.stack([np.ones(12), GROUPS == "b", GROUPS == "c"], axis=1).astype(float))


@pytest.fixture(scope="module")
def engine() -> DeEngine:
    return DeEngine()


def _of_r(alternative: str) -> list[NDArray[np.float64]]:
    table = pl.read_csv(FROZEN / f"{alternative}.csv", null_values="NA")
    return [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in COLUMNS]


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_c_against_b_with_a_threshold_of_one_is_that_of_r(
    counts: NDArray[np.int64], model: Model, alternative: Any
) -> None:
    silent = ~counts[:, GROUPS != "a"].any(axis=1)
    hypothesis = Hypothesis(threshold=1.0, alternative=alternative)
    ours = compare(model, counts, np.array([0.0, -1.0, 1.0]), silent, hypothesis, alpha=0.1)
    r = _of_r(alternative)
    for values, expected in zip((ours.estimate, ours.se, ours.stat, ours.p, ours.padj), r, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
    assert 5 < (r[3] < 0.05).sum() < len(counts)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_a_planned_contrast_gives_the_same(
    plan: Any, counts: NDArray[np.int64], engine: DeEngine, alternative: Any
) -> None:
    """The plan takes b as the reference of the design, which the ridge notices in the sixth digit."""
    made = plan("~ group", "group", "c", "b", group=list(GROUPS))
    hypothesis = Hypothesis(threshold=1.0, alternative=alternative)
    ids = [f"g{i}" for i in range(1, len(counts) + 1)]
    frame = engine.run(counts, ids, made, hypothesis=hypothesis).frame
    ours = frame.select("log2_fold_change", "lfc_se", "stat", "pvalue", "padj")
    for values, expected in zip(ours.iter_columns(), _of_r(alternative), strict=True):
        np.testing.assert_allclose(values.fill_null(np.nan).to_numpy(), expected, rtol=1e-4, atol=1e-5)
