"""Which DuckDB functions would make a model's result depend on time, chance, row order or the session.

Belongs here: sets of function names and the reading of a function's name from a syntax tree. Does not belong
here: what is done about them (rules.py). A test compares the sets with DuckDB's own catalogue of functions.
"""

from __future__ import annotations

from sqlglot import exp

TIME_AND_CHANCE = frozenset(
    """
    now today current_date current_time current_timestamp get_current_time get_current_timestamp localtime
    localtimestamp transaction_timestamp ago random rand setseed uuid uuidv4 uuidv7 gen_random_uuid
    generate_uuid nextval currval txid_current sleep_ms pg_sleep error write_log stats
    """.split()
)
"""Functions whose value differs from call to call."""

SESSION = frozenset(
    """
    current_setting getenv getvariable version current_database current_catalog current_schema current_schemas
    current_user current_role session_user user current_query current_query_id current_connection_id
    current_transaction_id in_search_path inet_client_addr inet_client_port inet_server_addr inet_server_port
    pg_postmaster_start_time
    """.split()
)
"""Functions that read the session, the connection or the environment."""

NEEDS_ORDER = frozenset(
    """
    any_value arbitrary first last list array_agg string_agg group_concat listagg mode json_group_array
    json_group_object arg_min arg_max argmin argmax min_by max_by arg_min_null arg_max_null arg_min_nulls_last
    arg_max_nulls_last
    """.split()
)
"""Aggregates whose value depends on the order of rows unless they are given an ORDER BY."""

NEEDS_WINDOW_ORDER = frozenset(
    """
    row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value
    nth_value fill
    """.split()
)
"""Window functions that mean nothing without an ORDER BY in their window."""

NEVER_EXACT = frozenset(
    """
    stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy skewness kurtosis kurtosis_pop sem entropy
    product fsum kahan_sum sumkahan favg wavg weighted_avg geomean geometric_mean approx_count_distinct
    approx_quantile approx_top_k reservoir_quantile
    """.split()
)
"""Aggregates computed in floating point, or approximately: their last digits depend on the order of rows."""

SUMS = frozenset({"sum", "avg", "mean", "sum_no_overflow"})
"""Aggregates that are exact over integers and DECIMAL only."""

ANY_ORDER = frozenset(
    """
    bit_and bit_or bit_xor bitstring_agg bool_and bool_or count count_if count_star countif histogram
    histogram_exact mad max median min quantile quantile_cont quantile_disc regr_count
    """.split()
)
"""Aggregates whose value does not depend on the order of rows."""

AGGREGATES = NEEDS_ORDER | NEVER_EXACT | SUMS | ANY_ORDER


def function_names(node: exp.Func) -> frozenset[str]:
    """The lower-case names by which a function may have been called."""
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        return frozenset({node.name.lower()})
    names = {name.lower() for name in type(node).sql_names()}
    return frozenset(names | {_SPELLINGS.get(type(node), node.key)})


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node calls an aggregate, over a group or (see :func:`is_windowed`) over a window."""
    if isinstance(node, exp.AggFunc):
        return True
    return isinstance(node, exp.Anonymous) and node.name.lower() in AGGREGATES


def is_windowed(node: exp.Expr) -> bool:
    """Whether a call is the function of an OVER clause."""
    above = node.parent
    while isinstance(above, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
        node, above = above, above.parent
    return isinstance(above, exp.Window) and above.this is node


def is_grouped(select: exp.Select) -> bool:
    """Whether a SELECT turns many rows into one: GROUP BY, or an aggregate outside a window."""
    if select.args.get("group") is not None or select.args.get("having") is not None:
        return True
    parts = [*select.expressions, select.args.get("qualify")]
    return any(
        is_aggregate(node) and not is_windowed(node)
        for part in parts
        if part is not None
        for node in part.walk(prune=lambda found: isinstance(found, exp.Query))
        if not isinstance(node, exp.Query)
    )


_SPELLINGS: dict[type[exp.Expr], str] = {
    exp.ArrayAgg: "list",
    exp.GroupConcat: "string_agg",
    exp.ArgMin: "arg_min",
    exp.ArgMax: "arg_max",
}
