"""The metadata of a Workflow Run RO-Crate: workflow, tools, steps, their runs, files and tables as linked entities.

Belongs here: the JSON-LD graph and the workflow's definition. Does not belong here: reading a home or writing files.

The asset graph is the workflow; an asset is a tool and a step of it; a materialization is the run of that step. Terms:
https://www.researchobject.org/workflow-run-crate/profiles/provenance_run_crate/ (version 0.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fm_platform.lineage.exchange.inventory import Inventory
from fm_platform.lineage.exchange.ro_crate_names import (
    ENGINE,
    LANGUAGE,
    ORGANIZE,
    RIGHTS,
    RUN,
    WORKFLOW,
    CrateFile,
    Entity,
    action_id,
    agent_id,
    ended,
    ids,
    instant,
    media_type,
    parameter_id,
    table_id,
    value_id,
)
from fm_platform.lineage.exchange.ro_crate_runs import (
    run_entities,
    software_entities,
    step_entities,
    workflow_links,
)
from fm_platform.warehouse.ledger import canonical

_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}


def workflow_definition(inventory: Inventory) -> dict[str, Any]:
    """The asset graph as plain data: what reads what, keys, columns with their inputs, code versions, checks."""
    return {
        "engine": {"name": "fm_platform", "version": inventory.release},
        "study": {"id": inventory.study_id, "title": inventory.title, "synthetic": inventory.synthetic},
        "assets": [
            {
                "table": table.table,
                "description": table.described.description,
                "inputs": sorted(table.inputs),
                "files_read": [entry.path for entry in table.delivered],
                "files_written": sorted(table.files),
                "key": list(table.key),
                "code_version": table.code_version,
                "columns": [
                    {
                        "name": column.name,
                        "type": column.type,
                        "description": column.description,
                        "inputs": [entry.as_json() for entry in sorted(column.inputs)],
                    }
                    for column in table.own_columns
                ],
                "checks": [
                    {"name": check.name, "blocking": check.blocking, "description": check.description}
                    for check in table.checks
                ],
            }
            for table in inventory.tables.values()
        ],
    }


def crate_metadata(inventory: Inventory, files: Sequence[CrateFile]) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json``.

    Args:
        inventory: The publication; needs at least one table.
        files: Every file of the run; ``workflow.json`` is among them.
    """
    graph = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": [
                {"@id": "https://w3id.org/ro/crate/1.1"},
                {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
            ],
        },
        _root(inventory, files),
        *(
            {"@id": uri, "@type": "CreativeWork", "name": name, "version": uri.rsplit("/", 1)[1]}
            for uri, name in _PROFILES.items()
        ),
        *_context(inventory),
        *(_file(inventory, file, files) for file in files),
        *_parameters(inventory, files),
        *_tables(inventory),
        *software_entities(inventory),
        *step_entities(inventory),
        *run_entities(inventory, files),
        *_agents(inventory),
    ]
    return {
        "@context": [
            "https://w3id.org/ro/crate/1.1/context",
            "https://w3id.org/ro/terms/workflow-run/context",
        ],
        "@graph": [_compact(entity) for entity in graph],
    }


def _compact(entity: Entity) -> Entity:
    """RO-Crate wants one value rather than a list of one, and nothing rather than an empty list."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in entity.items()
        if value != []
    }


# -- the crate and what surrounds it ----------------------------------------------------------------------------------


def _root(inventory: Inventory, files: Sequence[CrateFile]) -> Entity:
    origin = "SYNTHETIC DATA: nothing here stems from a person. " if inventory.synthetic else ""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{inventory.title}: publication {inventory.publication}",
        "description": (
            f"{origin}Run of the fm_platform workflow on study {inventory.study_id}: definition, inputs by SHA-256, "
            "steps with their runs, report."
        ),
        "datePublished": instant(ended(inventory)),
        "license": {"@id": RIGHTS},
        "author": ids(agent_id(table.actor) for table in inventory.tables.values()),
        "conformsTo": ids(_PROFILES),
        "mainEntity": {"@id": WORKFLOW},
        "hasPart": ids(file.id for file in files),
        "mentions": ids([RUN, ORGANIZE, *(action_id(table) for table in inventory.tables.values())]),
        "identifier": {"@id": "#ledger-head"},
    }


def _context(inventory: Inventory) -> list[Entity]:
    rights = (
        "Synthetic data, free of rights of persons."
        if inventory.synthetic
        else "Study data: no licence is granted by this crate; the study's own rules hold."
    )
    return [
        {"@id": _BIOSCHEMAS, "@type": "CreativeWork", "name": "Bioschemas ComputationalWorkflow 1.0"},
        {"@id": RIGHTS, "@type": "CreativeWork", "name": rights, "description": rights},
        {
            "@id": LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "fm_platform asset graph (Dagster software-defined assets)",
            "version": inventory.release,
            "url": {"@id": "https://dagster.io"},
        },
        {
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": "fm_platform",
            "softwareVersion": inventory.release,
            "description": "A Dagster platform for studies, with lineage down to the delivered line.",
        },
        {
            "@id": "#ledger-head",
            "@type": "PropertyValue",
            "propertyID": "ledger head",
            "name": f"Hash of ledger record {inventory.head[0]}, to be given to `fm verify --head`",
            "value": inventory.head[1],
        },
    ]


def _agents(inventory: Inventory) -> list[Entity]:
    names = sorted({table.actor for table in inventory.tables.values()})
    return [{"@id": agent_id(name), "@type": "Person", "name": name} for name in names]


# -- files, tables and parameters -------------------------------------------------------------------------------------


def _file(inventory: Inventory, file: CrateFile, files: Sequence[CrateFile]) -> Entity:
    entity: Entity = {
        "@id": file.id,
        "@type": "File",
        "name": file.path,
        "description": file.description,
        "encodingFormat": media_type(file.path),
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }
    if file.role in ("input", "output", "parameters"):
        entity["exampleOfWork"] = {"@id": parameter_id(file.path)}
    if file.role == "readme":
        entity["about"] = {"@id": "./"}
    if file.role == "workflow":
        entity |= {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": f"fm_platform asset graph of study {inventory.study_id}",
            "version": file.sha256[:12],
            "conformsTo": {"@id": _BIOSCHEMAS},
            "programmingLanguage": {"@id": LANGUAGE},
            **workflow_links(inventory, files),
        }
    return entity


def _parameters(inventory: Inventory, files: Iterable[CrateFile]) -> list[Entity]:
    """Formal parameters for files that go in and come out, and for the contrasts that study.yaml resolves to."""
    entities: list[Entity] = [
        {
            "@id": parameter_id(file.path),
            "@type": "FormalParameter",
            "additionalType": "File",
            "name": file.path,
            "encodingFormat": media_type(file.path),
            "workExample": {"@id": file.id},
        }
        for file in files
        if file.role in ("input", "output", "parameters")
    ]
    for contrast in inventory.contrasts:
        name = f"contrast {contrast['id']}"
        entities += [
            {
                "@id": parameter_id(name),
                "@type": "FormalParameter",
                "additionalType": "PropertyValue",
                "name": name,
                "workExample": {"@id": value_id(name)},
            },
            {
                "@id": value_id(name),
                "@type": "PropertyValue",
                "name": name,
                "value": canonical(contrast),
                "exampleOfWork": {"@id": parameter_id(name)},
            },
        ]
    return entities


def _tables(inventory: Inventory) -> list[Entity]:
    """Tables of the warehouse, each in the version that was made or read."""
    described = {table.table: table.described.description for table in inventory.tables.values()}
    versions = {
        (name, digest) for table in inventory.tables.values() for name, digest in table.inputs.items()
    } | {(table.table, table.value_digest) for table in inventory.tables.values() if not table.files}
    return [
        {
            "@id": table_id(name, digest),
            "@type": "CreativeWork",
            "name": name,
            "identifier": f"value digest {digest}",
            **({"description": described[name]} if described.get(name) else {}),
        }
        for name, digest in sorted(versions)
    ]
