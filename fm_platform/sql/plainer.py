"""The same query in plainer SQL: constructs that mean a longer text are written out before anything else looks at them.

Belongs here: UNION BY NAME, GROUP BY ALL, DISTINCT ON with an order, PIVOT and UNPIVOT behind FROM. Does not belong
here: stars (stars.py); what is refused (rules.py). What cannot be written out is left as it is, and refused there.
"""

from __future__ import annotations

from sqlglot import exp

from fm_platform.sql.functions import is_aggregate
from fm_platform.sql.model import output_columns
from fm_platform.sql.stars import expand_stars


def written_out(tree: exp.Expr) -> exp.Expr:
    """The tree, changed in place where it says more than it spells out, innermost parts first."""
    changed = True
    while changed:
        changed = False
        for node in reversed(list(tree.walk(bfs=True))):
            changed = _write_out(node) or changed
    return tree


def _write_out(node: exp.Expr) -> bool:
    """Whether a node could be written out; what cannot be yet may be when the queries that it reads are."""
    if isinstance(node, exp.SetOperation) and node.args.get("by_name"):
        return _by_position(node)
    if isinstance(node, exp.Select):
        return (
            expand_stars(node) or _group_by_outputs(node) or (_keeps_first(node) and _with_row_number(node))
        )
    if isinstance(node, exp.Pivot) and node.parent is not None:
        plain = _unpivoted(node) if node.args.get("unpivot") else _pivoted(node)
        if plain is not None:
            node.parent.replace(plain)
        return plain is not None
    return False


def _by_position(node: exp.SetOperation) -> bool:
    """Both arms with all columns of both in one order; the missing ones are null."""
    arms = [(arm, output_columns(arm)) for arm in (node.left, node.right)]
    spelled = {name.lower(): name for _, names in reversed(arms) for name in names}
    order = dict.fromkeys(name.lower() for _, names in arms for name in names)
    if any(
        len(names) != len({name.lower() for name in names}) or "" in names or "*" in names
        for _, names in arms
    ):
        return False
    for part, (arm, names) in zip(("this", "expression"), arms, strict=True):
        own = {name.lower() for name in names}
        listed = [
            exp.alias_(
                exp.column(spelled[name], "_arm", quoted=True) if name in own else exp.Null(),
                spelled[name],
                quoted=True,
            )
            for name in order
        ]
        source = arm.copy() if isinstance(arm, exp.Subquery) else exp.Subquery(this=arm.copy())
        source.set("alias", exp.TableAlias(this=exp.to_identifier("_arm", quoted=True)))
        node.set(part, exp.Select(expressions=listed, from_=exp.From(this=source)))
    node.set("by_name", None)
    return True


def _group_by_outputs(select: exp.Select) -> bool:
    """GROUP BY ALL as the places of the outputs without aggregate, where each output is all key or all aggregate."""
    group = select.args.get("group")
    if group is None or not group.args.get("all") or any(_is_mixed(output) for output in select.expressions):
        return False
    keys = [
        exp.Literal.number(place)
        for place, output in enumerate(select.expressions, start=1)
        if not any(is_aggregate(node) for node in output.walk())
    ]
    if keys:
        select.set("group", exp.Group(expressions=keys))
    return bool(keys)


def _is_mixed(output: exp.Expr) -> bool:
    """Whether an output is neither a key nor made of aggregates alone, or is more than can be told here."""

    def collects(node: exp.Expr) -> bool:
        return is_aggregate(node) or isinstance(node, exp.Filter)

    outside = list(output.walk(prune=collects))
    if any(isinstance(node, (exp.Star, exp.Window, exp.Query)) for node in outside):
        return True
    return any(map(collects, outside)) and any(isinstance(node, exp.Column) for node in outside)


def _keeps_first(select: exp.Select) -> bool:
    """DISTINCT ON with ORDER BY in a SELECT that has nothing else between WHERE and ORDER BY."""
    distinct, order = select.args.get("distinct"), select.args.get("order")
    if distinct is None or not distinct.args.get("on") or order is None:
        return False
    return not any(select.args.get(part) for part in ("group", "having", "qualify"))


def _with_row_number(select: exp.Select) -> bool:
    """DISTINCT ON as what it means: the first row of each group in that order."""
    on = select.args["distinct"].args["on"]
    keys = on.expressions if isinstance(on, exp.Tuple) else [on]
    first = exp.Window(
        this=exp.RowNumber(), partition_by=[key.copy() for key in keys], order=select.args["order"].copy()
    )
    select.set("qualify", exp.Qualify(this=exp.EQ(this=first, expression=exp.Literal.number(1))))
    select.set("distinct", None)
    select.set("order", None)
    return True


def _pivoted(pivot: exp.Pivot) -> exp.Expr | None:
    """PIVOT of one aggregate over listed values as a grouping with one filtered aggregate a value."""
    source, fields, aggregates = pivot.parent, pivot.args.get("fields") or [], pivot.expressions
    if len(fields) != 1 or len(aggregates) != 1 or not isinstance(fields[0], exp.In) or source is None:
        return None
    field, values, names = fields[0].this, fields[0].expressions, pivot.args.get("columns") or []
    keys = _keys_of_pivot(pivot, source, field, aggregates[0])
    if keys is None or len(names) != len(values) or len(source.args.get("pivots") or []) != 1:
        return None
    outputs = [key.copy() for key in keys]
    for value, name in zip(values, names, strict=True):
        plain = value.this if isinstance(value, exp.PivotAlias) else value
        call = aggregates[0].this if isinstance(aggregates[0], exp.Alias) else aggregates[0]
        if not isinstance(plain, exp.Literal):
            return None
        where = exp.Where(this=exp.EQ(this=field.copy(), expression=plain.copy()))
        outputs.append(exp.alias_(exp.Filter(this=call.copy(), expression=where), name.name, quoted=True))
    query = exp.Select(expressions=outputs, from_=exp.From(this=_without_pivot(source)))
    if keys:
        query.set("group", exp.Group(expressions=[key.copy() for key in keys]))
    return _named(query, pivot, source)


def _keys_of_pivot(
    pivot: exp.Pivot, source: exp.Expr, field: exp.Expr, aggregate: exp.Expr
) -> list[exp.Expr] | None:
    """What a PIVOT groups by: what it says, else every column of a parenthesized query that it does not use."""
    if pivot.args.get("group") is not None:
        return list(pivot.args["group"].expressions)
    if not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Query):
        return None
    used = {column.name.lower() for part in (field, aggregate) for column in part.find_all(exp.Column)}
    names = output_columns(source.this)
    return (
        None
        if "*" in names
        else [exp.column(name, quoted=True) for name in names if name.lower() not in used]
    )


def _unpivoted(pivot: exp.Pivot) -> exp.Expr | None:
    """UNPIVOT of a parenthesized query as a UNION ALL with one arm a column."""
    source, fields = pivot.parent, pivot.args.get("fields") or []
    simple = len(fields) == 1 and len(pivot.expressions) == 1 and isinstance(fields[0], exp.In)
    if not simple or not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Query):
        return None
    columns, name, value = fields[0].expressions, fields[0].this, pivot.expressions[0]
    if not all(isinstance(column, exp.Column) for column in columns) or len(source.args["pivots"]) != 1:
        return None
    gone = {column.name.lower() for column in columns}
    if "*" in output_columns(source.this):
        return None
    kept = [column for column in output_columns(source.this) if column.lower() not in gone]
    arms: list[exp.Select] = []
    for column in columns:
        listed: list[exp.Expr] = [exp.column(other, quoted=True) for other in kept]
        listed.append(exp.alias_(exp.Literal.string(column.name), name.name, quoted=True))
        listed.append(exp.alias_(column.copy(), value.name, quoted=True))
        arm = exp.Select(expressions=listed, from_=exp.From(this=_without_pivot(source)))
        if pivot.args.get("include_nulls") is not True:
            arm.set("where", exp.Where(this=exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))))
        arms.append(arm)
    query: exp.Query = arms[0]
    for arm in arms[1:]:
        query = exp.Union(this=query, expression=arm, distinct=False)
    return _named(query, pivot, source)


def _without_pivot(source: exp.Expr) -> exp.Expr:
    plain = source.copy()
    plain.set("pivots", None)
    return plain


def _named(query: exp.Query, pivot: exp.Pivot, source: exp.Expr) -> exp.Subquery:
    """The query as a table that is called as before."""
    name = pivot.alias or source.alias_or_name or "_pivot"
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
