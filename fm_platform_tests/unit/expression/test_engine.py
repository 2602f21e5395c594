from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.fit.engine import DeEngine, DeResult
from fm_platform.expression.run import run_plan
from fm_platform.expression.stored import FIT_TYPES, RESULT_TYPES, fit_table, stored_results
from fm_platform.expression.tables import contrasts_table

GROUPS = ["a", "b", "a", "b", "a", "b", "a", "b"]


def run_contrast(
    counts: np.ndarray, gene_ids: list[str], made: Any, *, shrink: str | None = None, **engine: Any
) -> DeResult:
    """One contrast by an engine of its own."""
    return DeEngine(**engine).run(counts, gene_ids, made, shrink=shrink)


def _ids(counts: Any) -> list[str]:
    return [f"g{i}" for i in range(len(counts))]


def test_pydeseq2_gives_what_it_gives_when_used_directly(plan: Any, simulate: Any) -> None:
    import pandas as pd
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    counts = simulate(GROUPS, up_in="b")
    inference = DefaultInference(n_cpus=1)
    names = [f"s{i}" for i in range(8)]
    dataset = DeseqDataSet(
        counts=pd.DataFrame(counts.T, index=names, columns=_ids(counts)),
        metadata=pd.DataFrame({"group": GROUPS}, index=names),
        design="~group",
        inference=inference,
        quiet=True,
    )
    dataset.deseq2()
    stats = DeseqStats(dataset, contrast=["group", "b", "a"], alpha=0.1, inference=inference, quiet=True)
    stats.summary()
    expected = stats.results_df
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    frame = run_contrast(counts, _ids(counts), made, inference=inference).frame
    for ours, theirs in {
        "base_mean": "baseMean",
        "log2_fold_change": "log2FoldChange",
        "padj": "padj",
    }.items():
        np.testing.assert_allclose(
            frame[ours].fill_null(np.nan).to_numpy(), expected[theirs].to_numpy(), rtol=1e-9
        )


def test_up_is_the_level_against_the_reference_and_stages_are_told(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b")
    told: list[str] = []
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    result = run_contrast(counts, _ids(counts), made, on_stage=told.append)
    assert result.frame["log2_fold_change"][:20].median() == pytest.approx(2.0, abs=0.4)
    assert result.n_up >= 15
    assert result.n_significant == result.n_up + result.n_down
    assert told[0] == "size factors"
    assert told[-1] == "independent filtering"
    assert (result.engine, result.mode) == ("fm-deseq r_compat", "r_compat")
    assert len(result.size_factors) == 8

    swapped = run_contrast(counts, _ids(counts), plan("~ group", "group", "a", "b", group=GROUPS))
    np.testing.assert_allclose(
        swapped.frame["log2_fold_change"].to_numpy(), -result.frame["log2_fold_change"].to_numpy(), atol=1e-4
    )


def test_every_gap_has_its_reason(plan: Any, simulate: Any) -> None:
    groups = ["a"] * 4 + ["b"] * 4
    counts = simulate(groups, up_in="b", genes=700, fold=2.5)
    counts[0] = 0
    counts[1, 0] = 100_000
    counts[300:] = np.random.default_rng(1).negative_binomial(0.5, 0.2, (400, 8))
    counts[4, 5] = NOT_COUNTED
    result = run_contrast(counts, _ids(counts), plan("~ group", "group", "b", "a", group=groups))
    frame = result.frame
    reasons = dict(frame.select("gene_id", "na_reason").iter_rows())
    assert reasons["g0"] == "all_zero"
    assert reasons["g1"] == "cooks_outlier"
    filtered = frame.filter(pl.col("na_reason") == "low_mean_filtered")
    assert filtered.height > 100
    assert filtered["base_mean"].max() < frame.filter(pl.col("padj").is_not_null())["base_mean"].min()
    assert filtered["pvalue"].null_count() == 0
    assert reasons["g4"] == "not_counted"
    assert reasons["g200"] is None
    assert any("not in the file of every sample" in note for note in result.notes)
    complete = pl.col("padj").is_not_null() & pl.col("pvalue").is_not_null()
    assert frame.filter(complete != pl.col("na_reason").is_null()).height == 0
    assert frame.select(pl.col(pl.Float64).is_nan().any()).row(0) == (False,) * 6


def test_a_library_with_reads_in_one_gene_is_remarked_on(plan: Any, simulate: Any) -> None:
    groups = ["a"] * 3 + ["b"] * 3
    counts = simulate(groups, up_in="b", genes=100)
    made = plan("~ group", "group", "b", "a", group=groups)
    assert not any("failed library" in note for note in run_contrast(counts, _ids(counts), made).notes)
    counts[:99, 4] = 0
    counts[99] = [90, 110, 80, 100, 95, 105]
    notes = run_contrast(counts, _ids(counts), made).notes
    assert [note.split(":")[0] for note in notes if "failed library" in note] == [
        "sample s5 has reads in 1 gene, others in 100"
    ]


def test_a_gene_silent_in_both_compared_levels_has_no_fold_change(plan: Any, simulate: Any) -> None:
    groups = ["a", "b", "c"] * 3
    counts = simulate(groups, up_in="b")
    counts[5] = [0, 0, 50] * 3
    made = plan("~ group", "group", "c", "a", group=groups)
    informed = run_contrast(counts, _ids(counts), made).frame.row(5, named=True)
    silent = run_contrast(counts, _ids(counts), plan("~ group", "group", "b", "a", group=groups))
    row = silent.frame.row(5, named=True)
    assert informed["log2_fold_change"] > 3
    assert (row["log2_fold_change"], row["stat"], row["pvalue"]) == (0.0, 0.0, 1.0)
    assert any("no reads in the compared samples" in note for note in silent.notes)


def test_contrasts_of_one_design_share_one_fit_and_give_what_they_give_alone(
    plan: Any, simulate: Any
) -> None:
    groups = ["a", "b", "c"] * 3
    counts = simulate(groups, up_in="b")
    first = plan("~ group", "group", "b", "a", group=groups)
    second = plan("~ group", "group", "c", "a", group=groups)
    engine = DeEngine()
    told: list[str] = []
    engine.run(counts, _ids(counts), first)
    engine.on_stage = told.append
    shared = engine.run(counts, _ids(counts), second)
    assert told == ["Wald tests", "independent filtering"]
    assert shared.frame.equals(run_contrast(counts, _ids(counts), second).frame)

    changed = counts.copy()
    changed[100] += 1
    told.clear()
    engine.run(changed, _ids(counts), second)
    assert "size factors" in told


def test_an_inference_of_ones_own_is_used(plan: Any, simulate: Any) -> None:
    from pydeseq2.default_inference import DefaultInference

    class Counting(DefaultInference):
        calls = 0

        def alpha_mle(self, *args: Any, **kwargs: Any) -> Any:
            Counting.calls += 1
            return super().alpha_mle(*args, **kwargs)

    counts = simulate(GROUPS, up_in="b", genes=60)
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    run_contrast(counts, _ids(counts), made, inference=Counting(n_cpus=1))
    assert Counting.calls >= 2


def test_apeglm_shrinks_towards_zero_and_leaves_the_test_alone(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b")
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    plain = run_contrast(counts, _ids(counts), made).frame
    shrunk = run_contrast(counts, _ids(counts), made, shrink="apeglm").frame
    assert shrunk.drop("log2_fold_change_shrunk").equals(plain)
    null_genes = slice(20, 200)
    assert (
        shrunk["log2_fold_change_shrunk"][null_genes].abs().mean()
        < 0.7 * shrunk["log2_fold_change"][null_genes].abs().mean()
    )


def test_shrinkage_is_of_the_contrast_however_the_design_is_written(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=60)
    by_means = plan("~ 0 + group", "group", "b", "a", group=GROUPS)
    with_intercept = plan("~ group", "group", "b", "a", group=GROUPS)
    first, second = (
        run_contrast(counts, _ids(counts), made, shrink="apeglm").frame["log2_fold_change_shrunk"].to_numpy()
        for made in (by_means, with_intercept)
    )
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_pydeseq2_shrinks_single_coefficients_only(plan: Any, simulate: Any) -> None:
    from pydeseq2.default_inference import DefaultInference

    counts = simulate(GROUPS, up_in="b", genes=60)
    by_means = plan("~ 0 + group", "group", "b", "a", group=GROUPS)
    with pytest.raises(InputError, match="combines 2"):
        run_contrast(counts, _ids(counts), by_means, shrink="apeglm", inference=DefaultInference(n_cpus=1))


def test_a_sample_without_reads_is_named(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=60)
    counts[:, 3] = 0
    with pytest.raises(InputError, match="sample s4 has no reads"):
        run_contrast(counts, _ids(counts), plan("~ group", "group", "b", "a", group=GROUPS))


def test_no_gene_counted_in_every_sample_is_refused(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=6)
    counts[:, 2] = NOT_COUNTED
    with pytest.raises(InputError, match="no gene has a count for every sample of contrast c"):
        run_contrast(counts, _ids(counts), plan("~ group", "group", "b", "a", group=GROUPS))


def test_tables_hold_every_contrast_and_gene(plan: Any, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=60)
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    results = {"c": run_contrast(counts, _ids(counts), made)}
    contrasts = contrasts_table([made], results).row(0, named=True)
    assert contrasts["n_significant"] == results["c"].n_significant
    assert contrasts["n_genes"] == 60
    assert contrasts["samples"] == [f"s{i}" for i in range(1, 9)]
    genes = fit_table(made, results["c"])
    assert genes.height == 60
    assert genes.columns == list(FIT_TYPES)
    again = stored_results([made], genes.select(list(RESULT_TYPES)))
    assert contrasts_table([made], again).equals(contrasts_table([made], results))


def test_without_results_the_tables_are_empty_but_typed(plan: Any) -> None:
    made = plan("~ group", "group", "b", "a", group=GROUPS)
    assert fit_table(made, None).schema["padj"] == pl.Float64
    assert contrasts_table([], {}).schema["samples"] == pl.List(pl.String)


def test_every_contrast_of_a_shared_fit_is_shrunk_by_itself(plan: Any, simulate: Any) -> None:
    groups = ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    counts = simulate(groups, up_in="b", genes=120)
    engine = DeEngine()
    for level, reference in (("b", "a"), ("c", "a"), ("c", "b")):
        made = plan("~ group", "group", level, reference, group=groups)
        shared = run_plan(counts, None, _ids(counts), made, engine=engine, shrink="apeglm")
        alone = run_contrast(counts, _ids(counts), made, shrink="apeglm")
        assert shared.frame.equals(alone.frame)
        kept = fit_table(made, shared)["log2_fold_change_shrunk"]
        assert kept.equals(alone.frame["log2_fold_change_shrunk"])
        folds = alone.frame.select("log2_fold_change", "log2_fold_change_shrunk").drop_nulls().to_numpy()
        assert abs(folds[:, 1]).mean() < abs(folds[:, 0]).mean()
        called = alone.frame.filter(pl.col("padj") < 0.01)
        assert (called["log2_fold_change"].sign() == called["log2_fold_change_shrunk"].sign()).all()
