"""What a model may not say, found in its syntax tree before anything runs.

Belongs here: every construct that is refused, with the reason and the mend. Does not belong here: name
resolution, types (number_types.py) and anything that needs the columns of tables.

The shape of a query is an allow-list: a clause that is not named below is refused, so that links
never meets SQL that it would trace wrongly.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from fm_platform.sql.function_rules import check_cast, check_function, check_window
from fm_platform.sql.model import leftmost_select
from fm_platform.sql.refusals import Refuse
from fm_platform.sql.subqueries import check_exists, check_in, check_value

ROW_ID = "_row_id"
DECLARED = "study."
"""The schema of what study.yaml declares: its rows come from no delivered row."""

_SELECT_PARTS = {
    "with_", "kind", "hint", "distinct", "expressions", "from_", "joins", "where", "group", "having",
    "qualify", "windows", "order", "operation_modifiers",
}  # fmt: skip
_SET_PARTS = {"with_", "this", "expression", "distinct", "order"}
_TABLE_PARTS = {"this", "db", "alias"}
_SUBQUERY_PARTS = {"this", "alias", "with_"}
_JOIN_PARTS = {"this", "on", "using", "side", "kind"}
_GROUP_PARTS = {"expressions", "rollup", "cube", "grouping_sets"}
_PART_MENDS = {
    "limit": "keep the wanted rows with QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) = 1",
    "offset": "keep the wanted rows with QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) = 1",
    "sample": "models are deterministic; take the sample outside",
    "pivots": "behind FROM: PIVOT (one aggregate FOR column IN (values) GROUP BY keys), and UNPIVOT of a query in "
    "parentheses; else write one CASE expression a column (PIVOT), or UNION ALL (UNPIVOT)",
    "laterals": "write a join",
    "by_name": "name every output of both arms",
    "all": "name the grouping columns",
    "method": "write a plain join with ON or USING",
}


def check_query(tree: exp.Expr, refuse: Refuse) -> None:
    """Refuse what a model may not contain.

    Args:
        tree: The parsed statement.
        refuse: Makes the error from a node, a message and a mend.

    Raises:
        InputError: For the first offence, in the order of the text.
    """
    if not isinstance(tree, exp.Query):
        raise refuse(
            tree, f"{_statement(tree)} is not a query", "a model is one SELECT; the platform makes the table"
        )
    for node in tree.walk(bfs=False):
        _check_shape(node, refuse)
        if isinstance(node, exp.Func):
            check_function(node, refuse)
    _check_outputs(tree, refuse)


def _statement(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Command):
        return str(tree.this).upper()
    return tree.key.upper()


def _check_shape(node: exp.Expr, refuse: Refuse) -> None:
    check = _SHAPES.get(type(node))
    if check is not None:
        check(node, refuse)
    elif isinstance(node, (exp.DML, exp.DDL, exp.Command)) and not isinstance(node, exp.Query):
        raise refuse(
            node, f"{_statement(node)} is not a query", "a model is one SELECT; the platform makes the table"
        )


def _only(node: exp.Expr, allowed: set[str], what: str, refuse: Refuse) -> None:
    for part, value in node.args.items():
        if part not in allowed and value not in (None, False, [], ""):
            where = value[0] if isinstance(value, list) else value
            name = part.strip("_").upper().replace("_", " ")
            if isinstance(where, exp.Pivot):
                name = "UNPIVOT" if where.args.get("unpivot") else "PIVOT"
            raise refuse(
                where if isinstance(where, exp.Expr) else node,
                f"{name} in a {what} is not supported",
                _PART_MENDS.get(
                    part, "write it with SELECT, JOIN, WHERE, GROUP BY, HAVING, QUALIFY and UNION"
                ),
            )


def _check_select(node: exp.Select, refuse: Refuse) -> None:
    _only(node, _SELECT_PARTS, "SELECT", refuse)
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        raise refuse(
            distinct,
            "DISTINCT ON without ORDER BY, or over a grouping, keeps an arbitrary row",
            "add ORDER BY, or use QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) = 1",
        )


def _check_set(node: exp.SetOperation, refuse: Refuse) -> None:
    if not isinstance(node, exp.Union) and not node.args.get("distinct"):
        mend = "write NOT EXISTS" if isinstance(node, exp.Except) else "write EXISTS or a join"
        raise refuse(node.expression, f"{node.key.upper()} ALL is not supported", mend)
    _only(node, _SET_PARTS, node.key.upper(), refuse)
    widths = [len(leftmost_select(arm).expressions) for arm in (node.left, node.right)]
    if widths[0] != widths[1]:
        raise refuse(
            node.expression,
            f"the arms of the {node.key.upper()} have {widths[0]} and {widths[1]} columns",
            "list the same columns in the same order",
        )


def _check_with(node: exp.With, refuse: Refuse) -> None:
    if node.args.get("recursive"):
        raise refuse(node, "WITH RECURSIVE is not supported", "write the levels out")


def _check_table(node: exp.Table, refuse: Refuse) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise refuse(node, "table functions and file reads are not supported", "declare the file as a source")
    _only(node, _TABLE_PARTS, "FROM clause", refuse)
    alias = node.args.get("alias")
    if alias is not None and alias.columns:
        raise refuse(node, "column names after a table's alias are not supported", "rename with AS in a CTE")


def _check_join(node: exp.Join, refuse: Refuse) -> None:
    method = str(node.args.get("method") or "")
    if method or node.kind not in ("", "INNER", "OUTER", "CROSS", "ANTI"):
        raise refuse(
            node,
            f"{(method or node.kind).upper()} JOIN is not supported",
            "write a plain join with ON or USING, or EXISTS",
        )
    _only(node, _JOIN_PARTS, "JOIN", refuse)


def _check_group(node: exp.Group, refuse: Refuse) -> None:
    _only(node, _GROUP_PARTS, "GROUP BY", refuse)


def _check_star(node: exp.Expr, refuse: Refuse) -> None:
    if not isinstance(node.parent, exp.Count):
        raise refuse(node, "SELECT * is not allowed in a model", "name the columns")


def _check_columns(node: exp.Expr, refuse: Refuse) -> None:
    raise refuse(node, "COLUMNS() is not supported", "name the columns")


def _check_pivot(node: exp.Pivot, refuse: Refuse) -> None:
    word = "UNPIVOT" if node.args.get("unpivot") else "PIVOT"
    raise refuse(node, f"{word} is not supported", _PART_MENDS["pivots"])


def _check_lateral(node: exp.Expr, refuse: Refuse) -> None:
    raise refuse(node, "LATERAL is not supported", "write a join")


def _check_parameter(node: exp.Expr, refuse: Refuse) -> None:
    raise refuse(
        node, "parameters and variables are not supported", "write the value, or put it into study.yaml"
    )


def _check_any(node: exp.Expr, refuse: Refuse) -> None:
    if isinstance(node.this, (exp.Query, exp.Subquery)):
        raise refuse(node, "ANY and ALL over a subquery are not supported", "write EXISTS or IN")


def _check_subquery(node: exp.Subquery, refuse: Refuse) -> None:
    _only(node, _SUBQUERY_PARTS, "parenthesized query", refuse)
    check_value(node, refuse)


def _check_outputs(tree: exp.Query, refuse: Refuse) -> None:
    seen: set[str] = set()
    for projection in leftmost_select(tree).expressions:
        name = projection.alias_or_name
        if not isinstance(projection, (exp.Alias, exp.Column)):
            raise refuse(
                projection, f"output {projection.sql(dialect='duckdb')!r} has no name", "add AS name"
            )
        if name.startswith(("_", "~")):
            raise refuse(
                projection,
                f"output column {name!r} begins with {name[0]}",
                "such names are the platform's own; rename it",
            )
        if name.lower() in seen:
            raise refuse(projection, f"output column {name!r} appears twice", "rename one of them")
        seen.add(name.lower())


_SHAPES: dict[type[exp.Expr], Callable[..., None]] = {
    exp.Select: _check_select,
    exp.Union: _check_set,
    exp.Except: _check_set,
    exp.Intersect: _check_set,
    exp.With: _check_with,
    exp.Table: _check_table,
    exp.Join: _check_join,
    exp.Group: _check_group,
    exp.Star: _check_star,
    exp.Columns: _check_columns,
    exp.Pivot: _check_pivot,
    exp.Lateral: _check_lateral,
    exp.Placeholder: _check_parameter,
    exp.Parameter: _check_parameter,
    exp.SessionParameter: _check_parameter,
    exp.Any: _check_any,
    exp.All: _check_any,
    exp.Cast: check_cast,
    exp.TryCast: check_cast,
    exp.Subquery: _check_subquery,
    exp.Exists: check_exists,
    exp.In: check_in,
    exp.Window: check_window,
}
