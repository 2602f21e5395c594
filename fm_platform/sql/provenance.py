"""Row provenance: a query rewritten so that every output row carries the raw rows that contributed to it.

Belongs here: the rewriting of a resolved syntax tree. Does not belong here: what is refused (rules.py),
running it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from fm_platform.sql.functions import is_grouped
from fm_platform.sql.id_lists import call, collected, tidy, united, united_columns
from fm_platform.sql.model import DIALECT, Relation, Schemas, SqlModel, output_columns, plain_sql, table_name
from fm_platform.sql.resolve import resolved_tree
from fm_platform.sql.rules import DECLARED, ROW_ID, ROW_IDS
from fm_platform.sql.subqueries import is_value
from fm_platform.sql.windows import frames_of, over

_LEFT = "_left"

IdsOfTable = Callable[[str, str], exp.Expr | None]
"""The row ids that a row of a warehouse table brings, if any, from the table's name and its alias in the query."""


def with_row_ids(model: SqlModel, schemas: Schemas, relation: Relation) -> str:
    """The model's SQL with one more column, ``_row_ids VARCHAR[]``.

    It holds the sorted, distinct ids of the raw rows that contributed. The rows and the other columns are
    those of ``model.compiled(relation)``. What contributes to an output row:

    - a table's row brings its ``_row_ids`` (of a raw table: its ``_row_id``); constants, VALUES and what
      study.yaml declares (``study.*``) bring none;
    - a join unites both sides; the missing side of an outer join, and an ANTI JOIN's right side, bring none;
    - GROUP BY, aggregates, DISTINCT and UNION collect from every row of the group, also from rows that a
      FILTER clause or a minimum passes over; UNION ALL keeps;
    - a window function (in SELECT or QUALIFY) collects from the rows that its frame shows it (``windows.py``);
    - EXISTS and IN (SELECT ...) bring the subquery's rows that match; NOT EXISTS and NOT IN bring none;
    - a subquery that stands for a value brings the ids of its row;
    - EXCEPT collects from the left arm, INTERSECT from both.

    What brings none can still matter by being absent: without the row that a NOT EXISTS or a LEFT JOIN
    misses, an output row may appear, vanish or change.

    Args:
        model: The model.
        schemas: The columns of the tables that the model reads, platform columns included.
        relation: Names each table read.

    Raises:
        InputError: A name that cannot be resolved.
    """

    def ids_of_table(table: str, alias: str) -> exp.Expr | None:
        columns = schemas[table]
        if table.startswith(DECLARED):
            return None
        if ROW_IDS in columns:
            return exp.column(ROW_IDS, alias, quoted=True)
        if ROW_ID in columns or table.startswith("raw."):
            return exp.array(exp.column(ROW_ID, alias, quoted=True), dialect=DIALECT)
        raise model.error(
            f"table {table} has neither {ROW_IDS} nor {ROW_ID}",
            mend="materialize it with this platform first",
        )

    return plain_sql(_query(resolved_tree(model, schemas), ids_of_table), relation)


def _query(query: exp.Expr, ids_of_table: IdsOfTable) -> exp.Query:
    """A query that yields its rows with their ids as the last column; ORDER BY is dropped."""
    with_ = query.args.get("with_")
    if with_ is not None:
        for cte in with_.expressions:
            cte.set("this", _query(cte.this, ids_of_table))
        with_.pop()
    order = query.args.get("order")
    if order is not None:
        order.pop()
    result: exp.Query
    if isinstance(query, exp.Subquery):
        result = _query(query.this, ids_of_table)
    elif isinstance(query, exp.Union):
        result = _union(query, ids_of_table)
    elif isinstance(query, exp.SetOperation):
        result = _difference(query, ids_of_table)
    elif isinstance(query, exp.Select):
        result = _select(query, ids_of_table)
    else:
        raise TypeError(f"no rule for {type(query).__name__}")
    if with_ is not None:
        inner = result.args.get("with_")
        if inner is not None:
            with_.set("expressions", [*with_.expressions, *inner.expressions])
        result.set("with_", with_)
    return result


def _union(query: exp.Union, ids_of_table: IdsOfTable) -> exp.Query:
    columns = output_columns(query)
    query.set("this", _arm(_query(query.left, ids_of_table)))
    query.set("expression", _arm(_query(query.right, ids_of_table)))
    if not query.args.get("distinct"):
        return query
    query.set("distinct", False)
    return _distinct(query, columns)


def _difference(query: exp.SetOperation, ids_of_table: IdsOfTable) -> exp.Query:
    """EXCEPT and INTERSECT: both arms in one, each row told by its side, then grouped."""
    columns = output_columns(query)
    kept = isinstance(query, exp.Intersect)
    both = exp.union(
        *(
            exp.select(exp.Star(), exp.alias_(exp.Boolean(this=left), _LEFT, quoted=True)).from_(
                _query(arm, ids_of_table).subquery(exp.to_identifier("_arm", quoted=True), copy=False)
            )
            for arm, left in ((query.left, True), (query.right, False))
        ),
        distinct=False,
        copy=False,
    )
    rows = _distinct(both, columns)
    side = exp.column(_LEFT, "_all", quoted=True)
    given = call("bool_and", side)
    if kept:
        given = exp.and_(call("bool_or", side), exp.not_(given))
    rows.set("having", exp.Having(this=given))
    return rows


def _arm(query: exp.Query) -> exp.Expr:
    """An arm of a union, in parentheses where it has CTEs of its own."""
    return query.subquery(copy=False) if query.args.get("with_") is not None else query


def _select(select: exp.Select, ids_of_table: IdsOfTable) -> exp.Query:
    columns = output_columns(select)
    parts = _ids_of_sources(select, ids_of_table) + _ids_of_subqueries(select, ids_of_table)
    frames = frames_of(select)
    if is_grouped(select):
        ids = tidy(_seen_through(frames, collected(united(parts))))
    elif frames:
        ids = tidy(_seen_through(frames, united(parts)))
    elif isinstance(united(parts), exp.Array) and not select.args.get("joins"):
        ids = united(parts)
    elif all(isinstance(part, exp.Column) for part in parts):
        ids = united_columns(parts)
    else:
        ids = tidy(united(parts))
    select.append("expressions", exp.alias_(ids, ROW_IDS, quoted=True))
    if select.args.get("distinct") is None:
        return select
    select.set("distinct", None)
    return _distinct(select, columns)


def _seen_through(frames: list[exp.Window], ids: exp.Expr) -> exp.Expr:
    """A row's ids and those of the rows that its windows look at."""
    return united([ids, *(over(ids, frame) for frame in frames)])


def _ids_of_sources(select: exp.Select, ids_of_table: IdsOfTable) -> list[exp.Expr]:
    """The ids that each table of FROM and JOIN brings to a row."""
    from_ = select.args.get("from_")
    sources = [from_.this] if from_ is not None else []
    sources += [join.this for join in select.args.get("joins") or [] if join.kind != "ANTI"]
    ids: list[exp.Expr] = []
    for join in select.args.get("joins") or []:
        if join.kind == "ANTI" and isinstance(join.this, exp.Subquery):
            join.this.set("this", _query(join.this.this, ids_of_table))
    for source in sources:
        alias = source.alias_or_name
        if isinstance(source, exp.Table) and source.db:
            own = ids_of_table(table_name(source), alias)
            ids += [own] if own is not None else []
        elif isinstance(source, exp.Table):
            ids.append(exp.column(ROW_IDS, alias, quoted=True))
        elif isinstance(source, exp.Subquery):
            source.set("this", _query(source.this, ids_of_table))
            ids.append(exp.column(ROW_IDS, alias, quoted=True))
        elif not isinstance(source, (exp.Unnest, exp.Values)):
            raise TypeError(f"no rule for {type(source).__name__} in FROM")
    return ids


def _ids_of_subqueries(select: exp.Select, ids_of_table: IdsOfTable) -> list[exp.Expr]:
    """The ids of the rows that EXISTS and IN (SELECT ...) of a WHERE clause match, and of those that give a value."""
    where = select.args.get("where")
    ids = [
        _matching(_query(node.this.copy(), ids_of_table), f"_value_{number}", None)
        for number, node in enumerate(_values(select))
    ]
    for number, conjunct in enumerate(_conjuncts(where.this) if where is not None else []):
        alias = f"_matched_{number}"
        if isinstance(conjunct, exp.Exists) and isinstance(conjunct.this, exp.Query):
            ids.append(_matching(_query(conjunct.this.copy(), ids_of_table), alias, None))
        elif isinstance(conjunct, exp.In) and conjunct.args.get("query") is not None:
            query = conjunct.args["query"].copy()
            name = output_columns(query)[0]
            same = exp.EQ(this=exp.column(name, alias, quoted=True), expression=conjunct.this.copy())
            ids.append(_matching(_query(query, ids_of_table), alias, same))
    return ids


def _values(select: exp.Select) -> list[exp.Subquery]:
    """The subqueries that stand for a value in the outputs and the WHERE clause of a SELECT."""
    return [
        node
        for part in [*select.expressions, select.args.get("where")]
        if part is not None
        for node in part.walk(prune=lambda found: isinstance(found, exp.Query))
        if is_value(node)
    ]


def _conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    if isinstance(condition, exp.Paren):
        return _conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [*_conjuncts(condition.left), *_conjuncts(condition.right)]
    return [condition]


def _matching(query: exp.Query, alias: str, condition: exp.Expr | None) -> exp.Expr:
    """All ids of the rows of a subquery, as a value."""
    gathered = collected(exp.column(ROW_IDS, alias, quoted=True))
    rows = exp.select(gathered).from_(query.subquery(exp.to_identifier(alias, quoted=True), copy=False))
    return (rows.where(condition) if condition is not None else rows).subquery(copy=False)


def _distinct(query: exp.Query, columns: list[str]) -> exp.Query:
    """One row for each combination of values, with the ids of all rows that have it."""
    outer = [exp.alias_(exp.column(name, "_all", quoted=True), name, quoted=True) for name in columns]
    ids = tidy(collected(exp.column(ROW_IDS, "_all", quoted=True)))
    return (
        exp.select(*outer, exp.alias_(ids, ROW_IDS, quoted=True))
        .from_(query.subquery(exp.to_identifier("_all", quoted=True), copy=False))
        .group_by(*(exp.column(name, "_all", quoted=True) for name in columns))
    )
