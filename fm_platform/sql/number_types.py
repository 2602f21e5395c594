"""SUM and AVG over floating point numbers, refused once the types of the input columns are known.

Belongs here: the types of what is summed. Does not belong here: any other rule (rules.py).
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from fm_platform.sql.functions import SUMS, function_names
from fm_platform.sql.model import DIALECT, Schemas, SqlModel
from fm_platform.sql.resolve import resolved_tree, sqlglot_schema

_EXACT = exp.DataType.INTEGER_TYPES | {
    exp.DType.DECIMAL,
    exp.DType.BIGDECIMAL,
    exp.DType.BOOLEAN,
    exp.DType.INTERVAL,
}
_EXACT_AGAIN = (exp.Cast, exp.TryCast, exp.IntDiv)


def check_types(model: SqlModel, schemas: Schemas) -> None:
    """Refuse SUM and AVG over what is not exact: their last digits would depend on the order of rows.

    Args:
        model: The model.
        schemas: Column types of the tables it reads.

    Raises:
        InputError: A sum over DOUBLE or FLOAT, or over an expression whose type cannot be told.
    """
    resolved = resolved_tree(model, schemas)
    if not any(function_names(call) & SUMS for call in resolved.find_all(exp.Func)):
        return
    tree = annotate_types(resolved.copy(), schema=sqlglot_schema(model, schemas), dialect=DIALECT)
    for call in tree.find_all(exp.Func):
        names = function_names(call) & SUMS
        if not names or not isinstance(call.this, exp.Expr):
            continue
        kind = _kind(call.this)
        if kind is None or kind not in _EXACT:
            shown = kind.value if kind is not None else "an unknown type"
            raise model.error(
                f"{min(names).upper()} over {shown} depends on the order of rows",
                node=call,
                mend="cast to DECIMAL or an integer inside it, or keep exact integers",
            )


def _kind(value: exp.Expr) -> exp.DType | None:
    """The type of a summed expression. A division is floating point in DuckDB, whatever it divides."""
    if isinstance(value, exp.Distinct) and len(value.expressions) == 1:
        return _kind(value.expressions[0])
    if isinstance(value, exp.Order):
        return _kind(value.this)
    if _divides(value):
        return exp.DType.DOUBLE
    found = value.type
    if found is None or found.this == exp.DType.UNKNOWN:
        return None
    return found.this


def _divides(value: exp.Expr) -> bool:
    if isinstance(value, _EXACT_AGAIN):
        return False
    if isinstance(value, exp.Div):
        return True
    if isinstance(value, exp.Case):
        branches = [branch.args["true"] for branch in value.args["ifs"]]
        return any(_divides(part) for part in [*branches, value.args.get("default")] if part is not None)
    return any(_divides(part) for part in value.iter_expressions())
