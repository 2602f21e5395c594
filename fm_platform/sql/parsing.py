"""A model's SQL text as a checked syntax tree.

Belongs here: parsing, the tables a tree reads, its code version. Does not belong here: what constructs are
refused (rules.py), names of columns (resolve.py).
"""

from __future__ import annotations

import hashlib
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from fm_platform.errors import InputError
from fm_platform.sql.model import DIALECT, table_name
from fm_platform.sql.plainer import written_out
from fm_platform.sql.refusals import refusal
from fm_platform.sql.rules import check_query
from fm_platform.sql.template import Rendered


def parse_model_sql(rendered: Rendered, file: str, *, plain_names: bool) -> exp.Query:
    """The checked syntax tree of a model's SQL.

    Args:
        rendered: The SQL, references replaced.
        file: Its name in errors.
        plain_names: Whether tables may be named ``schema.table`` without a reference.

    Raises:
        InputError: With the line of the first thing that is refused.
    """
    try:
        statements = [tree for tree in sqlglot.parse(rendered.sql, dialect=DIALECT) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        description = str(first.get("description") or error).split("\n")[0].rstrip(".")
        raise InputError(
            f"not valid SQL: {description}",
            file=file,
            line=first.get("line"),
            mend="correct the text near that line",
        ) from None
    except SqlglotError as error:
        raise InputError(
            f"not valid SQL: {str(error).splitlines()[0]}",
            file=file,
            mend="look for an unclosed quote or comment",
        ) from None
    if not statements:
        raise InputError("there is no SQL in this model", file=file, line=1, mend="write one SELECT")
    refuse = refusal(file)
    if len(statements) > 1:
        raise refuse(statements[1], "more than one statement", "a model is one SELECT")
    tree = written_out(statements[0])
    check_query(tree, refuse)
    query = cast(exp.Query, tree)
    _check_tables(query, rendered, file, plain_names=plain_names)
    return query


def _check_tables(tree: exp.Query, rendered: Rendered, file: str, *, plain_names: bool) -> None:
    """Every table is a reference or a CTE in sight, so that nothing is read behind the graph's back."""
    refuse = refusal(file)
    for table in tree.find_all(exp.Table):
        if table.db:
            if plain_names or table.args["db"].meta.get("start") in rendered.offsets:
                continue
        elif _is_cte(table):
            continue
        elif "." in table.name or "/" in table.name:
            raise refuse(table, f"{table.name!r} reads a file", "declare the file as a source of the study")
        raise refuse(
            table,
            f"table {table.sql(dialect=DIALECT, comments=False)} is named directly",
            f"write {{{{ ref('{table.name}') }}}} or {{{{ source('schema', '{table.name}') }}}}",
        )
    refs = refs_of(tree)
    for column in tree.find_all(exp.Column):
        if column.args.get("db") is not None and f"{column.text('db')}.{column.table}" in refs:
            raise refuse(
                column,
                f"column {column.sql(dialect=DIALECT)} is named with its schema",
                "name it by the table's alias",
            )


def _is_cte(table: exp.Table) -> bool:
    node: exp.Expr | None = table.parent
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None and any(cte.alias.lower() == table.name.lower() for cte in with_.expressions):
            return True
        node = node.parent
    return False


def refs_of(tree: exp.Query) -> tuple[str, ...]:
    """The tables that a query reads, as sorted ``schema.table`` names."""
    return tuple(sorted({table_name(table) for table in tree.find_all(exp.Table) if table.db}))


def code_version(tree: exp.Query) -> str:
    """SHA-256 of a syntax tree written in one way: comments, white space, keyword case do not count."""
    text = tree.sql(dialect=DIALECT, comments=False, normalize_functions="upper", pretty=False)
    return hashlib.sha256(text.encode()).hexdigest()
