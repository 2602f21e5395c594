"""Every published column leads to a source: a delivered file, study.yaml, or a constant that says so.

Belongs here: the column lineage of the whole catalog before anything runs, and the refusal of a broken path. Does not
belong here: the lineage of one model (``sql``), and what the ledger records (made when a table is written).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fm_platform.catalog.asset import Asset
from fm_platform.errors import InputError
from fm_platform.lineage.graph import in_order
from fm_platform.sql.cache import Cache
from fm_platform.sql.model import leftmost_select
from fm_platform.sql.tracing import trace_models
from fm_platform.warehouse.records import ColumnLineage

SOURCES = ("raw.", "study.")
"""Where paths end: delivered rows, and what study.yaml declares."""


def with_lineage(assets: Sequence[Asset], cache: Cache | None = None) -> list[Asset]:
    """The assets, each with its column lineage, that of SQL models read from their text.

    Raises:
        InputError: A column leads to no source, or its lineage names a column that does not exist.
    """
    known = {
        asset.table: tuple(dict.fromkeys((*asset.lineage, *(column.name for column in asset.columns))))
        for asset in assets
        if asset.model is None and not asset.table.startswith("raw.")
    }
    by_name = {asset.table: asset for asset in assets}
    ordered = [by_name[node.table].model for node in in_order(assets)]
    traced = trace_models([model for model in ordered if model is not None], known, cache)
    complete = [replace(asset, lineage=traced.get(asset.table, asset.lineage)) for asset in assets]
    made = {asset.table: asset for asset in complete}
    for asset in complete:
        require_paths(asset, asset.lineage, made)
    return complete


def require_paths(
    asset: Asset,
    lineage: ColumnLineage,
    assets: Mapping[str, Asset],
    made: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Refuse a table with a column that leads to no source.

    Each input must be a column of a table that the asset reads; that those lead to a source is required of them in
    turn. A column without inputs must be declared constant.

    Args:
        asset: The table's asset.
        lineage: Its lineage: as read beforehand, or as found when the table was made.
        assets: The catalog.
        made: The columns of tables that were made, where that is known.

    Raises:
        InputError: With the table and the column, and for a SQL model its file and line.
    """
    declared = {column.name: column.constant for column in asset.columns}
    for name, inputs in lineage.items():
        for entry in inputs:
            if entry.table not in asset.inputs or not _exists(entry.table, entry.column, assets, made or {}):
                raise _broken(
                    asset, name, f"its lineage names {entry.table}.{entry.column}, which is no input"
                )
        if not inputs and not asset.table.startswith(SOURCES) and not declared.get(name):
            raise _broken(asset, name, "it comes from no column of a delivered file or of study.yaml")


def constants_of(asset: Asset, lineage: ColumnLineage) -> dict[str, str]:
    """The columns of a table that come from no input, with where they come from instead."""
    declared = {column.name: column.constant for column in asset.columns}
    return {name: declared[name] for name, inputs in lineage.items() if not inputs and declared.get(name)}


def _exists(
    table: str, column: str, assets: Mapping[str, Asset], made: Mapping[str, Collection[str]]
) -> bool:
    """Delivered tables have the columns of their file, which shows when they are read."""
    if table.startswith("raw."):
        return True
    return column in made.get(table, ()) or (table in assets and column in assets[table].lineage)


def _broken(asset: Asset, column: str, why: str) -> InputError:
    message = f"column {column} of {asset.table} has no path to a source: {why}"
    mend = (
        "compute it from a column of an input (count(key) rather than count(*)), or say where it comes from: "
    )
    if asset.model is None:
        return InputError(message, file=asset.table, mend=mend + "Column(constant=...) in the catalog")
    outputs = leftmost_select(asset.model.tree).expressions
    node = next((output for output in outputs if output.alias_or_name == column), None)
    return asset.model.error(
        message, node=node, mend=mend + "`meta: {constant: WHY}` under the column in its .yml"
    )
