from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.contrasts import ContrastPlan, plan_contrast
from fm_platform.study import Contrast

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
    assert note.startswith("2 subjects have both levels, 4 only one (p3, p4, p5, p6; 4 samples)")
    assert "complete_pairs leaves them out" in note


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
