"""What a person reads when a query is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.warehouse.database import TableWrite
from fm_platform.warehouse.publish import Publication, publish
from fm_platform.warehouse.reader import open_published

Ask = Callable[[str], str]


@pytest.fixture
def refused(warehouse, home) -> Ask:
    """The message for a query on a warehouse with stats.change, report.change and raw.visits."""
    for table in ("stats.change", "report.change", "raw.visits"):
        warehouse.write(TableWrite(table, ("k",), pl.DataFrame({"k": ["a"], "p_value": [0.5]}), {}))
    publish(
        warehouse,
        Publication(["stats.change", "report.change", "raw.visits"], facts={"table": "publish.warehouse"}),
        1,
    )

    def ask(sql: str) -> str:
        with open_published(home) as published, pytest.raises(InputError) as error:
            published.query(sql)
        return str(error.value)

    return ask


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "SELECT pvalue FROM stats.change",
            "no column pvalue.*did you mean p_value.*stats.change: k, p_value",
        ),
        ("SELECT c.pv FROM stats.change c", "no column pv.*columns of stats.change: k, p_value"),
        ('SELECT zz FROM "stats"."change" WHERE k = 1', "columns of stats.change: k, p_value"),
        ("SELECT * FROM report.chang", "no table 'report.chang'.*did you mean report.change"),
        ("SELECT * FROM change", "did you mean report.change or stats.change"),
        ("SELECT * FROM nowhere.change", "did you mean report.change or stats.change"),
        ("SELECT * FROM visit", "did you mean raw.visits"),
        ("SELECT * FROM qqqq", "there are: .*raw.visits, report.change, stats.change"),
        ("SELECT k,, p_value FROM stats.change", r"near \",\".*marked place\nLINE 1: .*\n +\^"),
        ("SELECT * FROM stats.change WHERE", "end of input. Mend: complete the query"),
        ("DELETE FROM stats.change", "write a SELECT"),
        (
            "SELECT 'a'::int FROM stats.change",
            "Could not convert string 'a' to INT32. Mend: correct the query$",
        ),
    ],
)
def test_a_wrong_query_is_told_with_what_there_is_instead(refused: Ask, sql: str, said: str) -> None:
    message = refused(sql)
    assert "Error:" not in message
    assert re.search(said, message, re.DOTALL), message


def test_the_columns_of_other_tables_are_not_listed(refused: Ask) -> None:
    assert "raw.visits" not in refused("SELECT zz FROM stats.change")
