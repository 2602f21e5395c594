from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.designs.choice import levels_seen
from fm_platform.expression.designs.contrasts import plan_contrast, plan_contrasts
from fm_platform.expression.tables import contrasts_table
from fm_platform.study.expression import Contrast
from fm_platform.study.loading import load_study

WEEK = ["0", "0", "0", "0", "0", "0", "12", "12"]
GROUP = ["fm", "fm", "fm", "hc", "hc", "hc", "fm", "fm"]
SUBJECT = ["p1", "p2", "p3", "h1", "h2", "h3", "p1", "p2"]


def test_the_subset_chooses_samples_and_drops_levels_that_are_left_unused(plan: Any) -> None:
    made = plan("~ group", "group", "fm", "hc", subset={"week": ("0",)}, group=GROUP, week=WEEK)
    assert made.samples == ("s1", "s2", "s3", "s4", "s5", "s6")
    assert made.matrix_columns == [0, 1, 2, 3, 4, 5]
    assert (made.status, made.reason, made.residual_df) == ("run", None, 4)
    assert (made.n_level, made.n_reference) == (3, 3)


def test_few_residual_degrees_of_freedom_are_exploratory(plan: Any) -> None:
    made = plan("~ group", "group", "b", "a", group=["a", "a", "b", "b"])
    assert made.status == "exploratory"
    assert made.reason == "2 residual degrees of freedom"


def test_a_single_sample_at_a_level_is_exploratory(plan: Any) -> None:
    made = plan("~ group", "group", "b", "a", group=["a"] * 5 + ["b"])
    assert (made.status, made.reason) == ("exploratory", "a level has a single sample")


def test_a_subject_sampled_twice_but_absent_from_the_design_is_exploratory(plan: Any) -> None:
    made = plan("~ week", "week", "12", "0", subject_column="patient", week=WEEK, patient=SUBJECT)
    assert made.status == "exploratory"
    assert "p1, p2 gave several samples" in made.reason


def test_pairing_by_subject_is_not_called_exploratory_for_repeats(plan: Any) -> None:
    made = plan(
        "~ patient + week",
        "week",
        "12",
        "0",
        subject_column="patient",
        week=["0", "12"] * 4,
        patient=["p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4"],
    )
    assert (made.status, made.residual_df) == ("run", 3)


def test_one_sample_against_one_is_a_description(plan: Any) -> None:
    made = plan("~ group", "group", "b", "a", group=["a", "b"])
    assert (made.status, made.residual_df) == ("descriptive", 0)
    assert made.reason == "one sample against one: fold changes without a test"
    among_others = plan("~ group", "group", "b", "a", group=["a", "b", "c", "c", "c"])
    assert among_others.status == "descriptive"


def test_a_level_never_seen_lists_the_levels_found(plan: Any) -> None:
    with pytest.raises(InputError, match=r"no sample has group = 'fibro'.*levels of group: fm, hc"):
        plan("~ group", "group", "fibro", "hc", group=GROUP)


def test_a_level_that_the_subset_removes_blames_the_subset(plan: Any) -> None:
    with pytest.raises(InputError, match=r"left by the subset week in \(12\) \(2 of 8 samples left\)"):
        plan("~ group", "group", "fm", "hc", subset={"week": ("12",)}, group=GROUP, week=WEEK)


def test_a_covariate_cannot_be_compared_by_level(plan: Any) -> None:
    with pytest.raises(InputError, match="listed under covariates"):
        plan("~ week", "week", "12", "0", covariates=("week",), week=WEEK)


def test_samples_without_counts_take_no_part(samples: Any) -> None:
    frame = samples(group=["a", "a", "a", "b", "b", "b"]).with_columns(
        position=pl.when(pl.col("sample_id") == "s2").then(None).otherwise(pl.col("position"))
    )
    contrast = Contrast(id="c", design="~ group", variable="group", level="b", reference="a")
    assert plan_contrast(frame, contrast).samples == ("s1", "s3", "s4", "s5", "s6")


def test_a_level_that_earlier_deliveries_had_skips_the_contrast_also_the_next_time(samples: Any) -> None:
    contrast = Contrast(id="c", design="~ group", variable="group", level="fm", reference="hc")
    before = plan_contrast(samples(group=GROUP), contrast)
    seen = levels_seen(contrasts_table([before], {}))
    gone = samples(group=["hc"] * 4)
    skipped = plan_contrast(gone, contrast, seen_levels=seen)
    assert skipped.status == "skipped"
    assert skipped.reason == "no sample with group = fm is left in this delivery"
    again = plan_contrast(gone, contrast, seen_levels=levels_seen(contrasts_table([skipped], {})))
    assert again.status == "skipped"


def test_errors_point_at_the_contrast_in_study_yaml(samples: Any, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "study: {id: s, title: t}\n"
        "expression:\n"
        "  counts: {path: counts.csv}\n"
        "  samples: {path: samples.csv, id: id}\n"
        "contrasts:\n"
        "  - {id: ok, design: ~ group, variable: group, level: fm, reference: hc}\n"
        "  - {id: bad, design: ~ group, variable: group, level: xx, reference: hc}\n"
    )
    study = load_study(tmp_path)
    with pytest.raises(InputError, match=r"study\.yaml:7: contrast bad: no sample has group = 'xx'"):
        plan_contrasts(samples(group=GROUP), study)
