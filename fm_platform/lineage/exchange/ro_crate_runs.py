"""The steps of a crate's workflow and their runs.

Belongs here: tools, steps, and the actions that tell of a run. Does not belong here: files, tables, the crate itself
(``ro_crate_entities``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fm_platform.lineage.environment import in_words
from fm_platform.lineage.exchange.inventory import Inventory, TableFacts
from fm_platform.lineage.exchange.ro_crate_names import (
    ENGINE,
    ORGANIZE,
    RUN,
    WORKFLOW,
    CrateFile,
    Entity,
    action_id,
    agent_id,
    control_id,
    ended,
    environment_id,
    ids,
    instant,
    library_id,
    lock_id,
    parameter_id,
    step_id,
    table_id,
    tool_id,
    value_id,
)
from fm_platform.lineage.libraries import PYTHON


def step_entities(inventory: Inventory) -> list[Entity]:
    """Tools and steps."""
    tables = list(inventory.tables.values())
    entities: list[Entity] = []
    for position, table in enumerate(tables, start=1):
        entities += [
            {
                "@id": tool_id(inventory, table),
                "@type": "SoftwareApplication",
                "name": table.table,
                "softwareVersion": table.code_version,
                "softwareRequirements": _requirements(table),
                **({"description": table.described.description} if table.described.description else {}),
            },
            {
                "@id": step_id(table),
                "@type": "HowToStep",
                "position": str(position),
                "workExample": {"@id": tool_id(inventory, table)},
            },
        ]
    return entities


def _requirements(table: TableFacts) -> list[Entity]:
    environment = table.made_with.environment
    libraries = [library_id(*library) for library in table.made_with.distributions.items()]
    return ids([*([environment_id(environment)] if environment else []), *libraries])


def software_entities(inventory: Inventory) -> list[Entity]:
    """What the steps ran on: Python and libraries by version, and the platform in its environments with their lock."""
    behind = [table.made_with for table in inventory.tables.values()]
    libraries = sorted({library for entry in behind for library in entry.distributions.items()})
    environments = {environment_id(e.environment): e.environment for e in behind if e.environment}
    locks = {lock_id(lock): lock for body in environments.values() if (lock := body.get("lock"))}
    return [
        *(
            {"@id": library_id(*library), "@type": "SoftwareApplication", "name": library[0]}
            | {"softwareVersion": library[1]}
            for library in libraries
        ),
        *(_environment(name, body) for name, body in environments.items()),
        *(
            {
                "@id": name,
                "@type": "CreativeWork",
                "name": lock["path"],
                "identifier": f"sha256 {lock['sha256']}",
            }
            for name, lock in locks.items()
        ),
    ]


def _environment(name: str, body: Mapping[str, Any]) -> Entity:
    words = in_words(body)
    needed = [library_id(PYTHON, body["python"])]
    return {
        "@id": name,
        "@type": "SoftwareApplication",
        "name": words["package"],
        "softwareVersion": body["package"],
        "operatingSystem": words["platform"],
        "softwareRequirements": ids([*needed, *([lock_id(body["lock"])] if body.get("lock") else [])]),
    }


def workflow_links(inventory: Inventory, files: Sequence[CrateFile]) -> Entity:
    """What the workflow entity says of its parts."""
    tables = list(inventory.tables.values())
    contrasts = [parameter_id(f"contrast {contrast['id']}") for contrast in inventory.contrasts]
    return {
        "input": ids(
            [*(parameter_id(f.path) for f in files if f.role in ("input", "parameters")), *contrasts]
        ),
        "output": ids(parameter_id(file.path) for file in files if file.role == "output"),
        "hasPart": ids(tool_id(inventory, table) for table in tables),
        "step": ids(step_id(table) for table in tables),
    }


def run_entities(inventory: Inventory, files: Sequence[CrateFile]) -> list[Entity]:
    """The run of the workflow, of the engine, and of each step."""
    tables = list(inventory.tables.values())
    began, end = instant(min(table.started for table in tables)), instant(ended(inventory))
    newest = max(tables, key=lambda table: table.seq)
    values = [value_id(f"contrast {contrast['id']}") for contrast in inventory.contrasts]
    entities: list[Entity] = [
        {
            "@id": RUN,
            "@type": "CreateAction",
            "name": f"Publication {inventory.publication} of {inventory.study_id}",
            "description": f"Last run {newest.run_id}; tables that were fresh were made by earlier runs",
            "instrument": {"@id": WORKFLOW},
            "agent": {"@id": agent_id(newest.actor)},
            "startTime": began,
            "endTime": end,
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "object": ids([*(f.id for f in files if f.role in ("input", "parameters")), *values]),
            "result": ids(file.id for file in files if file.role == "output"),
        },
        {
            "@id": ORGANIZE,
            "@type": "OrganizeAction",
            "name": f"fm_platform on {inventory.study_id}",
            "instrument": {"@id": ENGINE},
            "agent": {"@id": agent_id(newest.actor)},
            "startTime": began,
            "endTime": end,
            "object": ids(control_id(table) for table in tables),
            "result": {"@id": RUN},
        },
    ]
    by_path = {file.path.removeprefix("sources/"): file.id for file in files if file.role == "input"}
    outputs = {file.path: file.id for file in files if file.role == "output"}
    for table in tables:
        entities += [
            {
                "@id": control_id(table),
                "@type": "ControlAction",
                "name": f"orchestrate {table.table}",
                "instrument": {"@id": step_id(table)},
                "object": {"@id": action_id(table)},
            },
            {
                "@id": action_id(table),
                "@type": "CreateAction",
                "name": f"make {table.table}",
                "description": f"Ledger record {table.seq} of run {table.run_id}"
                + (f": {table.reason}" if table.reason else ""),
                "instrument": {"@id": tool_id(inventory, table)},
                "agent": {"@id": agent_id(table.actor)},
                "startTime": instant(table.started),
                "endTime": instant(table.at),
                "actionStatus": "http://schema.org/CompletedActionStatus",
                "object": ids(
                    [
                        *(by_path[entry.path] for entry in table.delivered if entry.path in by_path),
                        *(table_id(name, digest) for name, digest in table.inputs.items()),
                    ]
                ),
                "result": ids(outputs[path] for path in sorted(table.files) if path in outputs)
                if table.files
                else [{"@id": table_id(table.table, table.value_digest)}],
            },
        ]
    return entities
