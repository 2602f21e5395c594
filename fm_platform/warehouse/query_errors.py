"""What was wrong with a query, in words that help: the place of a slip, the columns there are, the nearest table.

Belongs here: reading DuckDB's complaints about a SELECT. Does not belong here: running it (``reader``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches

import duckdb

from fm_platform.errors import InputError

_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_NO_TABLE = re.compile(r'Table with name "?(?P<name>[^"]+?)"? does not exist')
_NO_COLUMN = re.compile(
    r'Referenced column "(?P<bare>[^"]+)" not found|does not have a column named "(?P<own>[^"]+)"'
)
_OVERVIEW = 'see `fm query "SHOW ALL TABLES"` for what there is'
_READS = "a query only reads the published tables: write a SELECT from them"
_SHOWN = 5
_ALIKE = 0.85


def query_error(connection: duckdb.DuckDBPyConnection, sql: str, error: Exception) -> InputError:
    """The error that a person should see for a query that DuckDB refused.

    Args:
        connection: Where it was asked, to look up tables and columns.
        sql: The query.
        error: DuckDB's.
    """
    text = _KIND.sub("", str(error)).strip()
    said = text.splitlines()[0].strip() if text else "the query cannot be run"
    if isinstance(error, duckdb.ParserException):
        return _slip(text, said)
    if isinstance(error, duckdb.CatalogException) and (table := _NO_TABLE.search(text)):
        return no_table(connection, _asked(sql, table["name"]))
    if isinstance(error, duckdb.BinderException) and (column := _NO_COLUMN.search(text)):
        return _no_column(connection, sql, column["bare"] or column["own"])
    if isinstance(error, duckdb.BinderException | duckdb.ConversionException):
        return InputError(" ".join(text.partition("\nLINE ")[0].split()), mend="correct the query")
    if isinstance(error, duckdb.PermissionException | duckdb.InvalidInputException):
        return InputError(said, mend=_READS)
    return InputError(" ".join(line for line in text.splitlines()[:2] if line.strip()), mend=_OVERVIEW)


def _slip(text: str, said: str) -> InputError:
    """A query that is no SQL, with the place that DuckDB marks."""
    excerpt = [line for line in text.splitlines()[1:] if line.strip()]
    if not excerpt:
        return InputError(said, mend="complete the query")
    return InputError(said, mend="correct the marked place\n" + "\n".join(excerpt))


def no_table(connection: duckdb.DuckDBPyConnection, asked: str) -> InputError:
    """A table that is not there, with those of the same name in another schema, or of a similar one.

    Args:
        connection: The published warehouse.
        asked: The table's name as it was given, with or without a schema.
    """
    tables = _tables(connection)
    bare = asked.rpartition(".")[2].casefold()
    own = {table: table.rpartition(".")[2] for table in tables}
    near = get_close_matches(asked.casefold(), tables, n=1, cutoff=_ALIKE) if "." in asked else []
    near += [table for table, short in own.items() if short == bare and table not in near]
    if not near:
        alike = get_close_matches(bare, set(own.values()), n=3)
        near = [table for similar in alike for table, short in own.items() if short == similar]
    meant = f"did you mean {' or '.join(near[:_SHOWN])}?" if near else f"there are: {', '.join(tables)}"
    return InputError(f"no table {asked!r} in the published warehouse", mend=meant)


def _asked(sql: str, name: str) -> str:
    """A table's name with the schema that the query gives it; DuckDB tells the name alone."""
    written = re.search(rf'[\w"]+\s*\.\s*"?{re.escape(name)}\b', sql)
    return written[0].replace('"', "").replace(" ", "") if written and "." not in name else name


def _no_column(connection: duckdb.DuckDBPyConnection, sql: str, column: str) -> InputError:
    """A column that is not there, with the columns of the tables that the query names."""
    named = [table for table in _tables(connection) if _names(sql, table)]
    listed = {table: _columns(connection, table) for table in named}
    near = get_close_matches(column, [name for names in listed.values() for name in names], n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    there = "; ".join(f"columns of {table}: {', '.join(names)}" for table, names in listed.items())
    return InputError(f"there is no column {column}", mend=f"{meant}{there}" or _OVERVIEW)


def _names(sql: str, table: str) -> bool:
    schema, _, name = table.partition(".")
    written = rf'(?<![\w.])"?{re.escape(schema)}"?\s*\.\s*"?{re.escape(name)}"?(?!\w)'
    return re.search(written, sql, re.IGNORECASE) is not None


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT table_schema || '.' || table_name AS name FROM information_schema.tables "
        "WHERE table_catalog = current_database() ORDER BY name"
    ).fetchall()
    return [row[0] for row in rows]


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    schema, _, name = table.partition(".")
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = ? "
        "AND table_name = ? ORDER BY column_index",
        [schema, name],
    ).fetchall()
    return [row[0] for row in rows]
