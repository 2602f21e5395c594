"""A SQL model as a value: its text, what it reads, what it promises, and its plain SQL for given relations.

Belongs here: the frozen types of the room and the compilation of one model. Does not belong here: reading
files (loader.py), what is refused (rules.py), lineage and links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from sqlglot import exp

from fm_platform.errors import InputError
from fm_platform.warehouse.records import Column

DIALECT = "duckdb"

Relation = Callable[[str], str]
"""Turns a table's name (``staging.visits``) into the SQL that names it (``"fm"."staging"."visits"``)."""

Schemas = Mapping[str, Mapping[str, str]]
"""Table name to column name to DuckDB type, as ``DESCRIBE`` gives them, platform columns included."""

TestKind = Literal["not_null", "unique", "accepted_values", "relationships", "unique_combination"]
Severity = Literal["ERROR", "WARN"]


@dataclass(frozen=True)
class GeneratedModel:
    """A model that the platform writes itself (typed staging tables, say).

    Attributes:
        name: ``schema.table``.
        sql: One SELECT. Tables are named as in a file model (``{{ ref() }}``, ``{{ source() }}``) or plainly
            as ``schema.table``.
        description: What the table is.
        columns: Output column name to description, every column.
        key: The columns that identify a row.
        constants: Columns whose values may be written out rather than read, with where they come from.
    """

    name: str
    sql: str
    description: str
    columns: Mapping[str, str] = field(hash=False)
    key: tuple[str, ...]
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ModelTest:
    """A data test declared beside a model.

    Attributes:
        kind: Which of dbt's tests.
        columns: The column, or the columns of ``unique_combination``.
        arguments: ``accepted_values``: ``values`` (tuple of texts); ``relationships``: ``to``
            (``schema.table``) and ``field``; empty otherwise.
        severity: ``ERROR`` blocks what lies downstream, ``WARN`` reports.
    """

    kind: TestKind
    columns: tuple[str, ...]
    arguments: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, hash=False)
    severity: Severity = "ERROR"

    @property
    def column(self) -> str | None:
        """The column of a one-column test."""
        return self.columns[0] if len(self.columns) == 1 else None


@dataclass(frozen=True)
class SqlModel:
    """One loaded, checked model.

    Attributes:
        name: ``schema.table``.
        path: Its file, or None for a generated model.
        template: The text as written, with ``{{ ref() }}`` and ``{{ source() }}``.
        refs: The tables it reads, sorted ``schema.table`` names.
        description: What the table is.
        columns: Output columns in order, with their documentation.
        key: The columns that identify a row.
        tests: Declared data tests.
        code_version: SHA-256 of the normalized syntax tree: comments, white space and the case of keywords do
            not count.
        sql: The text with the tables' names in place of the references.
        parse: Makes the checked syntax tree.
    """

    name: str
    path: Path | None
    template: str = field(repr=False)
    refs: tuple[str, ...]
    description: str
    columns: Mapping[str, Column] = field(hash=False, repr=False)
    key: tuple[str, ...]
    tests: tuple[ModelTest, ...] = field(repr=False)
    code_version: str
    sql: str = field(repr=False)
    parse: Callable[[], exp.Query] = field(repr=False, compare=False)

    @cached_property
    def tree(self) -> exp.Query:
        """The syntax tree, tables named ``schema.table``. Treat it as frozen: copy before changing."""
        return self.parse()

    @property
    def schema(self) -> str:
        """The schema part of the name."""
        return self.name.split(".")[0]

    @property
    def display(self) -> str:
        """What error messages call the model's text."""
        return str(self.path) if self.path is not None else f"generated model {self.name}"

    def error(self, message: str, *, node: exp.Expr | None = None, mend: str) -> InputError:
        """An error that points at this model, at the line of a node of its tree where one is given."""
        return InputError(
            message, file=self.display, line=line_of(node) if node is not None else None, mend=mend
        )


def plain_sql(tree: exp.Query, relation: Relation) -> str:
    """SQL text of a tree, with every ``schema.table`` renamed by ``relation``. The tree is used up: give a copy."""
    for table in list(tree.find_all(exp.Table)):
        if not table.db:
            continue
        target = exp.to_table(relation(table_name(table)), dialect=DIALECT)
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
        target.set("alias", alias.copy())
        table.replace(target)
    return tree.sql(dialect=DIALECT, pretty=True, comments=False, copy=False)


def table_name(table: exp.Table) -> str:
    """``schema.table`` of a table node that has a schema."""
    return f"{table.db}.{table.name}"


def line_of(node: exp.Expr) -> int | None:
    """The 1-based line where a node begins; for keywords, whose line is not kept, a line nearby."""
    lines = [found.meta["line"] for found in node.walk() if "line" in found.meta]
    if lines:
        return int(min(lines))
    around = node.parent
    while around is not None:
        lines = [found.meta["line"] for found in around.walk() if "line" in found.meta]
        if lines:
            return int(max(lines))
        around = around.parent
    return None


def output_columns(query: exp.Query) -> list[str]:
    """Names of a query's output columns, in order (those of the leftmost arm of a union)."""
    return [projection.alias_or_name for projection in leftmost_select(query).expressions]


def leftmost_select(query: exp.Query) -> exp.Select:
    """The SELECT that names a query's columns."""
    node: exp.Expr = query
    while not isinstance(node, exp.Select):
        node = node.this
    return node
