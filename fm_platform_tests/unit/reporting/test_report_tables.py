from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from fm_platform.reporting.characteristics import CHARACTERISTICS, characteristics
from fm_platform.reporting.tables import (
    CHANGE,
    responders_table,
    symptom_change_table,
    top_genes,
)
from fm_platform.study.model import Study
from fm_platform_tests.unit.reporting.conftest import (
    change_stats,
    contrasts,
    de_results,
    people,
    responder_definitions,
    responder_stats,
)


def values(table: pl.DataFrame, stratum: str | None = None) -> list[tuple[str, str | None, str]]:
    chosen = table.filter(pl.col("stratum").eq_missing(pl.lit(stratum))).sort("position")
    return list(chosen.select("variable", "level_label", "value").iter_rows())


def test_characteristics_of_all_and_of_each_stratum(study: Study) -> None:
    table = characteristics(people(), study)
    assert values(table) == [
        ("n", None, "6"),
        ("age", None, "33.5 (31 to 36)"),
        ("sex", "Female", "5 (83%)"),
        ("sex", "Male", "1 (17%)"),
    ]
    assert values(table, "primary") == [
        ("n", None, "2"),
        ("age", None, "32.5 (31 to 34)"),
        ("sex", "Female", "1 (50%)"),
        ("sex", "Male", "1 (50%)"),
    ]
    age = table.row(by_predicate=(pl.col("variable") == "age") & pl.col("stratum").is_null(), named=True)
    assert [age[name] for name in ("median", "q1", "q3", "low", "high")] == [33.5, 32.25, 34.75, 31.0, 36.0]


def test_missing_values_get_an_unknown_row_and_leave_the_denominator(study: Study) -> None:
    table = characteristics(
        people().with_columns(
            sex=pl.when(pl.col("subject_id") != "S2").then("sex"),
            age=pl.when(pl.col("subject_id") != "S2").then("age"),
        ),
        study,
    )
    assert values(table) == [
        ("n", None, "6"),
        ("age", None, "34 (31 to 36)"),
        ("age", "Unknown", "1"),
        ("sex", "Female", "4 (80%)"),
        ("sex", "Male", "1 (20%)"),
        ("sex", "Unknown", "1"),
    ]
    assert table.filter(pl.col("variable") == "sex")["n_missing"].unique().sort().to_list() == [0, 1]


def test_a_delivered_level_named_unknown_is_not_mixed_with_missing_values(study: Study) -> None:
    told = (
        pl.when(pl.col("subject_id") == "S1")
        .then(pl.lit("Unknown"))
        .when(pl.col("subject_id") != "S2")
        .then("sex")
    )
    table = characteristics(people().with_columns(sex=told), study)
    assert not table.select(CHARACTERISTICS.key).is_duplicated().any()
    levels = table.filter((pl.col("variable") == "sex") & pl.col("stratum").is_null())
    assert dict(levels.select("level", "count").iter_rows()) == {
        "F": 4,
        "Unknown": 1,
        "Unknown (not recorded)": 1,
    }


def test_only_the_population_counts(study: Study) -> None:
    inside = people().with_columns(in_population=pl.col("subject_id") != "S6")
    table = characteristics(inside, study)
    assert values(table)[0] == ("n", None, "5")
    assert table.filter(pl.col("variable") == "n")["count"].to_list()[:2] == [5, 2]


def test_levels_are_in_declared_or_natural_order(make_study: Callable[..., Study]) -> None:
    study = make_study(replace=("labels: {", "labels: {arm: {b: Drug, a: Placebo}, "))
    many = people(11).with_columns(
        site=pl.col("subject_id").str.strip_prefix("S"), arm=pl.Series(["a", "b", "a"] * 3 + ["b", "a"])
    )
    table = characteristics(many, study).filter(pl.col("stratum").is_null()).sort("position")
    assert table.filter(pl.col("variable") == "site")["level"].to_list() == [
        str(site) for site in range(1, 12)
    ]
    assert table.filter(pl.col("variable") == "arm")["level_label"].to_list() == ["Drug", "Placebo"]


def test_an_empty_population_gives_a_zero_and_nothing_else(study: Study) -> None:
    assert values(characteristics(people().clear(), study)) == [("n", None, "0")]


def test_symptom_change_is_ordered_labelled_and_written_out(
    outcomes: pl.DataFrame, visits: pl.DataFrame
) -> None:
    table = symptom_change_table(change_stats(), outcomes, visits)
    head = table.filter(pl.col("outcome") == "fiqr_total")
    assert head.select("visit", "stratum").rows() == [
        *[("week_4", None), ("week_4", "primary"), ("week_4", "secondary")],
        *[("week_12", None), ("week_12", "primary"), ("week_12", "secondary")],
    ]
    assert table["outcome"].unique(maintain_order=True).to_list() == outcomes["outcome_id"].to_list()
    row = head.row(0, named=True)
    assert (row["outcome_label"], row["visit_label"], row["family"]) == ("FIQR total", "Week 4", "primary")
    assert row["p_text"] == "0.031 (floor 0.031)"
    assert row["change_text"] == "median −22.3; HL −20.5 (96.9% CI −35.2 to −8.5)"
    assert head.row(1, named=True)["change_text"] == "median −22.3; HL −20.5 (no 95% interval attainable)"
    assert not table.select(CHANGE.key).is_duplicated().any()


def test_a_comparison_without_pairs_shows_no_number(outcomes: pl.DataFrame, visits: pl.DataFrame) -> None:
    nothing = dict.fromkeys(
        ("median_change", "hl_estimate", "hl_low", "hl_high", "hl_level", "p_value", "p_floor")
    )
    table = symptom_change_table(change_stats(n=0, **nothing), outcomes, visits)
    assert set(table["change_text"]) == {"–"}
    assert set(table["p_text"]) == {"–"}


def test_an_outcome_without_a_label_is_called_by_its_id(outcomes: pl.DataFrame, visits: pl.DataFrame) -> None:
    table = symptom_change_table(change_stats(), outcomes.with_columns(label=pl.lit("")), visits)
    assert set(table["outcome_label"]) == set(outcomes["outcome_id"])


def test_responders(outcomes: pl.DataFrame, visits: pl.DataFrame) -> None:
    table = responders_table(responder_stats(), responder_definitions(), outcomes, visits)
    assert table.select("visit_label", "rate_text", "ci_text").rows() == [
        ("Week 4", "4/6 (67%)", "22.3% to 95.7%"),
        ("Week 12", "3/6 (50%)", "11.8% to 88.2%"),
    ]
    assert set(table["responder_label"]) == {"Pain: improved by at least 30% of baseline"}
    named = responder_definitions().with_columns(label=pl.lit("Less pain"))
    assert set(responders_table(responder_stats(), named, outcomes, visits)["responder_label"]) == {
        "Less pain"
    }


def test_top_genes_break_ties_by_gene_id_and_leave_untested_genes_out() -> None:
    tied = [f"g{number:04d}" for number in range(10, 20)]
    results = de_results(30).with_columns(
        pvalue=pl.when(pl.col("gene_id").is_in(tied)).then(1e-40).otherwise("pvalue")
    )
    table = top_genes(results.reverse(), contrasts(), n=29)
    assert table["gene_id"].head(11).to_list() == [*tied, "g0000"]
    assert table["rank"].to_list() == list(range(1, 30))
    assert "g0029" not in table["gene_id"].to_list()
    assert table.row(0, named=True)["n_samples"] == 10


def test_top_genes_keep_at_most_n_of_each_contrast() -> None:
    results = pl.concat([de_results(30), de_results(30).with_columns(contrast=pl.lit("other"))])
    how_run = pl.concat([contrasts(), contrasts(contrast="other", status="exploratory")])
    table = top_genes(results, how_run, n=5)
    assert table.group_by("contrast", "status").len().sort("contrast").rows() == [
        ("fm_vs_healthy", "run", 5),
        ("other", "exploratory", 5),
    ]


@pytest.mark.parametrize("name", ["report.symptom_change", "report.responders", "report.top_genes"])
def test_empty_statistics_give_an_empty_table_of_the_same_shape(
    name: str, outcomes: pl.DataFrame, visits: pl.DataFrame
) -> None:
    makers: dict[str, Callable[[bool], pl.DataFrame]] = {
        "report.symptom_change": lambda empty: symptom_change_table(
            change_stats().clear() if empty else change_stats(), outcomes, visits
        ),
        "report.responders": lambda empty: responders_table(
            responder_stats().clear() if empty else responder_stats(),
            responder_definitions(),
            outcomes,
            visits,
        ),
        "report.top_genes": lambda empty: top_genes(
            de_results().clear() if empty else de_results(), contrasts()
        ),
    }
    empty = makers[name](True)
    assert empty.is_empty()
    assert empty.schema == makers[name](False).schema
