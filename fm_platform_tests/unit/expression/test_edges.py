"""Designs at the edges against DESeq2: nested factors, small and large covariates, genes emptied of outliers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, nbinom

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import plan_contrast
from fm_platform.expression.designs.design import build_design
from fm_platform.expression.fit.column_units import as_fitted, column_units
from fm_platform.expression.fit.model import Options
from fm_platform.expression.fit.results import DeResult
from fm_platform.expression.run import run_plan
from fm_platform.study.expression import Contrast

FROZEN = Path(__file__).resolve().parents[2] / "oracles" / "edges"
NESTED = "~ group + group:person + group:week"
GROUP, PERSON = ["hc"] * 4 + ["fm"] * 6, ["1", "1", "2", "2", "1", "1", "2", "2", "3", "3"]
WEEK = ["0", "12"] * 5
EMPTY = "group[hc]:person[T.3]"


def fitted(
    samples: Any, name: str, shrink: str | None = None, times: float = 1, plus: float = 0, **declared: Any
) -> tuple[DeResult, pl.DataFrame]:
    counts = pl.read_csv(FROZEN / f"counts_{name}.csv").drop("gene").to_numpy().astype(np.int64)
    sheet = pl.read_csv(FROZEN / f"samples_{name}.csv", infer_schema=False)
    if times != 1 or plus:
        sheet = sheet.with_columns((pl.col("fraction").cast(pl.Float64) * times + plus).cast(pl.String))
    theirs = pl.read_csv(FROZEN / f"results_{name}.csv", null_values="NA", infer_schema_length=None)
    plan = plan_contrast(samples(**sheet.to_dict(as_series=False)), Contrast(id="c", **declared))
    return run_plan(counts, None, theirs["gene"].to_list(), plan, shrink=shrink), theirs


def assert_equal(ours: pl.DataFrame, theirs: pl.DataFrame, per_unit: float = 1.0) -> None:
    scales = {"log2FoldChange": per_unit, "lfcSE": per_unit, "stat": 1.0, "pvalue": 1.0, "padj": 1.0}
    names = ("log2_fold_change", "lfc_se", "stat", "pvalue", "padj")
    for name, (theirs_name, scale) in zip(names, scales.items(), strict=True):
        values = theirs[theirs_name].cast(pl.Float64).to_numpy() * scale
        np.testing.assert_allclose(ours[name].to_numpy(), values, rtol=1e-7, atol=1e-11)


def test_individuals_nested_in_groups_of_unequal_size_are_fitted(samples: Any) -> None:
    result, theirs = fitted(
        samples, "nested", design=NESTED, vector={"groupfm.week12": 1.0, "grouphc.week12": -1.0}
    )
    assert_equal(result.frame, theirs)
    assert any(EMPTY in note for note in result.notes)


def test_nested_individuals_are_not_taken_for_independent(samples: Any) -> None:
    frame = samples(
        subject_column="id_of_person",
        id_of_person=[a + b for a, b in zip(GROUP, PERSON, strict=True)],
        group=GROUP,
        person=PERSON,
        week=WEEK,
    )
    nested = plan_contrast(frame, Contrast(id="c", design=NESTED, coefficient="group[fm]:week[T.12]"))
    assert "independent" not in (nested.reason or "")
    crossed = Contrast(id="c", design="~ group * week", coefficient="group[T.hc]:week[T.12]")
    assert "independent" in (plan_contrast(frame, crossed).reason or "")


def test_a_comparison_that_needs_a_column_without_a_sample_is_refused(samples: Any) -> None:
    design = build_design(
        samples(group=GROUP, person=PERSON, week=WEEK), NESTED, reference={"group": "hc", "week": "0"}
    )
    assert EMPTY not in design.columns
    assert dict(zip(design.columns, design.vector("week", "12", "0"), strict=True)) == {
        name: float(name == "group[hc]:week[T.12]") for name in design.columns
    }
    with pytest.raises(InputError, match=r"person 3 cannot be compared with 1: no sample has group\[hc\]"):
        design.vector("person", "3", "1")


def test_a_very_small_covariate_is_fitted_as_in_larger_units(samples: Any) -> None:
    result, theirs = fitted(
        samples, "fraction", design="~ fraction + group", covariates=("fraction",), coefficient="fraction"
    )
    assert_equal(result.frame, theirs, per_unit=1000.0)
    assert any("fitted in units of 0.001" in note for note in result.notes)


def test_units_are_powers_of_ten_and_leave_ordinary_columns_alone() -> None:
    columns = [[1.0, 0.0, 70.0, 0.1, 0.0009, -2e-7, 3e9], [1.0, 1.0, 20.0, 0.3, 0.0001, 1e-7, 0.0]]
    np.testing.assert_allclose(column_units(np.array(columns)), [1, 1, 1, 1, 1e3, 1e6, 1e-4], rtol=1e-14)


@pytest.mark.parametrize(
    ("times", "plus"), [(5_000, 2_019), (100_000, 45_000), (10_000, 20_240_100), (1e9, 1e14)]
)
def test_a_covariate_far_from_zero_is_fitted_as_from_its_mean(
    samples: Any, times: float, plus: float
) -> None:
    """Years, a spreadsheet's days, dates as one number, nanoseconds: R's own fit of these misses by up to 0.8 in p."""
    result, theirs = fitted(
        samples,
        "fraction",
        times=times,
        plus=plus,
        design="~ fraction + group",
        covariates=("fraction",),
        coefficient="fraction",
    )
    assert any("counted from its mean" in note for note in result.notes)
    for name, theirs_name in (("pvalue", "pvalue"), ("padj", "padj"), ("stat", "stat")):
        np.testing.assert_allclose(
            result.frame[name].to_numpy(),
            theirs[theirs_name].cast(pl.Float64).to_numpy(),
            rtol=1e-3,
            atol=1e-4,
        )


def test_every_column_far_from_zero_is_counted_from_the_mean_where_it_is_not_zero() -> None:
    group, year = np.repeat([0.0, 1.0], 4), np.array([2019.0, 2021, 2020, 2022, 2018, 2023, 2021, 2020])
    design = np.column_stack([1 - group, group, (1 - group) * year, group * year])
    made = as_fitted(design)
    np.testing.assert_allclose(design @ made.transform, made.design, atol=1e-9)
    np.testing.assert_allclose(made.centres, [0, 0, 2020.5, 2020.5])
    assert np.abs(made.design).max() < 3
    alone = as_fitted(year[:, None])
    np.testing.assert_array_equal(alone.design, year[:, None])


def test_beside_a_very_small_covariate_all_else_is_as_beside_the_same_one_times_1000(samples: Any) -> None:
    test = {"variable": "group", "level": "b", "reference": "a", "reduced": "~ fraction"}
    declared = {"design": "~ fraction + group", "covariates": ("fraction",), **test}
    (small, _), (large, _) = (fitted(samples, "fraction", "apeglm", times, **declared) for times in (1, 1000))
    for name in ("log2_fold_change", "lfc_se", "stat", "pvalue", "log2_fold_change_shrunk"):
        np.testing.assert_allclose(small.frame[name].to_numpy(), large.frame[name].to_numpy(), rtol=1e-8)


def test_genes_left_without_reads_have_deseq2s_values(samples: Any) -> None:
    result, theirs = fitted(samples, "replaced", design="~ group", variable="group", level="b", reference="a")
    assert_equal(result.frame, theirs)
    assert any(note.startswith("dispersion trend: 0.0") and note.endswith(" / mean") for note in result.notes)
    assert result.frame["pvalue"].head(2).to_list() == [1.0, 1.0]
    assert result.frame["na_reason"].head(2).to_list() == ["replaced_to_zero"] * 2


def test_where_reweighting_does_not_settle_fold_changes_are_those_of_deseq2s_second_search(
    samples: Any,
) -> None:
    result, theirs = fitted(
        samples,
        "age",
        design="~ age + group",
        covariates=("age",),
        variable="group",
        level="b",
        reference="a",
    )
    assert any("where DESeq2's second search ends" in note for note in result.notes)
    assert_equal(result.frame, theirs)


def test_in_exact_mode_a_group_without_reads_is_tested_by_its_likelihood_ratio(samples: Any) -> None:
    """A single read among eight samples is no finding, although the curvature at the bound would call it one."""
    rng = np.random.default_rng(8)
    counts = rng.negative_binomial(5, 0.05, (120, 8))
    counts[0], counts[1] = [0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 3, 9, 0, 4]
    declared = Contrast(id="c", design="~ group", variable="group", level="b", reference="a")
    plan = plan_contrast(samples(group=["a"] * 4 + ["b"] * 4), declared)
    result = run_plan(
        counts, None, [f"g{at}" for at in range(len(counts))], plan, options=Options(mode="exact")
    )
    assert result.facts is not None
    factors = np.array(result.size_factors)
    for gene in (0, 1):
        size = 1 / result.facts["dispersion"][gene]

        def likelihood(level: float, own: Any, gene: int = gene, size: float = size) -> float:
            mean = level * factors[own]
            return float(nbinom.logpmf(counts[gene, own], size, size / (size + mean)).sum())

        def best(own: Any) -> float:
            found = minimize_scalar(
                lambda level: -likelihood(math.exp(level), own), bounds=(-5, 5), method="bounded"
            )
            return -float(found.fun)

        ratio = 2 * (best(np.arange(4, 8)) - best(np.arange(8)))
        np.testing.assert_allclose(result.frame["pvalue"][gene], chi2.sf(ratio, 1), rtol=0.01)
    assert result.frame["pvalue"][0] > 0.1
