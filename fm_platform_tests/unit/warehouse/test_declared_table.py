"""A table said once: what follows from its declaration, and what is refused."""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.warehouse.table import Table, count, direct, indirect, number, probability, text

PEOPLE = direct("marts.people", "age", how="AGGREGATION")
TABLE = Table(
    "stats.ages",
    "Ages by site.",
    key=("site",),
    reads=("marts.people",),
    columns=(
        text("site", "The site", direct("marts.people", "site", how="GROUP_BY")),
        count("n", "People", PEOPLE, indirect("marts.people", "in_population")),
        number("median", "Median age, years", PEOPLE, printed=True),
        text("engine_version", "What computed it", constant="in code"),
    ),
)


def test_a_frame_has_the_declared_columns_even_without_rows():
    assert TABLE.frame().schema == pl.Schema(
        {"site": pl.String, "n": pl.Int64, "median": pl.Float64, "engine_version": pl.String}
    )
    assert TABLE.frame([TABLE.row(site="north", n=3)]).rows() == [("north", 3, None, None)]


def test_a_column_that_is_not_declared_is_refused():
    with pytest.raises(KeyError, match=r"stats\.ages has no column mean, mode"):
        TABLE.row(site="north", mode=1, mean=2)
    with pytest.raises(KeyError, match=r"stats\.ages: .* n"):
        TABLE.frame([{"site": "north", "median": 1.0, "engine_version": "1"}])


def test_a_repeated_column_comes_from_the_table_it_repeats():
    site, n, median = TABLE.repeated("site n", printed=True)
    assert (site.name, site.inputs) == ("site", direct("stats.ages", "site", how="IDENTITY"))
    assert (n.description, n.type, n.written) == ("People", "BIGINT", "count")
    assert median.name == "median"


def test_a_new_column_that_the_report_prints_is_declared_in_one_place():
    wider = Table(
        SYMPTOM_CHANGE.name,
        SYMPTOM_CHANGE.description,
        SYMPTOM_CHANGE.key,
        SYMPTOM_CHANGE.reads,
        (*SYMPTOM_CHANGE.columns, probability("p_exact", "Another p-value", PEOPLE, printed=True)),
    )
    repeated = wider.repeated("p_value", printed=True)
    assert [column.name for column in repeated] == ["p_value", "p_exact"]
    assert repeated[1].inputs == direct(SYMPTOM_CHANGE.name, "p_exact", how="IDENTITY")
    assert wider.row()["p_exact"] is None
