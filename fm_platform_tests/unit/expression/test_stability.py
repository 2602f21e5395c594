from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from fm_platform.expression.designs.contrasts import plan_contrast
from fm_platform.expression.quality.stability import AFFORDABLE, called_genes, stability_table
from fm_platform.expression.run import run_plan
from fm_platform.study.expression import Contrast

GROUPS = ["a"] * 4 + ["b"] * 4


def _made(samples: pl.DataFrame, counts: np.ndarray, wanted: bool | None = None) -> tuple[Any, pl.DataFrame]:
    contrast = Contrast(id="c", design="~ group", variable="group", level="b", reference="a", alpha=0.05)
    plan = plan_contrast(samples, contrast)
    genes = [f"g{i:03}" for i in range(len(counts))]
    fitted = run_plan(counts, None, genes, plan).frame
    rows = stability_table(counts, None, genes, samples, plan, called_genes(fitted, 0.05), wanted=wanted)
    return plan, rows


def test_refits_are_those_of_the_contrast_without_the_sample(samples: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=150)
    counts[140] = [20, 22, 19, 21, 20, 21, 22, 900]
    table = samples(group=GROUPS)
    plan, rows = _made(table, counts)
    assert rows["n_refits"].unique().to_list() == [8]
    without = plan_contrast(table.filter(pl.col("sample_id") != "s6"), plan.contrast)
    alone = run_plan(counts, None, [f"g{i:03}" for i in range(150)], without).frame
    still = set(alone.filter(pl.col("padj") < 0.05)["gene_id"])
    for row in rows.iter_rows(named=True):
        assert ("s6" in row["lost_without"]) == (row["gene_id"] not in still)
        assert row["n_called"] == 8 - len(row["lost_without"])
    assert rows.filter(pl.col("n_called") == 8).height > 5


def test_samples_that_cannot_be_left_out_say_why(samples: Any, simulate: Any) -> None:
    groups = ["a", "b", "b", "b", "b"]
    _, rows = _made(samples(group=groups), simulate(groups, up_in="b", genes=150, fold=30.0))
    assert rows.height > 0
    assert rows["n_refits"].unique().to_list() == [4]
    assert rows["note"].unique().to_list() == ["no refit without s1: no sample has group = 'a'"]


def test_no_called_gene_needs_no_refit(samples: Any) -> None:
    counts = np.random.default_rng(1).poisson(50, (60, 8))
    _, rows = _made(samples(group=GROUPS), counts)
    assert rows.is_empty()
    assert rows.schema["lost_without"] == pl.List(pl.String)


def test_many_samples_are_refitted_on_request_only(
    samples: Any, simulate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = simulate(GROUPS, up_in="b", genes=150)
    monkeypatch.setattr("fm_platform.expression.quality.stability.AFFORDABLE", 1000)
    _, unasked = _made(samples(group=GROUPS), counts)
    assert unasked["n_refits"].unique().to_list() == [0]
    assert unasked["n_called"].null_count() == unasked.height
    assert "`stability: true`" in unasked["note"][0]
    _, asked = _made(samples(group=GROUPS), counts, wanted=True)
    assert asked["n_refits"].unique().to_list() == [8]
    assert AFFORDABLE >= 20_000 * 10**2
