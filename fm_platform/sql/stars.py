"""``SELECT *`` over queries, written out: the columns of a subquery or CTE stand in the same text.

Belongs here: ``*`` and ``t.*`` with EXCLUDE, REPLACE and RENAME over queries that name their columns, and ``EXISTS
(SELECT *)``. Does not belong here: stars over tables, whose columns the text does not know: they stay, and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from operator import is_not

from sqlglot import exp

from fm_platform.sql.model import output_columns


def expand_stars(select: exp.Select) -> bool:
    """Write out the stars among the outputs of a SELECT, in place. Whether there was one whose columns are known."""
    if isinstance(select.parent, exp.Exists) and [type(item) for item in select.expressions] == [exp.Star]:
        select.set("expressions", [exp.Literal.number(1)])
        return True
    if not any(_is_star(item) for item in select.expressions):
        return False
    listed: list[exp.Expr] = []
    for item in select.expressions:
        columns = _expanded(select, item) if _is_star(item) else [item]
        if columns is None:
            return False
        listed += columns
    select.set("expressions", listed)
    return True


def _is_star(item: exp.Expr) -> bool:
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def _expanded(select: exp.Select, item: exp.Expr) -> list[exp.Expr] | None:
    """The columns that a star stands for; None where the text does not say."""
    star, wanted = (item.this, item.text("table").lower()) if isinstance(item, exp.Column) else (item, None)
    found: list[tuple[str, str]] = []
    for alias, names in _sources(select):
        if wanted is None or wanted == alias.lower():
            if names is None:
                return None
            found += [(alias, name) for name in names]
    known = {name.lower() for _, name in found}
    if not found or len(known) < len(found) or star.args.get("ilike"):
        return None
    gone = {entry.name.lower() for entry in star.args.get("except_") or []}
    instead = {entry.alias.lower(): entry.this for entry in star.args.get("replace") or []}
    renamed = {entry.this.name.lower(): entry.alias for entry in star.args.get("rename") or []}
    if not {*gone, *instead, *renamed} <= known:
        return None
    return [
        _output(alias, name, instead.get(name.lower()), renamed.get(name.lower(), name), star)
        for alias, name in found
        if name.lower() not in gone
    ]


def _output(alias: str, name: str, instead: exp.Expr | None, renamed: str, star: exp.Expr) -> exp.Expr:
    column = exp.column(name, alias or None, quoted=True)
    column.this.meta.update(star.meta)
    value = instead.copy() if instead is not None else column
    return exp.alias_(value, renamed, quoted=True) if instead is not None or renamed != name else value


def _sources(select: exp.Select) -> Iterator[tuple[str, list[str] | None]]:
    """The table expressions of FROM by alias, each with its columns, None where the text does not say."""
    from_ = select.args.get("from_")
    if from_ is not None:
        yield from_.this.alias_or_name, _columns(from_.this)
    for join in select.args.get("joins") or []:
        if join.kind not in ("SEMI", "ANTI"):
            merges = join.args.get("using") or join.args.get("method")
            yield join.this.alias_or_name, None if merges else _columns(join.this)


def _columns(source: exp.Expr) -> list[str] | None:
    """The columns of a subquery or a CTE."""
    if source.args.get("pivots") or source.args.get("sample"):
        return None
    table = source if isinstance(source, exp.Subquery) else _cte(source)
    if table is None or not isinstance(table.this, exp.Query):
        return None
    given = table.args.get("alias")
    renamed = [column.name for column in given.columns] if given is not None else []
    names = output_columns(table.this)
    return None if "*" in names or "" in names else [*renamed, *names[len(renamed) :]]


def _cte(table: exp.Expr) -> exp.CTE | None:
    """The CTE that a table's name stands for: the nearest of that name; a CTE sees those before it."""
    if not isinstance(table, exp.Table) or table.db:
        return None
    node: exp.Expr = table
    while node.parent is not None:
        above = node.parent
        with_ = above if isinstance(above, exp.With) else above.args.get("with_")
        if with_ is not None and with_ is not node:
            for cte in takewhile(partial(is_not, node), with_.expressions):
                if cte.alias.lower() == table.name.lower():
                    return cte
        node = above
    return None
