"""Column lineage of a whole set of models before anything is built, from the names of columns alone.

Belongs here: giving each model the columns of those before it. Does not belong here: the lineage of one model
(lineage.py). What goes into the ledger is computed again from the tables as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from fm_platform.sql.cache import Cache
from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.model import SqlModel, table_name
from fm_platform.sql.rules import ROW_ID
from fm_platform.warehouse.records import ColumnInput, ColumnLineage

OWN_COLUMNS = (ROW_ID,)


def trace_models(
    models: Sequence[SqlModel], known: Mapping[str, Sequence[str]], cache: Cache | None = None
) -> dict[str, ColumnLineage]:
    """The column lineage of models.

    Args:
        models: Each after those that it reads.
        known: The columns of the tables that are not models. Of a table that is not named here (a delivered file)
            the columns are those that the model asks for.
        cache: Where earlier findings are.

    Returns:
        Model name to lineage.

    Raises:
        InputError: A model names a column that does not exist, or that may be one of two.
    """
    cache = cache or Cache()
    columns = {table: tuple(names) for table, names in known.items()}
    traced: dict[str, ColumnLineage] = {}
    for model in models:
        inputs = {ref: columns.get(ref) for ref in model.refs}
        traced[model.name] = _lineage(model, inputs, cache)
        columns[model.name] = tuple(model.columns)
    return traced


def _lineage(model: SqlModel, inputs: Mapping[str, Sequence[str] | None], cache: Cache) -> ColumnLineage:
    name = cache.name_of("lineage", model.sql, inputs)
    kept = cache.get(name)
    if kept is not None:
        return {column: tuple(ColumnInput(*entry) for entry in entries) for column, entries in kept.items()}
    schemas = {
        ref: dict.fromkeys((*(asked_of(model, ref) if names is None else names), *OWN_COLUMNS), "")
        for ref, names in inputs.items()
    }
    found = column_lineage(model, schemas)
    cache.put(
        name, {column: [list(e.as_json().values()) for e in entries] for column, entries in found.items()}
    )
    return found


def asked_of(model: SqlModel, table: str) -> list[str]:
    """The columns that a model reads of a table whose columns are not known: those that can only be its own."""
    asked: dict[str, str] = {}
    for node in model.tree.find_all(exp.Table):
        select = node.find_ancestor(exp.Select)
        if not node.db or table_name(node) != table or select is None:
            continue
        alone = not select.args.get("joins")
        for column in select.find_all(exp.Column):
            if column.table.lower() == node.alias_or_name.lower() or (alone and not column.table):
                asked.setdefault(column.name.lower(), column.name)
    return [spelling for name, spelling in asked.items() if name not in OWN_COLUMNS]
