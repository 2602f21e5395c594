"""A model is run as its author wrote it, if DuckDB sees in the text what was checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.models import require_read_alike
from fm_platform.errors import InputError
from fm_platform.sql.model import SqlModel

DEMO = Path(__file__).resolve().parents[3] / "data/demo"


@pytest.fixture(scope="module")
def shipped() -> list[SqlModel]:
    return [asset.model for asset in build_catalog(DEMO).in_order() if asset.model is not None]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def test_duckdb_reads_every_shipped_model_as_it_was_checked(
    shipped: list[SqlModel], connection: duckdb.DuckDBPyConnection
) -> None:
    for model in shipped:
        require_read_alike(model, connection)


@pytest.mark.parametrize(
    "more",
    [
        " union all select * from raw.others",
        "; drop table raw.visits",
        " where exists (select 1 from raw.others)",
        " where u&'!0041' = 'A'",
    ],
)
def test_a_text_in_which_duckdb_sees_anything_else_is_not_run(
    more: str, shipped: list[SqlModel], connection: duckdb.DuckDBPyConnection
) -> None:
    model = next(model for model in shipped if model.name == "marts.participants")
    with pytest.raises(InputError, match="DuckDB reads it in another way") as refused:
        require_read_alike(replace(model, sql=f"select * from {model.refs[0]}{more}"), connection)
    assert (refused.value.file, bool(refused.value.mend)) == (model.display, True)
