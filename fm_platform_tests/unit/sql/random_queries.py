"""Random queries of the grammar that models may use, each with what its provenance promises.

Every query gives ``k VARCHAR, x INTEGER`` from ``raw.a``, ``raw.b`` and ``raw.c`` (``_row_id``, ``k``, ``n``).
docs/lineage.md states the promise: a row that does not name a raw row survives its removal. Two sets of tables say
where a query lets rows appear or change instead:

- ``gains``: removing one of their rows can make new output rows appear (negation, the optional side of an outer
  join, a group or window whose value changes);
- ``blind``: removing one of their rows can change an output row that does not name it, because something that
  collects rows (a group, a window, DISTINCT, a subquery) stands above something that gains them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

TABLES = ("a", "b", "c")
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Query:
    """A query's text and the tables behind it."""

    sql: str
    tables: frozenset[str]
    gains: frozenset[str] = NONE
    blind: frozenset[str] = NONE


KEYS = ["{t}.k", "upper({t}.k)", "coalesce({t}.k, 'z')"]
NUMBERS = [
    "{t}.{x}",
    "{t}.{x} * 2 + 1",
    "coalesce({t}.{x}, 0)",
    "case when {t}.{x} > 1 then 1 else {t}.{x} end",
]
CONDITIONS = [
    "true",
    "{t}.{x} > 0",
    "{t}.k = 'p'",
    "{t}.{x} is not null and {t}.k <> 'q'",
    "{t}.{x} in (0, 2) or {t}.k is null",
]
MATCHES = ["l.k = r.k", "l.x < r.x", "l.x = r.x and l.k is not null"]
AGGREGATES = [
    "count(*)", "sum(s.x)", "min(s.x)", "max(s.x)", "count(distinct s.x)", "sum(s.x) filter (where s.x > 0)",
    "first(s.x order by s.x)", "count(s.x) + max(s.x)",
]  # fmt: skip
WINDOWS = [
    "sum(s.x) over (partition by s.k)", "count(*) over ()", "rank() over (partition by s.k order by s.x)",
    "dense_rank() over (order by s.x desc)", "sum(s.x) over (partition by s.k order by s.x)",
    "max(s.x) over (order by s.x range between 1 preceding and current row)",
    "count(*) over (order by s.x groups between 1 preceding and 1 following)",
    "sum(s.x) over (order by s.x groups between 2 preceding and 1 preceding)",
    "min(s.x) over w", "sum(s.x) over (w order by s.x range between unbounded preceding and 1 preceding)",
    "cast(100 * cume_dist() over (partition by s.k order by s.x) as integer)",
    "count(*) over (order by s.x groups between 1 preceding and 1 following exclude group)",
]  # fmt: skip
NAMED_WINDOW = "window w as"
IN_ORDER = "partition by t.k order by t.n, t._row_id"
ORDERED_WINDOWS = [
    "row_number() over ({o})", "lag(t.n) over ({o})", "lead(t.n, 2) over ({o})", "lag(t.n, 1, 7) over ({o})",
    "lag(t.n ignore nulls) over ({o})", "lead(t.n ignore nulls) over ({o})", "ntile(2) over ({o})",
    "first_value(t.n) over ({o} rows between 1 preceding and current row)", "last_value(t.n) over ({o})",
    "sum(t.n) over ({o} rows between 2 preceding and 1 preceding)", "sum(t.n) over ({o} rows 1 preceding)",
    "sum(t.n) over ({o} rows between 1 following and 2 following)",
    "count(*) over ({o} rows between 1 preceding and 1 following exclude current row)",
    "nth_value(t.n, 2) over ({o} rows between unbounded preceding and unbounded following)",
]  # fmt: skip


@st.composite
def plain(draw: st.DrawFn, tables: Sequence[str] = TABLES) -> Query:
    """SELECT with expressions and WHERE over one table, perhaps DISTINCT."""
    table = draw(st.sampled_from(tables))
    distinct = draw(st.sampled_from(["", "", "distinct "]))
    k, x, where = (
        draw(st.sampled_from(choices)).format(t="t", x="n") for choices in (KEYS, NUMBERS, CONDITIONS)
    )
    return Query(
        f"select {distinct}{k} as k, {x} as x from raw.{table} as t where {where}", frozenset({table})
    )


@st.composite
def filtered(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """Another SELECT over a query, as a subquery or as a CTE."""
    q = draw(inner)
    distinct = draw(st.sampled_from(["", "distinct "]))
    k, x, where = (
        draw(st.sampled_from(choices)).format(t="s", x="x") for choices in (KEYS, NUMBERS, CONDITIONS)
    )
    body = f"select {distinct}{k} as k, {x} as x from {{}} where {where}"
    sql = f"with s as ({q.sql}) {body.format('s')}" if draw(st.booleans()) else body.format(f"({q.sql}) as s")
    return Query(sql, q.tables, q.gains, q.blind | (q.gains if distinct else NONE))


@st.composite
def joined_with_itself(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """A CTE, used twice."""
    q = draw(inner)
    sql = f"with s as ({q.sql}) select l.k, r.x from s as l join s as r on {draw(st.sampled_from(MATCHES))}"
    return Query(sql, q.tables, q.gains, q.blind)


@st.composite
def joined(draw: st.DrawFn, one: st.SearchStrategy[Query], other: st.SearchStrategy[Query]) -> Query:
    """Inner join of two queries."""
    left, right = draw(one), draw(other)
    on = draw(st.sampled_from([f"on {match}" for match in MATCHES] + ["using (k)"]))
    k = "k" if on.startswith("using") else "l.k"
    sql = f"select {k}, r.x from ({left.sql}) as l join ({right.sql}) as r {on}"
    return Query(sql, left.tables | right.tables, left.gains | right.gains, left.blind | right.blind)


@st.composite
def joined_three(
    draw: st.DrawFn,
    one: st.SearchStrategy[Query],
    other: st.SearchStrategy[Query],
    third: st.SearchStrategy[Query],
) -> Query:
    """Inner join of three queries."""
    parts = [draw(one), draw(other), draw(third)]
    on = draw(st.sampled_from(["m.k = r.k", "m.x = l.x"]))
    p, q, w = (part.sql for part in parts)
    sql = f"select l.k, m.x from ({p}) as l join ({q}) as r on l.k = r.k join ({w}) as m on {on}"
    return Query(
        sql,
        NONE.union(*(part.tables for part in parts)),
        NONE.union(*(part.gains for part in parts)),
        NONE.union(*(part.blind for part in parts)),
    )


@st.composite
def united(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """UNION ALL, which keeps, and UNION, which collects."""
    left, right = draw(inner), draw(inner)
    word = draw(st.sampled_from(["union all", "union"]))
    gains, blind = left.gains | right.gains, left.blind | right.blind
    sql = f"({left.sql}) {word} ({right.sql})"
    return Query(sql, left.tables | right.tables, gains, blind | (gains if word == "union" else NONE))


@st.composite
def matched(draw: st.DrawFn, one: st.SearchStrategy[Query], other: st.SearchStrategy[Query]) -> Query:
    """EXISTS and IN (SELECT ...)."""
    left, right = draw(one), draw(other)
    condition = draw(
        st.sampled_from(
            [
                "exists (select 1 from ({q}) as r where r.k = l.k)",
                "l.k in (select r.k from ({q}) as r)",
                "l.x >= 0 and (exists (select r.x from ({q}) as r where r.x > l.x) and l.k is not null)",
            ]
        )
    )
    sql = f"select l.k, l.x from ({left.sql}) as l where {condition.format(q=right.sql)}"
    gains = left.gains | right.gains
    return Query(sql, left.tables | right.tables, gains, left.blind | right.blind | right.gains)


@st.composite
def asked(draw: st.DrawFn, one: st.SearchStrategy[Query], other: st.SearchStrategy[Query]) -> Query:
    """EXISTS and IN (SELECT ...) whose answer is a value, of a row or of a group, or that stand under OR."""
    left, right = draw(one), draw(other)
    sql = draw(
        st.sampled_from(
            [
                "select l.k, cast(l.x in (select r.x from ({q}) as r) as integer) as x from ({p}) as l",
                "select l.k, case when exists (select 1 from ({q}) as r where r.k = l.k) then 1 else l.x end as x "
                "from ({p}) as l",
                "select l.k, l.x from ({p}) as l where l.x = 1 or l.x in (select r.x from ({q}) as r)",
                "select l.k, l.x from ({p}) as l "
                "where not (l.x > 1 and not exists (select 1 from ({q}) as r where r.k = l.k))",
                "select l.k, l.x from ({p}) as l where (l.k in (select r.k from ({q}) as r)) is null",
                "select l.k, l.x from ({p}) as l where (l.k in (select r.k from ({q}) as r)) = (l.x > 0)",
                "select l.k, cast(sum(l.x) as integer) as x from ({p}) as l "
                "where l.x is null or exists (select 1 from ({q}) as r where r.x = l.x) group by l.k",
                "select l.k, count(*) filter (where l.x in (select r.x from ({q}) as r)) as x from ({p}) as l "
                "group by l.k",
                "select l.k, cast((l.k, l.x) in (select r.k, r.x from ({q}) as r) as integer) as x from ({p}) as l",
                "select l.k, l.x from ({p}) as l where l.k is null or (l.k, l.x) in (select r.k, r.x from ({q}) as r)",
                "select l.k, max(l.x) + cast(exists (select 1 from ({q}) as r where r.k = l.k) as integer) as x "
                "from ({p}) as l group by l.k",
                "select l.k, max(l.x) as x from ({p}) as l group by l.k having l.k in (select r.k from ({q}) as r)",
            ]
        )
    ).format(p=left.sql, q=right.sql)
    tables = left.tables | right.tables
    return Query(sql, tables, tables, left.blind | right.blind | left.gains | right.gains)


@st.composite
def intersected(draw: st.DrawFn, one: st.SearchStrategy[Query], other: st.SearchStrategy[Query]) -> Query:
    """INTERSECT, which collects from both arms."""
    left, right = draw(one), draw(other)
    gains = left.gains | right.gains
    sql = f"({left.sql}) intersect ({right.sql})"
    return Query(sql, left.tables | right.tables, gains, left.blind | right.blind | gains)


@st.composite
def with_value(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """A correlated subquery that stands for a value, in SELECT or WHERE."""
    left, right = draw(inner), draw(inner)
    sql = draw(
        st.sampled_from(
            [
                "select l.k, (select cast(sum(r.x) as integer) from ({q}) as r where r.k = l.k) as x from ({p}) as l",
                "select l.k, l.x from ({p}) as l where l.x >= (select max(r.x) from ({q}) as r where r.x < 2)",
                "select l.k, coalesce(l.x, (select min(r.x) from ({q}) as r where l.k = r.k)) as x from ({p}) as l",
            ]
        )
    ).format(p=left.sql, q=right.sql)
    gains = left.gains | right.gains | right.tables
    return Query(sql, left.tables | right.tables, gains, left.blind | right.blind | right.gains)


@st.composite
def with_value_of_group(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """A subquery that stands for a value beside a grouping, asked once a row or once a group."""
    left, right = draw(inner), draw(inner)
    sql = draw(
        st.sampled_from(
            [
                "select l.k, max(l.x) + (select count(r.x) from ({q}) as r where r.k = l.k) as x from ({p}) as l "
                "group by l.k",
                "select l.k, cast(sum((select max(r.x) from ({q}) as r where r.k = l.k)) as integer) as x "
                "from ({p}) as l group by l.k",
                "select l.k, count(*) as x from ({p}) as l where l.x >= (select min(r.x) from ({q}) as r) group by l.k",
                "select l.k, max(l.x) as x from ({p}) as l group by l.k "
                "having max(l.x) >= (select min(r.x) from ({q}) as r)",
                "select 'all' as k, max(l.x) as x from ({p}) as l having count(*) > (select count(*) from ({q}) as r)",
                "select l.k, count(*) as x from ({p}) as l group by rollup (l.k) "
                "having (select min(r.x) from ({q}) as r where r.k = l.k) > 0 or l.k is null",
            ]
        )
    ).format(p=left.sql, q=right.sql)
    tables = left.tables | right.tables
    return Query(sql, tables, tables, left.blind | right.blind | left.gains | right.gains)


@st.composite
def negated(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """NOT EXISTS, NOT IN, ANTI JOIN and EXCEPT: removing what stands in the way lets rows appear."""
    left, right = draw(inner), draw(inner)
    sql = draw(
        st.sampled_from(
            [
                "select l.k, l.x from ({p}) as l where not exists (select 1 from ({q}) as r where r.k = l.k)",
                "select l.k, l.x from ({p}) as l where l.x not in (select r.x from ({q}) as r)",
                "({p}) except ({q})",
                "select l.k, l.x from ({p}) as l anti join ({q}) as r on r.k = l.k and r.x >= l.x",
            ]
        )
    ).format(p=left.sql, q=right.sql)
    gains = left.gains | right.gains | right.tables
    blind = left.blind | right.blind | right.gains | (left.gains if " except " in sql else NONE)
    return Query(sql, left.tables | right.tables, gains, blind)


@st.composite
def outer_joined(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """LEFT, RIGHT and FULL joins: removing the only match lets a row without one appear."""
    left, right = draw(inner), draw(inner)
    kind = draw(st.sampled_from(["left", "right", "full"]))
    on = draw(
        st.sampled_from(
            ["on l.k = r.k", "using (k)", "on l.x < r.x"] if kind != "full" else ["on l.k = r.k", "using (k)"]
        )
    )
    k = "k" if on.startswith("using") else "coalesce(l.k, r.k) as k"
    optional = {"left": right.tables, "right": left.tables, "full": left.tables | right.tables}[kind]
    beyond = {"left": right.gains, "right": left.gains, "full": left.gains | right.gains}[kind]
    sql = f"select {k}, r.x from ({left.sql}) as l {kind} join ({right.sql}) as r {on}"
    tables, blind = left.tables | right.tables, left.blind | right.blind | beyond
    return Query(sql, tables, left.gains | right.gains | optional, blind)


@st.composite
def outer_joined_three(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """Two outer joins by USING: the second compares with the merged column of the first."""
    parts = [draw(inner), draw(inner), draw(inner)]
    kinds = [draw(st.sampled_from(["left", "right", "full", "inner"])) for _ in range(2)]
    p, q, w = (part.sql for part in parts)
    sql = f"select k, m.x from ({p}) as l {kinds[0]} join ({q}) as r using (k) {kinds[1]} join ({w}) as m using (k)"
    tables = NONE.union(*(part.tables for part in parts))
    return Query(sql, tables, tables, NONE.union(*(part.blind | part.gains for part in parts)))


@st.composite
def grouped(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """GROUP BY, or an aggregate over everything, perhaps with HAVING."""
    q = draw(inner)
    aggregate = draw(st.sampled_from(AGGREGATES))
    having = draw(st.sampled_from(["", "", " having count(*) > 1", " having min(s.x) >= 0"]))
    if draw(st.integers(0, 4)):
        sql = f"select s.k, cast({aggregate} as integer) as x from ({q.sql}) as s group by s.k{having}"
    else:
        sql = f"select 'all' as k, cast({aggregate} as integer) as x from ({q.sql}) as s"
    return Query(sql, q.tables, q.tables, q.blind | q.gains)


@st.composite
def windowed(draw: st.DrawFn, inner: st.SearchStrategy[Query]) -> Query:
    """Windows whose value does not depend on how ties fall."""
    q = draw(inner)
    call = draw(st.sampled_from(WINDOWS))
    named = f" {NAMED_WINDOW} (partition by s.k)" if "over w" in call or "over (w" in call else ""
    sql = f"select s.k, cast({call} as integer) as x from ({q.sql}) as s{named}"
    if draw(st.integers(0, 3)) == 0:
        sql = f"select s.k, s.x from ({q.sql}) as s qualify rank() over (partition by s.k order by s.x) = 1"
    return Query(sql, q.tables, q.tables, q.blind | q.gains)


@st.composite
def windowed_in_order(draw: st.DrawFn) -> Query:
    """Windows over a table in a total order: positions, neighbours and frames of rows."""
    table = draw(st.sampled_from(TABLES))
    call = draw(st.sampled_from(ORDERED_WINDOWS)).format(o=IN_ORDER)
    qualify = draw(st.sampled_from(["", "", f" qualify row_number() over ({IN_ORDER}) = 1"]))
    sql = f"select t.k, cast({call} as integer) as x from raw.{table} as t{qualify}"
    return Query(sql, frozenset({table}), frozenset({table}))


def positive(depth: int, tables: Sequence[str] = TABLES) -> st.SearchStrategy[Query]:
    """SELECT, join, EXISTS, IN, UNION and INTERSECT; no table is joined or matched with itself."""
    if depth == 0:
        return plain(tables)
    inner = positive(depth - 1, tables)
    choices = [plain(tables), filtered(inner), united(inner)]
    if len(tables) == len(TABLES):
        choices.append(joined_three(*(plain((table,)) for table in tables)))
    if len(tables) > 1:
        one, other = positive(depth - 1, tables[:1]), positive(depth - 1, tables[1:])
        choices += [joined(one, other), joined(other, one), matched(one, other), intersected(one, other)]
    return st.one_of(choices)


def queries(depth: int) -> st.SearchStrategy[Query]:
    """The whole grammar; DuckDB wants the names of windows unique in a statement."""
    if depth == 0:
        return plain() | windowed_in_order()
    inner = queries(depth - 1)
    return st.one_of(
        plain(), windowed_in_order(), filtered(inner), joined_with_itself(inner), joined(inner, inner),
        joined_three(inner, inner, plain()), united(inner), matched(inner, inner), asked(inner, inner),
        intersected(inner, inner), with_value(inner), with_value_of_group(inner), negated(inner), outer_joined(inner),
        outer_joined_three(inner), grouped(inner), windowed(inner),
    ).filter(lambda query: query.sql.count(NAMED_WINDOW) < 2)  # fmt: skip
