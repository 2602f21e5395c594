from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from fm_platform.expression.fit.descriptive import describe
from fm_platform.expression.fit.gaps import REASONS
from fm_platform.expression.fit.model import Options, fit_model
from fm_platform.expression.run import run_plan

GROUPS = ["a", "a", "a", "b", "b", "b", "c", "c", "c"]


@pytest.fixture
def counts(simulate: Any) -> np.ndarray:
    """Gene 0: an outlier in s2; 1: reads in c only; 2: no reads; 3: no count in s5; 4: few reads."""
    values = simulate(GROUPS, up_in="b", genes=1000)
    values[0] = [9, 90_000, 11, 10, 9, 12, 10, 9, 11]
    values[1] = [0, 0, 0, 0, 0, 0, 40, 50, 45]
    values[2] = 0
    values[3, 4] = -1
    values[4] = [0, 0, 1, 0, 0, 0, 0, 0, 0]
    values[400:700] = np.random.default_rng(3).poisson(0.3, (300, 9))
    return values


def _ids(counts: np.ndarray) -> list[str]:
    return [f"g{i}" for i in range(len(counts))]


def test_every_gap_has_a_reason_and_says_which_sample_or_mean(plan: Any, counts: np.ndarray) -> None:
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    frame = run_plan(counts, None, _ids(counts), made).frame
    reasons = dict(frame.select("gene_id", "na_reason").iter_rows())
    assert [reasons[f"g{i}"] for i in range(4)] == [
        "cooks_outlier",
        "contrast_all_zero",
        "all_zero",
        "not_counted",
    ]
    detail = frame.row(0, named=True)["na_detail"]
    assert detail.startswith("sample s2, Cook's distance ")
    assert frame.row(1, named=True)["pvalue"] == 1.0
    filtered = frame.filter(na_reason="low_mean_filtered")
    assert filtered.height > 0
    below = filtered["na_detail"].str.extract(r"^mean \S+ below (\S+)$").cast(pl.Float64)
    assert (filtered["base_mean"] < below).all()
    assert (
        frame.filter(pl.col("padj").is_not_null() & pl.col("na_reason").is_null())["base_mean"] >= below[0]
    ).all()
    missing = pl.any_horizontal(
        pl.col(name).is_null() for name in ("log2_fold_change", "lfc_se", "stat", "pvalue", "padj")
    )
    assert frame.filter(missing, pl.col("na_reason").is_null()).is_empty()
    assert set(frame["na_reason"].drop_nulls()) <= set(REASONS)


def test_facts_say_what_the_fit_found(plan: Any, counts: np.ndarray) -> None:
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    result = run_plan(counts, None, _ids(counts), made)
    assert result.facts is not None
    facts = {row["gene_id"]: row for row in result.facts.iter_rows(named=True)}
    assert {"g2", "g3"}.isdisjoint(facts)
    outlier = facts["g0"]
    assert (outlier["cooks_sample"], outlier["cooks_flagged"], outlier["cooks_replaced"]) == (
        "s2",
        True,
        False,
    )
    assert outlier["cooks_distance"] > outlier["cooks_cutoff"]
    plain = [row for row in facts.values() if not row["dispersion_outlier"]]
    assert all(row["dispersion"] == row["dispersion_map"] for row in plain)
    kept = [row for row in facts.values() if row["dispersion_outlier"]]
    assert all(row["dispersion"] == row["dispersion_gene_wise"] > row["dispersion_trend"] for row in kept)
    assert len({row["dispersion_prior_variance"] for row in facts.values()}) == 1


@pytest.mark.parametrize(
    ("mode", "p_value", "rest", "reason"),
    [("r_compat", 1.0, 0.0, "replaced_to_zero"), ("exact", None, None, "cooks_outlier")],
)
def test_a_gene_whose_only_reads_are_an_outlier_is_not_called_all_zero(
    plan: Any, simulate: Any, mode: Any, p_value: float | None, rest: float | None, reason: str
) -> None:
    groups = ["a"] * 8 + ["b"] * 8
    values = simulate(groups, up_in="b", genes=300)
    values[0] = 0
    values[0, 5] = 900
    made = plan("~ group", "group", "b", "a", group=groups)
    row = run_plan(values, None, _ids(values), made, options=Options(mode=mode)).frame.row(0, named=True)
    assert (row["pvalue"], row["na_reason"]) == (p_value, reason)
    assert (row["log2_fold_change"], row["lfc_se"], row["stat"], row["padj"]) == (*[rest] * 3, None)
    assert row["na_detail"].startswith("sample s6, ")
    assert row["na_detail"].endswith("without its reads the gene has none")


def test_outliers_can_be_left_as_they_are(simulate: Any) -> None:
    groups = ["a"] * 8 + ["b"] * 8
    values = simulate(groups, up_in="b", genes=200)
    values[0, 0] = 500_000
    design = np.column_stack([np.ones(16), np.repeat([0.0, 1.0], 8)])
    model = fit_model(values, design, Options(replace_outliers=False))
    assert not model.replaced.any()
    assert model.outlier[0]


def test_one_against_one_gives_fold_changes_and_no_test(plan: Any) -> None:
    made = plan("~ week", "week", "12", "0", week=["0", "12"])
    counts = np.array([[100, 200], [50, 100], [30, 60], [0, 0], [10, 160], [-1, 4]])
    result = describe(counts, None, _ids(counts), made)
    frame = result.frame
    assert frame["pvalue"].null_count() == frame["padj"].null_count() == frame["lfc_se"].null_count() == 6
    fold = frame["log2_fold_change"].to_list()
    assert fold[0] == pytest.approx(0, abs=0.02)
    assert fold[4] == pytest.approx(3, abs=0.15)
    assert frame["na_reason"].to_list() == [*["unreplicated"] * 3, "all_zero", "unreplicated", "not_counted"]
    assert (result.n_tested, result.n_significant) == (0, 0)
    assert "no test" in result.notes[-1]
