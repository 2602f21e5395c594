"""Tests of an interaction by coefficient, vector and likelihood ratio, and size factors, against DESeq2's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import plan_contrast
from fm_platform.expression.designs.sizing import sizing
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.model import Mode
from fm_platform.expression.fit.results import DeResult
from fm_platform.expression.run import run_plan
from fm_platform.study.expression import Contrast, SizeFactorsSource

FROZEN = Path(__file__).resolve().parents[2] / "oracles" / "interaction"
GROUP = ["fm"] * 6 + ["hc"] * 6
WEEK = ["0", "12"] * 6
COLUMNS = ("log2_fold_change", "lfc_se", "stat", "pvalue", "padj")
OF_R = ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
SEPARATED = 7
"""The first genes lack reads in whole cells of the design, or have an outlier."""
INTERACTION = "group[T.fm]:week[T.12]"
WEEK_IN_FM = {"week[T.12]": 1.0, INTERACTION: 1.0}
GROUP_AGAINST_WEEK = {"group[T.fm]": 1.0, "week[T.12]": -1.0}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return pl.read_csv(FROZEN / "counts.csv")


@pytest.fixture(scope="module")
def given() -> pl.DataFrame:
    return pl.read_csv(FROZEN / "size_factors.csv")


@pytest.fixture(scope="module")
def engine() -> DeEngine:
    return DeEngine()


def contrast(**keys: Any) -> Contrast:
    return Contrast(id="c", design="~ group * week", reference_levels={"group": "hc"}, **keys)


@pytest.fixture
def fit(samples: Any, table: pl.DataFrame, given: pl.DataFrame, engine: DeEngine) -> Any:
    def run(
        declared: Contrast,
        size_factors: dict[str, Any] | None = None,
        lengths: NDArray[np.float64] | None = None,
        mode: Mode = "r_compat",
    ) -> DeResult:
        frame = samples(group=GROUP, week=WEEK, sf=[f"{factor}" for factor in given["given"]])
        counts = np.ascontiguousarray(table[:, 1:].to_numpy().astype(np.int64))
        plan = plan_contrast(frame, declared)
        sized = SizeFactorsSource(**(size_factors or {}))
        options = replace(sizing(sized, frame, table["gene"].to_list(), plan, 12), mode=mode)
        return run_plan(
            counts,
            lengths,
            table["gene"].to_list(),
            plan,
            engine=engine,
            shrink=declared.shrink,
            options=options,
        )

    return run


def _agrees(result: DeResult, name: str, tolerance: float = 1e-6) -> None:
    r = pl.read_csv(FROZEN / f"{name}.csv", null_values="NA", infer_schema_length=None)
    assert result.frame["gene_id"].to_list() == r["gene"].to_list()
    for ours, theirs in zip(COLUMNS, OF_R, strict=True):
        found = result.frame[ours].fill_null(np.nan).to_numpy()
        expected = r[theirs].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-10, err_msg=f"{name} {theirs}")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("coefficient", {"coefficient": INTERACTION}),
        ("coefficient", {"coefficient": "groupfm.week12"}),
        ("week_in_fm", {"vector": WEEK_IN_FM}),
        ("week_in_fm", {"vector": {"week_12_vs_0": 1.0, "groupfm.week12": 1.0}}),
        ("group_against_week", {"vector": GROUP_AGAINST_WEEK}),
        ("threshold", {"vector": WEEK_IN_FM, "lfc_threshold": 0.5, "alternative": "greater"}),
    ],
)
def test_a_test_of_an_interaction_is_that_of_r(fit: Any, name: str, keys: dict[str, Any]) -> None:
    _agrees(fit(contrast(**keys)), name)


def test_a_likelihood_ratio_is_that_of_r(fit: Any) -> None:
    result = fit(contrast(coefficient=INTERACTION, reduced="~ group", label="Any change"))
    _agrees(result, "lrt")
    assert f"compared: {INTERACTION}" in result.notes
    assert any(
        "likelihood-ratio test against ~ group (2 degrees of freedom)" in note for note in result.notes
    )


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("poscounts", {"kind": "poscounts"}),
        ("control", {"control_genes": tuple(f"g{i}" for i in range(11, 41))}),
        ("given", {"column": "sf"}),
    ],
)
def test_size_factors_are_those_of_r(fit: Any, given: pl.DataFrame, name: str, how: dict[str, Any]) -> None:
    result = fit(contrast(coefficient=INTERACTION), how)
    np.testing.assert_allclose(result.size_factors, given[name].to_numpy(), rtol=1e-10)
    _agrees(result, name)


def test_genes_without_reads_where_a_vector_of_both_signs_looks_say_nothing(fit: Any) -> None:
    """g5 has reads in healthy subjects at week 0 only; R has no such rule for a coefficient or weights of one sign."""
    reasons = dict(fit(contrast(vector=GROUP_AGAINST_WEEK)).frame.select("gene_id", "na_reason").iter_rows())
    assert (reasons["g4"], reasons["g5"], reasons["g7"]) == ("all_zero", "contrast_all_zero", "cooks_outlier")
    of_one_sign = fit(contrast(vector=WEEK_IN_FM)).frame
    assert of_one_sign.filter(pl.col("gene_id") == "g5")["na_reason"].to_list() != ["contrast_all_zero"]


def test_a_vector_shrinks_like_the_level_pair_it_equals(fit: Any) -> None:
    """The effect of the week in fm subjects is the week's coefficient where fm is what the group is coded against; the
    other coefficients, which have a wide prior, are not the same."""
    vector = fit(contrast(vector=WEEK_IN_FM, shrink="apeglm"), mode="exact").frame[SEPARATED:]
    levels = {"variable": "week", "level": "12", "reference": "0", "reference_levels": {"group": "fm"}}
    recoded = Contrast(id="c", design="~ group * week", shrink="apeglm", **levels)
    pair = fit(recoded, mode="exact").frame[SEPARATED:]
    for name, tolerance in (("log2_fold_change", 1e-4), ("log2_fold_change_shrunk", 2e-2)):
        np.testing.assert_allclose(
            vector[name].to_numpy(), pair[name].to_numpy(), rtol=tolerance, atol=tolerance
        )
    assert (vector["log2_fold_change_shrunk"].abs() < vector["log2_fold_change"].abs()).mean() > 0.9


def test_a_column_that_the_design_lacks_is_named_with_those_it_has(fit: Any) -> None:
    with pytest.raises(InputError) as caught:
        fit(contrast(coefficient="group[T.hc]:week[T.12]"))
    assert "did you mean 'group[T.fm]:week[T.12]'?" in str(caught.value)
    assert "Intercept, group[T.fm], week[T.12], group[T.fm]:week[T.12]" in str(caught.value)


@pytest.mark.parametrize("name", ["groupfm.week12", "week12.groupfm"])
def test_an_interaction_goes_by_rs_name_whatever_its_order_in_the_formula(samples: Any, name: str) -> None:
    table = samples(group=["hc", "hc", "hc", "fm", "fm", "fm"] * 2, week=["0"] * 6 + ["12"] * 6)
    declared = Contrast(
        id="c",
        design="~ group + week:group",
        coefficient=name,
        reference_levels={"group": "hc", "week": "0"},
    )
    plan = plan_contrast(table, declared)
    assert plan.design is not None
    assert plan.vector is not None
    assert [plan.design.columns[at] for at in plan.vector.nonzero()[0]] == ["week[T.12]:group[fm]"]


def test_two_names_of_one_column_are_refused(fit: Any) -> None:
    with pytest.raises(InputError, match="twice"):
        fit(contrast(vector={"group[T.fm]": 1.0, "group_fm_vs_hc": -1.0}))


def test_a_reference_level_that_no_sample_has_is_refused(samples: Any) -> None:
    declared = Contrast(
        id="c", design="~ group", coefficient="group[T.fm]", reference_levels={"group": "healthy"}
    )
    with pytest.raises(InputError, match="use one of: fm, hc"):
        plan_contrast(samples(group=GROUP), declared)


def test_a_coefficient_that_rests_on_one_sample_is_exploratory(samples: Any) -> None:
    group, week = ["a"] * 6 + ["b"] * 4, ["0"] * 3 + ["1"] * 3 + ["0"] * 3 + ["1"]
    declared = Contrast(id="c", design="~ group * week", coefficient="group[T.b]:week[T.1]")
    plan = plan_contrast(samples(group=group, week=week), declared)
    assert (plan.status, plan.reason) == ("exploratory", "what is compared rests on a single sample (s10)")
    other = Contrast(id="c", design="~ group * week", coefficient="week[T.1]")
    assert plan_contrast(samples(group=group, week=week), other).status == "run"


def test_a_reduced_design_that_is_no_part_is_refused_when_planned(samples: Any) -> None:
    declared = Contrast(id="c", design="~ group", coefficient="group[T.hc]", reduced="~ week")
    with pytest.raises(InputError, match="not a part"):
        plan_contrast(samples(group=["fm"] * 6 + ["hc"] * 6, week=WEEK), declared)


def test_given_factors_go_with_transcript_lengths(fit: Any, table: pl.DataFrame, given: pl.DataFrame) -> None:
    """Equal lengths cancel out, so factors scaled to geometric mean 1 are left."""
    result = fit(contrast(coefficient=INTERACTION), {"column": "sf"}, np.full((table.height, 12), 1500.0))
    factors = given["given"].to_numpy()
    np.testing.assert_allclose(result.size_factors, factors / np.exp(np.log(factors).mean()), rtol=1e-12)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"column": "group"}, "no positive size factor for sample s1"),
        ({"column": "depth"}, "no column 'depth'"),
        ({"control_genes": ("g1", "ENSG1")}, "control gene ENSG1 is not in the count matrix"),
        ({"control_genes": ("ERCC-*",)}, "ERCC"),
    ],
)
def test_size_factors_that_cannot_be_had_are_named(fit: Any, how: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(contrast(coefficient=INTERACTION), how)
    assert said in str(caught.value)


def test_control_genes_may_be_a_pattern(fit: Any) -> None:
    by_pattern = fit(contrast(coefficient=INTERACTION), {"control_genes": ("g[1-3][0-9]",)}).size_factors
    by_name = fit(
        contrast(coefficient=INTERACTION), {"control_genes": tuple(f"g{i}" for i in range(10, 40))}
    ).size_factors
    assert by_pattern == by_name
