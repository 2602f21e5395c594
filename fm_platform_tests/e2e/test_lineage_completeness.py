"""Every column that is published leads to a delivered file or to study.yaml, by the published file's own account."""

from __future__ import annotations

import duckdb

from fm_platform_tests.e2e.conftest import Workspace


def test_every_published_column_reaches_a_source_or_says_where_it_comes_from(refreshed: Workspace) -> None:
    with duckdb.connect(str(refreshed.home / "warehouse.duckdb"), read_only=True) as published:
        columns = published.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns"
            " join information_schema.tables using (table_schema, table_name)"
            " where table_type = 'BASE TABLE' and table_schema <> 'audit' and column_name not like '\\_%' escape '\\'"
        ).fetchall()
        inputs: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for table, column, *entry in published.execute(
            "select table_name, column_name, input_table, input_column from audit.column_lineage"
        ).fetchall():
            inputs.setdefault((table, column), set()).add((entry[0], entry[1]))
        constants = set(published.execute("select table_name, column_name from audit.constants").fetchall())
        told = published.execute("select count(*) from audit.constants where source = ''").fetchone()
    assert told == (0,)
    reaching: dict[tuple[str, str], bool] = {}

    def reaches(cell: tuple[str, str]) -> bool:
        if cell[0].startswith(("raw.", "study.")):
            return cell in known
        if cell not in reaching:
            reaching[cell] = cell in known and (
                all(reaches(entry) for entry in inputs[cell]) if cell in inputs else cell in constants
            )
        return reaching[cell]

    known = {(str(table), str(column)) for table, column in columns}
    assert len(known) > 300
    assert [cell for cell in sorted(known) if not reaches(cell)] == []
    assert not constants & inputs.keys()


def test_what_study_yaml_declares_names_no_delivered_row(refreshed: Workspace) -> None:
    with duckdb.connect(str(refreshed.home / "warehouse.duckdb"), read_only=True) as published:
        tables = [
            name
            for (name,) in published.execute(
                "select table_name from information_schema.tables where table_schema = 'study'"
            ).fetchall()
        ]
        assert {"outcomes", "parameters", "responders", "visits"} <= set(tables)
        for table in tables:
            found = published.execute(
                f"select count(*) from study.{table} where len(_row_ids) > 0"
            ).fetchone()
            assert found == (0,), table
