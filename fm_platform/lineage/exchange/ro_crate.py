"""A publication as a Workflow Run RO-Crate: a folder that others can archive, read and check.

Belongs here: which files go into the folder, and their content. Does not belong here: the entities of its metadata
(``ro_crate_entities``), writing the folder (an export is recorded first: ``catalog.disclosure.leaving``).

The folder holds the steward's site and the definition of the workflow. What may show a single person (the report,
delivered files, warehouse, ledger) is named by its SHA-256 and stays in the home unless it is asked for.
Profiles: Process, Workflow and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5) on RO-Crate 1.1.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fm_platform.errors import CheckFailed, EnvironmentFailure, InputError
from fm_platform.lineage.exchange.inventory import Inventory
from fm_platform.lineage.exchange.published_inventory import published_inventory
from fm_platform.lineage.exchange.ro_crate_entities import crate_metadata, workflow_definition
from fm_platform.lineage.exchange.ro_crate_names import CrateFile
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.publish import file_sha256, snapshot_name
from fm_platform.warehouse.reader import Published

METADATA = "ro-crate-metadata.json"
REPORT = "files.report"
SITE = "files.site"
"""The file asset that is inside every crate: it has lineage and numbers of rows, and names nobody."""


@dataclass(frozen=True)
class Crate:
    """A crate that is not written yet: path inside its folder to content."""

    study_id: str
    publication: int
    contents: Mapping[str, bytes]
    entities: int
    tables: tuple[str, ...]


def make_crate(
    home: Home, published: Published, *, with_report: bool = False, with_data: bool = False
) -> Crate:
    """The crate of a publication.

    Args:
        home: The home; only its published files are read.
        published: Its open publication.
        with_report: Also the report with its tables and figures, which may show single people.
        with_data: Also everything that the run read and made: delivered files, the warehouse and the ledger.

    Raises:
        CheckFailed: A file of the home does not have the bytes that the ledger records.
    """
    inventory = published_inventory(published)
    inside = {SITE, REPORT} if with_report else {SITE}
    files = [
        *_definition(inventory, _inside(with_report, with_data)),
        *_made(home, inventory, set(inventory.tables) if with_data else inside),
        *_delivered(home, inventory, with_data),
        _warehouse(home, inventory, with_data),
    ]
    if with_data:
        ledger = published.query("SELECT * FROM audit.ledger ORDER BY seq")
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ledger.iter_rows(named=True))
        files.append(CrateFile.of("ledger.ndjson", "ledger", text.encode(), "The hash-chained ledger"))
    metadata = crate_metadata(inventory, files)
    contents = {file.path: file.content for file in files if file.content is not None}
    contents[METADATA] = json.dumps(metadata, indent=1, ensure_ascii=False).encode()
    return Crate(
        inventory.study_id,
        int(inventory.publication or 0),
        contents,
        len(metadata["@graph"]),
        tuple(sorted(inventory.tables)),
    )


def _inside(with_report: bool, with_data: bool) -> str:
    if with_data:
        return (
            "**This folder holds row-level data of people**: delivered files, the warehouse and the ledger are inside "
            "as they are, and k-anonymity was not asked for. Treat it as study data."
        )
    if with_report:
        return (
            "Delivered files and the warehouse are named by SHA-256 only. **The report is inside as it is**, it may "
            "show single people, and k-anonymity was not asked for: treat it as study data."
        )
    return "Report, delivered files and warehouse are named by SHA-256 only: no value of a person is inside."


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: It does.
        EnvironmentFailure: It cannot be read.
    """
    try:
        occupied = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot be read: {error.strerror}", file=folder, mend="choose another"
        ) from error
    if occupied:
        raise InputError("the folder is not empty", file=folder, mend="name a new one with -o")


def _definition(inventory: Inventory, inside: str) -> Iterator[CrateFile]:
    yield CrateFile.of("README.md", "readme", _readme(inventory, inside).encode(), "What this crate is")
    definition = json.dumps(workflow_definition(inventory), indent=1, ensure_ascii=False)
    yield CrateFile.of("workflow.json", "workflow", definition.encode(), "The graph of assets")
    yield CrateFile.of(
        "study.yaml", "parameters", inventory.study_text.encode(), "The study's description as used"
    )


def _readme(inventory: Inventory, inside: str) -> str:
    origin = "**SYNTHETIC DATA**: no number here stems from a person.\n\n" if inventory.synthetic else ""
    return (
        f"# {inventory.title}\n\n{origin}Publication {inventory.publication} of study {inventory.study_id} as a "
        f"Workflow Run RO-Crate: `{METADATA}` links every table to the step that made it, what it was made from "
        f"and the version of its code; `workflow.json` has the columns with their inputs. {inside}\n\n"
        f"Ledger head: record {inventory.head[0]}, `{inventory.head[1]}`. With it, `fm verify --head` on the home "
        "shows whether anything was altered since.\n"
    )


def _made(home: Home, inventory: Inventory, inside: Collection[str]) -> Iterator[CrateFile]:
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
            if table.table in inside:
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
