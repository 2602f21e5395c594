from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrast
from fm_platform.expression.designs.samples import resolve_samples
from fm_platform.study.expression import Contrast, SamplesSource

SUBJECTS = ["p1", "p1", "p2", "p2", "p3", "p4", "p5", "p6"]
WEEKS = ["0", "12", "0", "12", "0", "0", "12", "12"]


@pytest.fixture
def planned(samples: Callable[..., pl.DataFrame]) -> Callable[..., ContrastPlan]:
    def build(design: str, **options: Any) -> ContrastPlan:
        table = samples(subject_column="subject", subject=SUBJECTS, week=WEEKS)
        contrast = Contrast(id="c", design=design, variable="week", level="12", reference="0", **options)
        return plan_contrast(table, contrast)

    return build


def test_complete_pairs_leave_orphans_out(planned: Callable[..., ContrastPlan]) -> None:
    plan = planned("~ subject + week", complete_pairs=True)
    assert plan.samples == ("s1", "s2", "s3", "s4")
    assert (plan.n_level, plan.n_reference, plan.residual_df) == (2, 2, 1)
    assert plan.status == "exploratory"
    assert plan.design is not None
    assert plan.design.notes == ()


def test_orphans_in_a_paired_design_are_named_with_what_each_choice_loses(
    planned: Callable[..., ContrastPlan],
) -> None:
    design = planned("~ subject + week").design
    assert design is not None
    (note,) = design.notes
    assert note.startswith(
        "2 subjects have both levels, 4 only one (p5, p6 lack 0; p3, p4 lack 12; 4 samples)"
    )
    assert "complete_pairs keeps the 4 samples of pairs and leaves them out" in note


def test_pairs_in_an_unpaired_design_are_named(planned: Callable[..., ContrastPlan]) -> None:
    plan = planned("~ week")
    assert plan.design is not None
    assert "without the subject in the design the pairing is lost" in plan.design.notes[0]
    assert plan.status == "exploratory"


def test_complete_pairs_without_any_pair_are_refused(samples: Callable[..., pl.DataFrame]) -> None:
    contrast = Contrast(
        id="c", design="~ week", variable="week", level="12", reference="0", complete_pairs=True
    )
    with pytest.raises(InputError, match="no subject has samples at both '12' and '0'"):
        plan_contrast(samples(week=["0", "0", "12", "12"]), contrast)


def test_a_paired_design_that_cannot_be_fitted_says_who_lacks_what(
    samples: Callable[..., pl.DataFrame],
) -> None:
    contrast = Contrast(id="c", design="~ subject + week", variable="week", level="12", reference="0")
    table = samples(subject_column="subject", subject=["p1", "p1", "p2"], week=["0", "12", "0"])
    with pytest.raises(InputError) as caught:
        plan_contrast(table, contrast)
    assert "a sample with subject = p2 and week = 12 would give one" in str(caught.value)
    assert "1 subjects have both levels, 1 only one (p2 lacks 12; 1 samples)" in str(caught.value)


def test_the_real_study_s_orphans_are_named(shared_data: Path) -> None:
    """GSE229750: two of five patients were sampled again after treatment."""
    sheet = pl.read_csv(shared_data / "GSE229750_partial" / "samples.csv", infer_schema=False)
    source = SamplesSource(path="samples.csv", id="gsm", subject="subject")
    raw = sheet.with_columns(_row_id=pl.col("gsm"))
    table = resolve_samples(raw, source, sheet["gsm"].to_list()).frame

    def planned(design: str, **options: Any) -> ContrastPlan:
        given = {"variable": "week", "level": "12", "reference": "0", **options}
        return plan_contrast(table, Contrast(id="c", design=design, **given))

    patients = {"group": ("fibromyalgia",)}
    paired = planned("~ subject + week", subset=patients)
    assert (paired.status, paired.residual_df) == ("exploratory", 1)
    assert paired.design is not None
    assert "2 subjects have both levels, 3 only one (FM_P3, FM_P4, FM_P5 lack 12; 3 samples)" in str(
        paired.design.notes
    )
    pairs = planned("~ subject + week", subset=patients, complete_pairs=True)
    assert (pairs.n_level, pairs.n_reference, pairs.residual_df) == (2, 2, 1)
    unpaired = planned("~ week", subset=patients)
    assert unpaired.residual_df == 5
    assert "FM_P1, FM_P2 gave several samples" in str(unpaired.reason)
    one = planned("~ week", subset={"subject": ("FM_P1",)})
    assert (one.status, one.residual_df) == ("descriptive", 0)
    with pytest.raises(InputError) as caught:
        planned("~ subject + week + group", level="12", reference="0")
    text = str(caught.value)
    assert "every subject has one group only, so subject holds group already" in text
    assert "group[T.healthy] = " in text
