"""Column lineage of a SQL model, from its resolved syntax tree.

Belongs here: which input columns each output column is computed from (DIRECT) and which ones decide about its
rows (INDIRECT). Does not belong here: links, lineage across models (the ledger's reader joins the
pieces).

The tree is evaluated over sets: every query gives, for each of its columns, the inputs of that column, and
one set of influences that its filters, joins and groupings have on all of its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from fm_platform.sql.functions import is_aggregate, is_windowed
from fm_platform.sql.model import Schemas, SqlModel, output_columns, table_name
from fm_platform.sql.resolve import resolved_tree
from fm_platform.sql.subqueries import is_value
from fm_platform.warehouse.records import ColumnInput

Inputs = frozenset[ColumnInput]

_STRENGTH = {"IDENTITY": 0, "TRANSFORMATION": 1, "CONDITIONAL": 2, "WINDOW": 3, "AGGREGATION": 4}


@dataclass(frozen=True)
class _Table:
    """What a table expression's columns come from. ``base`` is set for a table of the warehouse."""

    columns: Mapping[str, Inputs] = field(default_factory=dict)
    influences: Inputs = frozenset()
    base: str | None = None

    def inputs_of(self, column: str) -> Inputs:
        if self.base is not None:
            return frozenset({ColumnInput(self.base, column, "DIRECT", "IDENTITY")})
        return self.columns.get(column, frozenset())


@dataclass(frozen=True)
class _Scope:
    """The names in sight: CTEs, tables of this FROM, and the query around a correlated subquery."""

    ctes: Mapping[str, _Table]
    tables: dict[str, _Table] = field(default_factory=dict)
    outer: _Scope | None = None

    def inputs_of(self, table: str, column: str) -> Inputs:
        if table in self.tables:
            return self.tables[table].inputs_of(column)
        return self.outer.inputs_of(table, column) if self.outer is not None else frozenset()


def column_lineage(model: SqlModel, schemas: Schemas) -> dict[str, tuple[ColumnInput, ...]]:
    """The inputs of every output column, down to the tables that the model reads.

    A DIRECT input's transformation is the strongest step on its way, in the order IDENTITY, TRANSFORMATION,
    CONDITIONAL (it only chooses between values), WINDOW, AGGREGATION. INDIRECT inputs are FILTER (WHERE,
    HAVING, QUALIFY, FILTER, EXISTS, IN), JOIN, GROUP_BY (DISTINCT and UNION, too), SORT (ORDER BY inside an
    aggregate) and WINDOW (PARTITION BY and ORDER BY of a window).

    Args:
        model: The model.
        schemas: The columns of the tables that the model reads.

    Returns:
        Output column to its inputs, sorted. Columns that begin with ``_`` are left out on both sides.

    Raises:
        InputError: A name that cannot be resolved.
    """
    tree = resolved_tree(model, schemas)
    spelling = {(ref, name.lower()): name for ref in model.refs for name in schemas[ref]}
    result = _query(tree, _Scope({}))
    lineage: dict[str, tuple[ColumnInput, ...]] = {}
    for name in output_columns(tree):
        inputs = result.columns[name] | result.influences
        lineage[name] = tuple(
            sorted(
                replace(found, column=spelling.get((found.table, found.column), found.column))
                for found in inputs
                if not found.column.startswith("_")
            )
        )
    return lineage


def _query(query: exp.Expr, scope: _Scope) -> _Table:
    """The columns of a query. ``scope`` is what its subqueries may see from outside."""
    with_ = query.args.get("with_")
    if with_ is not None:
        scope = replace(scope, ctes=dict(scope.ctes))
        for cte in with_.expressions:
            scope = replace(scope, ctes={**scope.ctes, cte.alias: _query(cte.this, scope)})
    if isinstance(query, exp.Subquery):
        return _query(query.this, scope)
    if isinstance(query, exp.Union):
        return _union(query, scope)
    if isinstance(query, exp.SetOperation):
        return _difference(query, scope)
    return _select(query, scope)


def _union(query: exp.Union, scope: _Scope) -> _Table:
    left, right = _query(query.left, scope), _query(query.right, scope)
    names = output_columns(query)
    pairs = zip(left.columns.values(), right.columns.values(), strict=True)
    columns = {name: one | other for name, (one, other) in zip(names, pairs, strict=True)}
    influences = left.influences | right.influences
    if query.args.get("distinct"):
        influences |= _indirect(columns.values(), "GROUP_BY")
    return _Table(columns, influences)


def _difference(query: exp.SetOperation, scope: _Scope) -> _Table:
    """EXCEPT and INTERSECT: the values are the left arm's; the right arm decides which of them stay."""
    left, right = _query(query.left, scope), _query(query.right, scope)
    kept = _indirect(right.columns.values(), "FILTER") | _indirect(left.columns.values(), "GROUP_BY")
    return _Table(left.columns, left.influences | right.influences | kept)


def _select(select: exp.Expr, outside: _Scope) -> _Table:
    scope = _Scope(outside.ctes, {}, outside)
    influences: set[ColumnInput] = set()
    from_ = select.args.get("from_")
    joins = select.args.get("joins") or []
    for source in [*([from_.this] if from_ is not None else []), *(join.this for join in joins)]:
        table = _source(source, scope)
        scope.tables[source.alias_or_name] = table
        influences |= table.influences
    for join in joins:
        if join.args.get("on") is not None:
            influences |= _deciding(join.args["on"], "JOIN", scope)
    for part in ("where", "having", "qualify"):
        if select.args.get(part) is not None:
            influences |= _deciding(select.args[part].this, "FILTER", scope)
    if select.args.get("group") is not None:
        influences |= _deciding(select.args["group"], "GROUP_BY", scope)
    columns = {
        projection.alias_or_name: frozenset(_inputs(projection, "IDENTITY", scope))
        for projection in select.expressions
    }
    if select.args.get("distinct") is not None:
        influences |= _indirect(columns.values(), "GROUP_BY")
    return _Table(columns, frozenset(influences))


def _source(source: exp.Expr, scope: _Scope) -> _Table:
    if isinstance(source, exp.Table):
        return _Table(base=table_name(source)) if source.db else scope.ctes[source.name]
    if isinstance(source, exp.Unnest):
        inputs = frozenset(
            found for argument in source.expressions for found in _inputs(argument, "TRANSFORMATION", scope)
        )
        return _Table({column.name: inputs for column in source.args["alias"].columns})
    if isinstance(source, exp.Values):
        return _Table({column.name: frozenset() for column in source.args["alias"].columns})
    return _query(source, _Scope(scope.ctes, {}, scope.outer))


def _inputs(node: exp.Expr, how: str, scope: _Scope) -> Iterator[ColumnInput]:
    """The inputs of an expression, each with the strongest of ``how`` and the steps on its own way."""
    if isinstance(node, exp.Column):
        for found in scope.inputs_of(node.table, node.name):
            stronger = (
                max(how, found.transformation, key=_STRENGTH.__getitem__) if found.kind == "DIRECT" else ""
            )
            yield replace(found, transformation=stronger) if stronger else found
    elif isinstance(node, (exp.Alias, exp.Paren)):
        yield from _inputs(node.this, how, scope)
    elif isinstance(node, exp.Window):
        yield from _inputs(node.this, _stronger(how, "WINDOW"), scope)
        for part in _window_parts(node):
            yield from _deciding(part, "WINDOW", scope)
    elif isinstance(node, exp.Filter):
        yield from _inputs(node.this, how, scope)
        yield from _deciding(node.expression.this, "FILTER", scope)
    elif isinstance(node, exp.Order):
        if node.this is not None:
            yield from _inputs(node.this, how, scope)
        for part in node.expressions:
            yield from _deciding(part, "SORT", scope)
    elif isinstance(node, (exp.Case, exp.If)):
        yield from _choice(node, how, scope)
    elif isinstance(node, (exp.Query, exp.Subquery)):
        result = _query(node, scope)
        if is_value(node):
            for found in next(iter(result.columns.values())):
                yield (
                    replace(found, transformation=_stronger(how, found.transformation))
                    if found.kind == "DIRECT"
                    else found
                )
        else:
            yield from _indirect(result.columns.values(), "FILTER")
        yield from result.influences
    else:
        step = "AGGREGATION" if is_aggregate(node) and not is_windowed(node) else "TRANSFORMATION"
        for child in node.iter_expressions():
            yield from _inputs(child, _stronger(how, step), scope)


def _choice(node: exp.Case | exp.If, how: str, scope: _Scope) -> Iterator[ColumnInput]:
    """CASE and IF: conditions choose (CONDITIONAL), branches are the value."""
    chosen = _stronger(how, "TRANSFORMATION")
    choosing = _stronger(how, "CONDITIONAL")
    branches = node.args["ifs"] if isinstance(node, exp.Case) else [node]
    if isinstance(node, exp.Case) and node.this is not None:
        yield from _inputs(node.this, choosing, scope)
    for branch in branches:
        yield from _inputs(branch.this, choosing, scope)
        yield from _inputs(branch.args["true"], chosen, scope)
    for name in ("default", "false"):
        if node.args.get(name) is not None:
            yield from _inputs(node.args[name], chosen, scope)


def _window_parts(node: exp.Window) -> list[exp.Expr]:
    """PARTITION BY and ORDER BY of a window, its named definition included."""
    parts = [*(node.args.get("partition_by") or [])]
    if node.args.get("order") is not None:
        parts += node.args["order"].expressions
    select = node.find_ancestor(exp.Select)
    for named in (select.args.get("windows") or []) if select is not None and node.alias else []:
        if named.name == node.alias and named is not node:
            parts += _window_parts(named)
    return parts


def _stronger(one: str, other: str) -> str:
    return max(one, other, key=_STRENGTH.__getitem__)


def _deciding(node: exp.Expr, how: str, scope: _Scope) -> Inputs:
    """The inputs of an expression that decides about rows."""
    return _indirect([frozenset(_inputs(node, "IDENTITY", scope))], how)


def _indirect(columns: Iterable[Inputs], how: str) -> Inputs:
    return frozenset(
        replace(found, kind="INDIRECT", transformation=how) if found.kind == "DIRECT" else found
        for inputs in columns
        for found in inputs
    )
