"""A publication as a Workflow Run RO-Crate: a folder that others can archive, read and check.

Belongs here: which files go into the folder, and writing it. Does not belong here: the entities of its metadata
(``ro_crate_entities``).

The folder holds the report and the definition of the workflow; delivered files, warehouse and ledger are named by their
SHA-256 and stay in the home unless they are asked for. Profiles: Process, Workflow and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5) on RO-Crate 1.1.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fm_platform.errors import CheckFailed, EnvironmentFailure, InputError
from fm_platform.lineage.exchange.inventory import Inventory
from fm_platform.lineage.exchange.published_inventory import published_inventory
from fm_platform.lineage.exchange.ro_crate_entities import crate_metadata, workflow_definition
from fm_platform.lineage.exchange.ro_crate_names import CrateFile
from fm_platform.warehouse.home import Home, write_atomically
from fm_platform.warehouse.publish import file_sha256, snapshot_name
from fm_platform.warehouse.reader import open_published

METADATA = "ro-crate-metadata.json"
SHOWN = ("files.report", "files.site")
"""File assets that are inside every crate; others (lists for the study site) name subjects."""


@dataclass(frozen=True)
class Crate:
    """What was written."""

    study_id: str
    publication: int
    files: int
    entities: int


def export_crate(home: Home, folder: Path, *, with_data: bool = False) -> Crate:
    """Write the crate of the last publication.

    Args:
        home: The home; only its published files are read.
        folder: New or empty.
        with_data: Also copy delivered files, the warehouse and the ledger, which hold patient data.

    Raises:
        InputError: Nothing is published, or the folder holds something.
        CheckFailed: A file of the home does not have the bytes that the ledger records.
        EnvironmentFailure: The folder cannot be written.
    """
    _require_empty(folder)
    with open_published(home) as published:
        inventory = published_inventory(published)
        ledger = published.query("SELECT * FROM audit.ledger ORDER BY seq") if with_data else None
    files = [
        *_definition(inventory, with_data),
        *_made(home, inventory, with_data),
        *_delivered(home, inventory, with_data),
    ]
    files.append(_warehouse(home, inventory, with_data))
    if ledger is not None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ledger.iter_rows(named=True))
        files.append(CrateFile.of("ledger.ndjson", "ledger", text.encode(), "The hash-chained ledger"))
    metadata = crate_metadata(inventory, files)
    included = [file for file in files if file.content is not None]
    for file in included:
        assert file.content is not None
        write_atomically(folder / file.path, file.content)
    write_atomically(folder / METADATA, json.dumps(metadata, indent=1, ensure_ascii=False).encode())
    return Crate(
        inventory.study_id, int(inventory.publication or 0), len(included) + 1, len(metadata["@graph"])
    )


def _require_empty(folder: Path) -> None:
    try:
        occupied = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot be read: {error.strerror}", file=folder, mend="choose another"
        ) from error
    if occupied:
        raise InputError("the folder is not empty", file=folder, mend="name a new one with -o")


def _definition(inventory: Inventory, with_data: bool) -> Iterator[CrateFile]:
    yield CrateFile.of("README.md", "readme", _readme(inventory, with_data).encode(), "What this crate is")
    definition = json.dumps(workflow_definition(inventory), indent=1, ensure_ascii=False)
    yield CrateFile.of("workflow.json", "workflow", definition.encode(), "The graph of assets")
    yield CrateFile.of(
        "study.yaml", "parameters", inventory.study_text.encode(), "The study's description as used"
    )


def _readme(inventory: Inventory, with_data: bool) -> str:
    origin = "**SYNTHETIC DATA**: no number here stems from a person.\n\n" if inventory.synthetic else ""
    inside = (
        "Delivered files, the warehouse and the ledger are inside: treat this folder as study data."
        if with_data
        else "Delivered files and the warehouse are named by SHA-256 only; the report is inside and is study data."
    )
    return (
        f"# {inventory.title}\n\n{origin}Publication {inventory.publication} of study {inventory.study_id} as a "
        f"Workflow Run RO-Crate: `{METADATA}` links every table to the step that made it, what it was made from "
        f"and the version of its code; `workflow.json` has the columns with their inputs. {inside}\n\n"
        f"Ledger head: record {inventory.head[0]}, `{inventory.head[1]}`. With it, `fm verify --head` on the home "
        "shows whether anything was altered since.\n"
    )


def _made(home: Home, inventory: Inventory, with_data: bool) -> Iterator[CrateFile]:
    """Files that the run made, with their content where they may leave the home."""
    for table in inventory.tables.values():
        for path, sha256 in sorted(table.files.items()):
            kept = home.path / path
            content = kept.read_bytes() if kept.is_file() else b""
            if hashlib.sha256(content).hexdigest() != sha256:
                raise CheckFailed(
                    f"{path} is not the file that the ledger records for publication {inventory.publication}",
                    mend="run `fm verify`, or refresh and export again",
                )
            words = f"{PurePosixPath(path).name}, made by {table.table}"
            if with_data or table.table in SHOWN:
                yield CrateFile.of(path, "output", content, words)
            else:
                yield CrateFile(path, "output", words, sha256, len(content))


def _delivered(home: Home, inventory: Inventory, with_data: bool) -> Iterator[CrateFile]:
    for source in inventory.sources:
        words = f"Delivered file of source {source.source}"
        if not with_data:
            yield CrateFile(source.path, "input", words, source.sha256, source.size)
            continue
        kept = home.sources / f"{source.sha256}.gz"
        content = gzip.decompress(kept.read_bytes()) if kept.is_file() else b""
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise CheckFailed(f"the kept copy of {source.path} is missing or altered", mend="run `fm verify`")
        yield CrateFile.of(f"sources/{source.path}", "input", content, words)


def _warehouse(home: Home, inventory: Inventory, with_data: bool) -> CrateFile:
    kept = home.path / snapshot_name(int(inventory.publication or 0))
    if not kept.is_file():
        raise CheckFailed(f"{kept.name} is missing from snapshots", mend="run `fm verify`")
    words = "The published warehouse, a DuckDB file"
    if with_data:
        return CrateFile.of("warehouse.duckdb", "output", kept.read_bytes(), words)
    return CrateFile("warehouse.duckdb", "output", words, file_sha256(kept), kept.stat().st_size)
