"""Links of a SQL model: its query rewritten so that every output row names the input rows behind it.

Belongs here: the rewriting of a resolved syntax tree. Does not belong here: what is refused (``rules``), following
links over several tables, running anything.

The table that is stored is what the model's author wrote; the link is a second query over the same inputs, run when
somebody asks. Beside the model's own columns it says in marks (``marks``), for each output row:

* ``_rows``: every input row that contributes to the output row, or that it is told apart or let through by;
* ``_decides``: those of them on which it depends that the row is there at all;
* ``~column``, for each output column: the input cells that its value is computed from.

Most marks name one row of an input, the same for many columns. That row is given once (``_row0``, ...), and which cells
of it are meant is said beside the query, for each arm of its unions (``_arm``); only what collects rows is a list.

What contributes to an output row:

* a table's row brings itself; constants, VALUES and what study.yaml declares (``study.*``) bring nothing;
* a join unites both sides; the missing side of an outer join, and an ANTI JOIN's right side, bring nothing;
* GROUP BY, aggregates, DISTINCT and UNION collect from every row of the group, also from rows that a FILTER clause or
  a minimum passes over; UNION ALL keeps;
* a window function (in SELECT or QUALIFY) collects from the rows that its frame shows it (``windows``);
* EXISTS and IN (SELECT ...) bring the subquery's rows that match; NOT EXISTS and NOT IN in WHERE or HAVING bring none;
* a subquery that stands for a value brings the rows of that value;
* EXCEPT collects from the left arm, INTERSECT from both.

The optional side of an outer join decides about nothing but the columns that are taken from it, unless a condition
reads it. What brings nothing can still matter by being absent: without the row that a NOT EXISTS or a LEFT JOIN
misses, an output row may appear, vanish or change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections

from fm_platform.sql.arms import Arm, Told, as_link, as_lists, as_rows, hidden_names
from fm_platform.sql.functions import is_aggregate, is_grouped
from fm_platform.sql.marks import InputCells, call, collected, gathered, mark_at, united
from fm_platform.sql.model import Relation, Schemas, SqlModel, output_columns, plain_sql, table_name
from fm_platform.sql.resolve import resolved_tree
from fm_platform.sql.rules import DECLARED
from fm_platform.sql.subqueries import is_test, is_value, looked_for, of_group, sense_of
from fm_platform.sql.windows import frames_of, over
from fm_platform.warehouse.records import CELL, DECIDES, ROW, ROWS, Marks

_LEFT, _ALL, _SIDE = "_left", "_all", "_side"


@dataclass(frozen=True)
class LinkQuery:
    """The link of one model.

    Attributes:
        sql: A SELECT of the model's columns, or some of them, and of what ``marks`` says.
        cells: What the marks name: table and column, the column "" standing for the row as a whole.
        marks: Where the marks stand of ``_rows``, ``_decides`` and a ``~column`` for each column of the model.
    """

    sql: str
    cells: tuple[tuple[str, str], ...]
    marks: Marks


def link_query(
    model: SqlModel, schemas: Schemas, relation: Relation, *, columns: Collection[str] | None = None
) -> LinkQuery:
    """The link of a model to the tables that it reads.

    Args:
        model: The model.
        schemas: The columns of the tables that the model reads.
        relation: Names each table read.
        columns: Those of the model's columns that are needed beside the marks, such as its key; None for all.

    Raises:
        InputError: A name that cannot be resolved.
    """
    cells = InputCells()
    tree, marks = _Rewriting(cells).link(resolved_tree(model, schemas).copy())
    if columns is not None:
        _leave_out(tree, {at for at, name in enumerate(model.columns) if name not in columns})
    pushdown_projections(tree)
    spelling = {(ref, name.lower()): name for ref in model.refs for name in schemas[ref]}
    named = tuple((table, spelling.get((table, column), column)) for table, column in cells.found)
    return LinkQuery(plain_sql(tree, relation), named, marks)


@dataclass(frozen=True)
class _Source:
    """A table expression of FROM: how the marks of its rows and cells are written.

    Attributes:
        base: The table of the warehouse, if it is one; None for a query or CTE, which carries marks itself.
        told: Of a query: the marks that it carries as rows; None where all are lists.
        optional: Whether it is a side of an outer join that may be missing.
        conditions: The ON clause under which it is joined.
    """

    alias: str
    base: str | None
    told: Told | None = None
    optional: bool = False
    conditions: tuple[exp.Expr, ...] = ()


class _Rewriting:
    def __init__(self, cells: InputCells) -> None:
        self._cells = cells
        self._named: dict[str, Told | None] = {}
        """The CTEs in sight."""

    # -- queries --------------------------------------------------------------------------------------------------

    def link(self, query: exp.Expr) -> tuple[exp.Query, Marks]:
        """The outermost query, and where its marks stand."""
        result, arms = self._rewritten(query)
        return result, as_link(result, arms)

    def query(self, query: exp.Expr) -> exp.Query:
        """A query that yields its rows with their marks as further columns, all of them lists."""
        result, arms = self._rewritten(query)
        as_lists(result, arms)
        return result

    def _source(self, query: exp.Expr) -> tuple[exp.Query, Told | None]:
        """A query of FROM, or a CTE, and what the rows that it carries mean."""
        result, arms = self._rewritten(query)
        return result, as_rows(result, arms)

    def _rewritten(self, query: exp.Expr) -> tuple[exp.Query, list[Arm]]:
        """A query over rewritten tables, and its arms, whose marks are to be written; ORDER BY is dropped."""
        outer, with_ = self._named, query.args.get("with_")
        if with_ is not None:
            self._named = dict(outer)
            for cte in with_.expressions:
                result, self._named[cte.alias] = self._source(cte.this)
                cte.set("this", result)
            with_.pop()
        order = query.args.get("order")
        if order is not None:
            order.pop()
        if isinstance(query, exp.Subquery):
            result, arms = self._rewritten(query.this)
        elif isinstance(query, exp.Union):
            result, arms = self._union(query)
        elif isinstance(query, exp.SetOperation):
            result, arms = self._difference(query)
        elif isinstance(query, exp.Select):
            result, arms = self._select(query)
        else:
            raise TypeError(f"no rule for {type(query).__name__}")
        self._named = outer
        if with_ is not None:
            inner = result.args.get("with_")
            if inner is not None:
                with_.set("expressions", [*with_.expressions, *inner.expressions])
            result.set("with_", with_)
        return result, arms

    def _union(self, query: exp.Union) -> tuple[exp.Query, list[Arm]]:
        columns = output_columns(query)
        left, arms = self._rewritten(query.left)
        right, others = self._rewritten(query.right)
        query.set("this", _in_parentheses(left))
        query.set("expression", _in_parentheses(right))
        if not query.args.get("distinct"):
            return query, [*arms, *others]
        as_lists(query, [*arms, *others])
        query.set("distinct", False)
        return _distinct(query, columns)

    def _difference(self, query: exp.SetOperation) -> tuple[exp.Query, list[Arm]]:
        """EXCEPT and INTERSECT: both arms in one, each row told by its side, then grouped."""
        columns = output_columns(query)
        kept = isinstance(query, exp.Intersect)
        arms = ((query.left, True), (query.right, False))
        both = exp.union(
            *(_told_by_side(self.query(arm), left=left) for arm, left in arms), distinct=False, copy=False
        )
        rows, grouped = _distinct(both, columns)
        side = exp.column(_LEFT, _ALL, quoted=True)
        given = call("bool_and", side)
        if kept:
            given = exp.and_(call("bool_or", side), exp.not_(given))
        rows.set("having", exp.Having(this=given))
        return rows, grouped

    def _select(self, select: exp.Select) -> tuple[exp.Query, list[Arm]]:
        columns = output_columns(select)
        sources = self._sources(select)
        grouped, qualify = is_grouped(select), select.args.get("qualify")
        frames = frames_of(select, *select.expressions, qualify)
        rows = [mark for source in sources.values() for mark in self._rows(source)]
        for node in _in_sight(select):
            rows += self._behind(node, ROWS)
        decides = self._deciding(select, sources)

        def all_of(marks: Sequence[exp.Expr], seen: Sequence[exp.Window]) -> list[exp.Expr]:
            own = [gathered(marks)] if grouped and marks else list(marks)
            return [*own, *(over(united(own), frame) for frame in seen if own)]

        hidden = [
            all_of(self._of_value(projection, sources, rows), frames_of(select, projection))
            for projection in select.expressions
        ]
        arm = Arm(select, [*hidden, all_of(decides, frames_of(select, qualify)), all_of(rows, frames)])
        if select.args.get("distinct") is None:
            return select, [arm]
        as_lists(select, [arm])
        select.set("distinct", None)
        return _distinct(select, columns)

    # -- FROM -----------------------------------------------------------------------------------------------------

    def _sources(self, select: exp.Select) -> dict[str, _Source]:
        """The table expressions of FROM and JOIN by alias, subqueries among them rewritten."""
        found: dict[str, _Source] = {}
        from_ = select.args.get("from_")
        if from_ is not None:
            self._add(found, from_.this)
        for join in select.args.get("joins") or []:
            if join.kind == "ANTI":
                if isinstance(join.this, exp.Subquery):
                    join.this.set("this", self.query(join.this.this))
                continue
            side = join.side
            if side in ("RIGHT", "FULL"):
                found = {
                    alias: _Source(alias, source.base, source.told, True, (*source.conditions, *_on(join)))
                    for alias, source in found.items()
                }
            self._add(found, join.this, optional=side in ("LEFT", "FULL"), conditions=_on(join))
        return found

    def _add(
        self,
        found: dict[str, _Source],
        source: exp.Expr,
        *,
        optional: bool = False,
        conditions: tuple[exp.Expr, ...] = (),
    ) -> None:
        alias = source.alias_or_name
        if isinstance(source, exp.Table):
            if source.db and table_name(source).startswith(DECLARED):
                return
            base, told = (table_name(source), None) if source.db else (None, self._named.get(source.name))
            found[alias] = _Source(alias, base, told, optional, conditions)
        elif isinstance(source, exp.Subquery):
            query, told = self._source(source.this)
            source.set("this", query)
            found[alias] = _Source(alias, None, told, optional, conditions)
        elif not isinstance(source, (exp.Unnest, exp.Values)):
            raise TypeError(f"no rule for {type(source).__name__} in FROM")

    def _rows(self, source: _Source) -> list[exp.Expr]:
        return self._marks(source, "", ROWS)

    def _decides(self, source: _Source) -> list[exp.Expr]:
        return self._marks(source, "", DECIDES)

    def _cell(self, source: _Source, column: str) -> list[exp.Expr]:
        return self._marks(source, column, CELL + column)

    def _marks(self, source: _Source, column: str, hidden: str) -> list[exp.Expr]:
        """Of a table, the row as a cell of a column; of a query, what its hidden output means."""
        if source.base is not None:
            return [self._cells.mark(source.base, column, source.alias)]
        lists: list[exp.Expr] = [exp.column(hidden, source.alias, quoted=True)]
        if source.told is None:
            return lists
        ones = source.told.ones.get(hidden, ())
        return [
            *(mark_at(place, f"{ROW}{row}", source.alias) for place, row in ones),
            *(lists if hidden in source.told.lists else ()),
        ]

    # -- marks of a SELECT ----------------------------------------------------------------------------------------

    def _deciding(self, select: exp.Select, sources: dict[str, _Source]) -> list[exp.Expr]:
        """What the row's being there depends on: the rows that must be joined, and all that conditions read."""
        found = [mark for source in sources.values() if not source.optional for mark in self._decides(source)]
        required = [
            condition
            for join in select.args.get("joins") or []
            if join.kind != "ANTI" and not join.side
            for condition in _on(join)
        ]
        for part in ("where", "group", "having", "qualify"):
            if select.args.get(part) is not None:
                required.append(select.args[part])
        for condition in required:
            found += self._read(condition, sources)
        if select.args.get("distinct") is not None:
            for projection in select.expressions:
                found += self._read(projection, sources)
        return found

    def _of_value(
        self, projection: exp.Expr, sources: dict[str, _Source], rows: list[exp.Expr]
    ) -> list[exp.Expr]:
        """The cells that an output is computed from; of one that counts or ranks rows, the rows as well."""
        found = self._read(projection, sources)
        counts_rows = any(
            isinstance(node, exp.Window) or (is_aggregate(node) and node.find(exp.Column) is None)
            for node in projection.walk(prune=lambda node: isinstance(node, exp.Query))
        )
        return found + rows if counts_rows else found

    def _read(self, expression: exp.Expr, sources: dict[str, _Source]) -> list[exp.Expr]:
        """The cells that an expression reads, values of subqueries and partners of outer joins included."""
        found: list[exp.Expr] = []
        partners: set[str] = set()
        for node in expression.walk(prune=lambda node: isinstance(node, exp.Query)):
            if isinstance(node, exp.Column) and node.table in sources:
                source = sources[node.table]
                found += self._cell(source, node.name)
                if source.optional and source.alias not in partners:
                    partners.add(source.alias)
                    found += self._partner(source, sources)
            else:
                found += self._behind(node, None)
        return found

    def _partner(self, source: _Source, sources: dict[str, _Source]) -> list[exp.Expr]:
        """What decides which row of an outer join's side is met."""
        found = self._decides(source)
        for condition in source.conditions:
            for column in condition.find_all(exp.Column):
                if column.table in sources:
                    found += self._cell(sources[column.table], column.name)
        return found

    def _behind(self, node: exp.Expr, wanted: str | None) -> list[exp.Expr]:
        """The marks of a query inside an expression: what its value, or its matches, rest on; of a group, collected.

        Args:
            node: Any part of an expression.
            wanted: ``_rows``; or None for what a value rests on, the cells of its one column.
        """
        if isinstance(node, exp.Subquery) and is_value(node):
            marks = self._value_marks(node, wanted)
        elif is_test(node) and sense_of(node) != "kept out":
            marks = self._matched(node)
        else:
            return []
        select = node.find_ancestor(exp.Select)
        if select is not None and is_grouped(select) and not of_group(node):
            marks = collected(exp.Distinct(expressions=[marks]))
        return [marks]

    def _value_marks(self, node: exp.Subquery, wanted: str | None) -> exp.Expr:
        query = self.query(node.this.copy())
        name = wanted or CELL + output_columns(query)[0]
        marks = [exp.column(name, "_value", quoted=True)]
        if wanted is None:
            marks.append(exp.column(DECIDES, "_value", quoted=True))
        return _all_marks(query, "_value", united(marks))

    def _matched(self, test: exp.Expr) -> exp.Expr:
        """The rows that EXISTS or IN (SELECT ...) finds; where its answer is a value, those that leave IN open, too."""
        alias = "_matched"
        if isinstance(test, exp.Exists):
            return _all_marks(self.query(test.this.copy()), alias, exp.column(ROWS, alias, quoted=True))
        query = test.args["query"].copy()
        same = [
            exp.EQ(this=exp.column(name, alias, quoted=True), expression=value.copy())
            for name, value in zip(output_columns(query), looked_for(test), strict=True)
        ]
        condition = exp.and_(*same)
        if sense_of(test) == "value":
            condition = exp.or_(
                condition, *(exp.Is(this=exp.paren(part), expression=exp.Null()) for part in same)
            )
        return _all_marks(self.query(query), alias, exp.column(ROWS, alias, quoted=True), condition)


def _told_by_side(query: exp.Query, *, left: bool) -> exp.Select:
    """The rows of one side of EXCEPT or INTERSECT, with its side."""
    columns = (exp.column(name, _SIDE, quoted=True) for name in output_columns(query))
    side = exp.alias_(exp.Boolean(this=left), _LEFT, quoted=True)
    return exp.select(*columns, side).from_(query.subquery(exp.to_identifier(_SIDE, quoted=True), copy=False))


def _on(join: exp.Join) -> tuple[exp.Expr, ...]:
    return (join.args["on"],) if join.args.get("on") is not None else ()


def _in_parentheses(query: exp.Query) -> exp.Expr:
    """An arm of a union, in parentheses where it has CTEs of its own."""
    return query.subquery(copy=False) if query.args.get("with_") is not None else query


def _in_sight(select: exp.Select) -> list[exp.Expr]:
    """The parts of the outputs, WHERE and HAVING of a SELECT, down to the queries in them."""
    return [
        node
        for part in [*select.expressions, select.args.get("where"), select.args.get("having")]
        if part is not None
        for node in part.walk(prune=lambda found: isinstance(found, exp.Query))
    ]


def _all_marks(query: exp.Query, alias: str, marks: exp.Expr, condition: exp.Expr | None = None) -> exp.Expr:
    """Marks of all rows of a subquery, or of those that meet a condition, as a value."""
    rows = exp.select(collected(marks)).from_(
        query.subquery(exp.to_identifier(alias, quoted=True), copy=False)
    )
    return (rows.where(condition) if condition is not None else rows).subquery(copy=False)


def _leave_out(query: exp.Query, places: set[int]) -> None:
    """Take outputs away where no row depends on them: without its outputs, a SELECT may group no more."""
    selects = list(_arms(query))
    if any(is_grouped(select) for select in selects):
        return
    for select in selects:
        select.set("expressions", [e for at, e in enumerate(select.expressions) if at not in places])


def _arms(query: exp.Expr) -> Iterator[exp.Select]:
    """The outermost SELECTs of a query: itself, or the arms of its unions."""
    if isinstance(query, exp.Select):
        yield query
    else:
        yield from _arms(query.this)
        if isinstance(query, exp.SetOperation):
            yield from _arms(query.expression)


def _distinct(query: exp.Query, columns: Sequence[str]) -> tuple[exp.Select, list[Arm]]:
    """One row for each combination of values, with the marks of all rows that have it."""
    outer = [exp.alias_(exp.column(name, _ALL, quoted=True), name, quoted=True) for name in columns]
    rows = (
        exp.select(*outer)
        .from_(query.subquery(exp.to_identifier(_ALL, quoted=True), copy=False))
        .group_by(*(exp.column(name, _ALL, quoted=True) for name in columns))
    )
    return rows, [
        Arm(rows, [[collected(exp.column(name, _ALL, quoted=True))] for name in hidden_names(columns)])
    ]
