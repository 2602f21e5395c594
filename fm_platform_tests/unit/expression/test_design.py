from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fm_platform.errors import InputError
from fm_platform.expression.designs.design import build_design
from fm_platform.expression.designs.rank import find_aliases

GROUP = ["hc", "hc", "hc", "fm", "fm", "fm"]
BATCH = ["x", "y", "x", "y", "x", "y"]


def test_reference_level_comes_first_and_other_factors_are_alphabetical(samples: Any) -> None:
    frame = samples(group=GROUP, batch=BATCH)
    design = build_design(frame, "~ batch + group", reference={"group": "hc"})
    assert design.columns == ("Intercept", "batch[T.y]", "group[T.fm]")
    assert design.matrix.tolist() == [
        [1, 0, 0],
        [1, 1, 0],
        [1, 0, 0],
        [1, 1, 1],
        [1, 0, 1],
        [1, 1, 1],
    ]
    assert design.residual_df == 3


def test_numeric_looking_levels_are_factors(samples: Any) -> None:
    frame = samples(week=["0", "0", "4", "4", "12", "12"])
    assert build_design(frame, "~ week", reference={"week": "0"}).columns == (
        "Intercept",
        "week[T.12]",
        "week[T.4]",
    )


def test_covariates_are_numbers(samples: Any) -> None:
    frame = samples(group=GROUP, age=["1", "2", "3", "-1", "0", "2.5"])
    design = build_design(frame, "~ age + group", covariates=["age"])
    assert design.columns == ("Intercept", "age", "group[T.hc]")
    assert design.matrix[:, design.columns.index("age")].tolist() == [1, 2, 3, -1, 0, 2.5]
    assert design.notes == ()


def test_a_large_uncentred_covariate_is_noted(samples: Any) -> None:
    frame = samples(group=GROUP, age=["41", "52", "33", "61", "20", "25"])
    assert "centring" in build_design(frame, "~ age + group", covariates=["age"]).notes[0]


def test_contrast_vectors(samples: Any) -> None:
    frame = samples(group=["a", "a", "b", "b", "c", "c"], batch=BATCH)
    design = build_design(frame, "~ batch + group", reference={"group": "a"})
    assert design.vector("group", "b", "a").tolist() == [0, 0, 1, 0]
    assert design.vector("group", "c", "b").tolist() == [0, 0, -1, 1]
    without_intercept = build_design(frame, "~ 0 + group", reference={"group": "a"})
    assert without_intercept.vector("group", "b", "a").tolist() == [-1, 1, 0]


def test_with_an_interaction_the_contrast_is_the_effect_at_the_other_factors_reference(samples: Any) -> None:
    frame = samples(group=["a", "b"] * 4, batch=["x", "x", "y", "y"] * 2)
    design = build_design(frame, "~ batch * group", reference={"group": "a"})
    assert design.columns[-1] == "batch[T.y]:group[T.b]"
    assert design.vector("group", "b", "a").tolist() == [0, 0, 1, 0]


def test_names_and_levels_of_any_spelling_reach_no_evaluator(samples: Any) -> None:
    odd = "a[T.b]: `1+1` {exit()}"
    frame = samples(**{"number of lanes": [odd, odd, odd, "2", "2", "2"]})
    design = build_design(frame, "~ `number of lanes`", reference={"number of lanes": "2"})
    assert design.columns == ("Intercept", f"number of lanes[T.{odd}]")


def test_a_rank_deficient_design_names_the_aliased_columns_and_the_variables(samples: Any) -> None:
    frame = samples(batch=["x", "x", "x", "y", "y", "y"], group=GROUP)
    with pytest.raises(InputError) as caught:
        build_design(frame, "~ batch + group", reference={"group": "hc"})
    assert "group[T.fm] = batch[T.y]" in str(caught.value)
    assert "effects of batch and group cannot be told apart" in str(caught.value)
    assert "a sample with batch = x and group = fm would tell them apart" in str(caught.value)


def test_pairing_with_orphans_names_what_the_group_is_made_of(samples: Any) -> None:
    frame = samples(
        subject=["p1", "p1", "p2", "p2", "h1", "h2"],
        week=["0", "12", "0", "12", "0", "0"],
        group=["fm"] * 4 + ["hc"] * 2,
    )
    with pytest.raises(InputError, match=r"group\[T\.fm\] = subject\[T\.p1\] \+ subject\[T\.p2\]"):
        build_design(frame, "~ subject + week + group", reference={"group": "hc", "week": "0"})


def test_a_combination_that_no_sample_has_is_named(samples: Any) -> None:
    frame = samples(group=["a", "a", "a", "b", "b"], batch=["x", "y", "x", "x", "x"])
    with pytest.raises(
        InputError, match=r"is 0 for every sample.*a sample with group = b and batch = y would"
    ):
        build_design(frame, "~ group * batch")


def test_donors_of_one_status_each_hold_the_status_already(shared_data: Path) -> None:
    """tb_suscept: 25 donors, each susceptible or resistant, sampled with and without infection."""
    sheet = pl.read_csv(
        shared_data / "tb_suscept" / "experiment-info.txt", separator="\t", infer_schema=False
    )
    frame = sheet.rename({"id": "sample_id"})
    with pytest.raises(InputError) as caught:
        build_design(frame, "~ individual + treatment + status")
    assert "every individual has one status only, so individual holds status already" in str(caught.value)
    assert "would tell them apart, where such can be had" in str(caught.value)
    assert build_design(frame, "~ treatment + status").residual_df == 47


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("12")),
        min_size=4,
        max_size=9,
    ),
    interaction=st.booleans(),
)
def test_the_samples_that_a_refusal_asks_for_make_the_design_estimable(
    rows: list[tuple[str, str, str]], interaction: bool
) -> None:
    columns = dict(zip(("g", "b", "s"), map(list, zip(*rows, strict=True)), strict=True))
    assume(all(len(set(column)) > 1 for column in columns.values()))
    formula = "~ g * b + s" if interaction else "~ g + b + s"
    frame = pl.DataFrame({"sample_id": [f"s{i}" for i in range(len(rows))], **columns})
    try:
        build_design(frame, formula, replicated=False)
    except InputError as error:
        wanted = re.findall(r"a sample with (.*?)(?:,| and \d+ more| would)", str(error))
        more = re.search(r" and (\d+) more would", str(error))
        added = [dict(re.findall(r"(\w) = (\w)", text)) for text in wanted]
        assert added
        if more is None:
            extra = pl.DataFrame([{"sample_id": "new", **entry} for entry in added])
            build_design(pl.concat([frame, extra.select(frame.columns)]), formula, replicated=False)


@pytest.mark.parametrize(
    ("formula", "covariates", "message"),
    [
        ("~ grup", (), "no column 'grup'.*did you mean 'group'"),
        ("~ site", (), "only the level 'one'"),
        ("~ hole", (), "'hole' is empty for sample s2"),
        ("~ group", ("batch",), "covariate 'batch' is not in the design"),
        ("~ batch", ("batch",), "covariate 'batch' is 'x' for sample s1"),
        ("~ id", (), "6 columns for 6 samples.*id has another level in every sample: drop it"),
        ("~ (group", (), "cannot be combined"),
    ],
)
def test_designs_that_cannot_be_fitted_say_why(
    samples: Any, formula: str, covariates: tuple[str, ...], message: str
) -> None:
    frame = samples(group=GROUP, batch=BATCH, site=["one"] * 6, hole=["a", "", "a", "b", "b", "b"])
    with pytest.raises(InputError, match=message):
        build_design(frame, formula, covariates=covariates)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(3, 8), st.integers(1, 5)),
    extra=st.lists(st.integers(-3, 3), min_size=5, max_size=5),
    seed=st.integers(0, 2**31),
)
def test_a_column_added_as_a_combination_is_reported_with_its_weights(
    shape: tuple[int, int], extra: list[int], seed: int
) -> None:
    rows, columns = max(shape), min(shape)
    basis = np.random.default_rng(seed).normal(size=(rows, columns))
    weights = np.array(extra[:columns], dtype=np.float64)
    names = [f"c{i}" for i in range(columns)]
    found = find_aliases(np.column_stack([basis, basis @ weights]), [*names, "sum"])
    assert [alias.column for alias in found] == ["sum"]
    assert dict(found[0].terms) == pytest.approx({n: w for n, w in zip(names, weights, strict=True) if w})
    assert find_aliases(basis, names) == ()
