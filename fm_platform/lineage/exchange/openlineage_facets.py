"""The facets of OpenLineage's datasets: schema, version, source, documentation and column lineage.

Belongs here: the JSON form of one dataset. Does not belong here: events, runs and jobs (``openlineage``).

Datasets are named without host or path, so that the same study has the same names everywhere. Sources:
https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json and its neighbours;
https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet for the words of a transformation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from fm_platform.lineage.exchange.inventory import ColumnFacts, Inventory, TableFacts
from fm_platform.warehouse.records import ColumnInput

FILE_SETS = "files."
"""How the names of assets begin that are sets of files."""

PRODUCER = f"fm-platform:{metadata.version('fm-platform')}"
_FACETS = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DatasetTypeDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DatasourceDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "ExecutionParametersRunFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "TagsJobFacet": "1-0-0",
}
_HOME = "home"
_DIRECT = frozenset({"IDENTITY", "TRANSFORMATION", "AGGREGATION"})
_INDIRECT = frozenset({"JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"})


def facet(kind: str, /, **content: Any) -> dict[str, Any]:
    """A facet of this kind, with who says it and the schema that it follows."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"https://openlineage.io/spec/facets/{_FACETS[kind]}/{kind}.json#/$defs/{kind}",
        **content,
    }


def namespace(inventory: Inventory) -> str:
    """The namespace of a study's jobs and datasets."""
    return f"fm-platform://{inventory.study_id}"


def dataset(inventory: Inventory, name: str, facets: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset with its facets."""
    return {"namespace": namespace(inventory), "name": name, "facets": dict(facets)}


def input_datasets(inventory: Inventory, table: TableFacts) -> list[dict[str, Any]]:
    """Delivered files, tables and sets of files, each with the version that was read."""
    delivered = [_file(inventory, entry.path, entry.sha256, entry.source) for entry in table.delivered]
    read = [
        _file_set(inventory, name, digest)
        if name.startswith(FILE_SETS)
        else dataset(
            inventory,
            name,
            {
                "version": _version(digest),
                **_schema(_as_read(inventory, name, digest)),
                "dataSource": _warehouse(),
            },
        )
        for name, digest in table.inputs.items()
    ]
    return [*delivered, *read]


def _file(inventory: Inventory, path: str, sha256: str, source: str) -> dict[str, Any]:
    facets = {
        "version": _version(sha256),
        "datasetType": facet("DatasetTypeDatasetFacet", datasetType="FILE"),
        "dataSource": facet("DatasourceDatasetFacet", name=source, uri=f"file:{path}"),
    }
    return dataset(inventory, f"files/{path}", facets)


def _file_set(inventory: Inventory, name: str, digest: str) -> dict[str, Any]:
    """All files of an asset under its name, by which other steps read them."""
    facets = {
        "version": _version(digest),
        "datasetType": facet("DatasetTypeDatasetFacet", datasetType="FILE"),
        "dataSource": facet("DatasourceDatasetFacet", name=_HOME, uri="file:."),
    }
    return dataset(inventory, name, facets)


def _as_read(inventory: Inventory, table: str, digest: str) -> TableFacts | None:
    """The table, if the inventory holds it in the version that was read."""
    found = inventory.tables.get(table)
    return found if found is not None and found.value_digest == digest else None


def output_datasets(inventory: Inventory, table: TableFacts) -> list[dict[str, Any]]:
    """The table that a step made; or its files, and the set of them."""
    if table.files:
        written = [_file(inventory, path, sha256, _HOME) for path, sha256 in sorted(table.files.items())]
        return [_file_set(inventory, table.table, table.value_digest), *written]
    facets = table_facets(inventory, table)
    lineage = _column_lineage(inventory, table)
    if lineage is not None:
        facets["columnLineage"] = lineage
    output = dataset(inventory, table.table, facets)
    output["outputFacets"] = {
        "outputStatistics": facet("OutputStatisticsOutputDatasetFacet", rowCount=table.rows)
    }
    return [output]


def table_facets(inventory: Inventory, table: TableFacts) -> dict[str, Any]:
    """What is said of a table whoever names it: schema, version, source, documentation."""
    facets = {
        **_schema(table),
        "version": _version(table.value_digest),
        "dataSource": _warehouse(),
        "datasetType": facet("DatasetTypeDatasetFacet", datasetType="TABLE"),
    }
    if table.described.description:
        origin = "Synthetic data. " if inventory.synthetic else ""
        facets["documentation"] = facet(
            "DocumentationDatasetFacet", description=origin + table.described.description
        )
    return facets


def _schema(table: TableFacts | None) -> dict[str, Any]:
    if table is None or not table.columns:
        return {}
    fields = [
        {
            "name": column.name,
            "type": column.type,
            **({"description": column.description} if column.description else {}),
            "ordinal_position": position,
        }
        for position, column in enumerate(table.columns, start=1)
    ]
    return {"schema": facet("SchemaDatasetFacet", fields=fields)}


def _version(digest: str) -> dict[str, Any]:
    return facet("DatasetVersionDatasetFacet", datasetVersion=digest)


def _warehouse() -> dict[str, Any]:
    return facet("DatasourceDatasetFacet", name="warehouse.duckdb", uri="duckdb:warehouse.duckdb")


# -- columns ----------------------------------------------------------------------------------------------------------


def _column_lineage(inventory: Inventory, table: TableFacts) -> dict[str, Any] | None:
    """Inputs by column; what decides over every column alike is said once, for the whole dataset.

    A delivered table's columns come from its files, which have no columns of their own here.
    """
    columns = table.own_columns
    traced = [column for column in columns if column.inputs]
    if not traced:
        return None
    shared = set.intersection(*({e for e in c.inputs if e.kind == "INDIRECT"} for c in columns))
    lineage = facet(
        "ColumnLineageDatasetFacet",
        fields={
            column.name: {"inputFields": _fields(inventory, _without(column, shared))} for column in columns
        },
    )
    if shared:
        lineage["dataset"] = _fields(inventory, shared)
    return lineage


def _without(column: ColumnFacts, shared: set[ColumnInput]) -> list[ColumnInput]:
    return [entry for entry in column.inputs if entry not in shared]


def _fields(inventory: Inventory, inputs: Iterable[ColumnInput]) -> list[dict[str, Any]]:
    """One entry an input column, with all its transformations."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in sorted(inputs):
        found.setdefault((entry.table, entry.column), []).append(transformation(entry))
    return [
        {
            "namespace": namespace(inventory),
            "name": table,
            "field": column,
            "transformations": list(told),
        }
        for (table, column), told in found.items()
    ]


def transformation(entry: ColumnInput) -> dict[str, Any]:
    """How an input takes part, in the facet's words.

    A DIRECT input that the platform calls by a word which the facet keeps for INDIRECT ones (a CASE that yields a
    column, a rank) is a TRANSFORMATION with that word as its description.
    """
    known = _DIRECT if entry.kind == "DIRECT" else _INDIRECT
    if entry.transformation in known:
        return {"type": entry.kind, "subtype": entry.transformation, "masking": False}
    other = "TRANSFORMATION" if entry.kind == "DIRECT" else "CONDITIONAL"
    return {
        "type": entry.kind,
        "subtype": other,
        "description": entry.transformation.lower().replace("_", " "),
        "masking": False,
    }
