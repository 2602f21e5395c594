"""A model's tree with every name resolved: columns carry their table, positions and aliases are written out.

Belongs here: the one call to sqlglot's qualifier and the repair of what it changes. Does not belong here:
what is made of the resolved tree (lineage.py, links.py, number_types.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from fm_platform.errors import InputError
from fm_platform.sql.model import DIALECT, Schemas, SqlModel, leftmost_select, output_columns


def resolved_tree(model: SqlModel, schemas: Schemas) -> exp.Query:
    """The model's tree with every column naming its table. It is shared: copy before changing.

    Args:
        model: The model.
        schemas: The columns of at least the tables that the model reads.

    Returns:
        The resolved tree. Names inside are in lower case (DuckDB does not tell them apart); the output
        columns keep the case in which the author wrote them.

    Raises:
        InputError: A table or column that does not exist, a name that may mean two columns, or a table's name used as
            a value.
    """
    known = tuple((ref, tuple(schemas[ref].items())) for ref in model.refs if ref in schemas)
    return _resolved(model, known)


@lru_cache(maxsize=64)
def _resolved(model: SqlModel, known: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> exp.Query:
    """The resolved tree, made once for types, lineage and link. Nobody changes it."""
    schemas = {ref: dict(columns) for ref, columns in known}
    tree = model.tree.copy()
    merged = _merged_columns(tree)
    try:
        tree = qualify(tree, dialect=DIALECT, schema=sqlglot_schema(model, schemas))
    except OptimizeError as error:
        raise _unresolved(model, error) from None
    for join, others in merged:
        _join_on_merged(join, others)
    whole = tree.find(exp.TableColumn)
    if whole is not None:
        named = (
            c for c in model.tree.find_all(exp.Column) if not c.table and c.name.lower() == whole.name.lower()
        )
        raise model.error(
            f"{whole.name} stands for a whole row as a value, whose columns depend on who reads it",
            node=next(named, None),
            mend="name the columns: struct_pack(a := t.a, b := t.b), or count(distinct (t.a, t.b))",
        )
    for name, projection in zip(output_columns(model.tree), leftmost_select(tree).expressions, strict=True):
        projection.set("alias", exp.to_identifier(name, quoted=True))
    return tree


def _merged_columns(tree: exp.Expr) -> list[tuple[exp.Join, dict[str, list[exp.Join]]]]:
    """Joins by USING behind a RIGHT or FULL one, with the earlier ones that hold the same column."""
    found = []
    for select in tree.find_all(exp.Select):
        holders: dict[str, list[exp.Join]] = {}
        optional = False
        for join in select.args.get("joins") or []:
            names = [identifier.name.lower() for identifier in join.args.get("using") or []]
            if optional and names:
                found.append((join, {name: list(holders.get(name, ())) for name in names}))
            for name in names:
                holders.setdefault(name, []).append(join)
            optional = optional or join.side in ("RIGHT", "FULL")
    return found


def _join_on_merged(join: exp.Join, others: Mapping[str, list[exp.Join]]) -> None:
    """Compare with the merged column, where sqlglot takes that of the first table, which may be missing."""
    for same in list(join.args["on"].find_all(exp.EQ)):
        first = same.left
        if isinstance(first, exp.Column):
            holders = others.get(first.name.lower(), ())
            rest = [exp.column(first.name, holder.alias_or_name, quoted=True) for holder in holders]
            if rest:
                first.replace(exp.func("coalesce", first.copy(), *rest))


def sqlglot_schema(model: SqlModel, schemas: Schemas) -> MappingSchema:
    """The columns of a model's inputs for sqlglot. A type that it cannot read becomes "unknown"."""
    mapping: dict[str, Any] = {}
    for ref in model.refs:
        if ref not in schemas:
            raise model.error(f"the columns of {ref} are not known", mend="materialize it first")
        schema, table = ref.split(".", 1)
        columns = {name: _readable_type(type_) for name, type_ in schemas[ref].items()}
        mapping.setdefault(schema, {})[table] = columns
    return MappingSchema(mapping, dialect=DIALECT)


def _readable_type(text: str) -> exp.DataType:
    try:
        return exp.DataType.build(text, dialect=DIALECT)
    except SqlglotError:
        return exp.DataType.build("unknown")


def _unresolved(model: SqlModel, error: OptimizeError) -> InputError:
    """sqlglot's complaint about a name, with the line of the first column that bears it."""
    text = re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0].split(". Line:")[0].rstrip(".")
    words = {word.lower() for word in re.findall(r"\w+", text)}
    columns = (column for column in model.tree.find_all(exp.Column) if column.name.lower() in words)
    return model.error(text, node=next(columns, None), mend="name an existing column, with its table's alias")
