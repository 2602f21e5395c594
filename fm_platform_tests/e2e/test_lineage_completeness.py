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


def test_every_table_that_reads_rows_says_which_and_what_study_yaml_declares_names_none(
    refreshed: Workspace,
) -> None:
    with duckdb.connect(str(refreshed.home / "warehouse.duckdb"), read_only=True) as published:
        reading = published.execute(
            "select distinct table_name, input_table from audit.column_lineage "
            "where not starts_with(input_table, 'study.')"
        ).fetchall()
        told = published.execute(
            "select table_name, input_table from audit.links where input_table is not null union "
            "select table_name, regexp_extract(unnest(cells), '^[^.]+[.][^.]+') from audit.links"
        ).fetchall()
    untold = {pair for pair in reading if pair not in set(told) and pair[0] != "report.data_queries"}
    assert untold == set()
    assert not [pair for pair in told if pair[1].startswith("study.")]
