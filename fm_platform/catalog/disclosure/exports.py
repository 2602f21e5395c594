"""``fm export`` of lineage and data docs: the formats brought to the door.

Belongs here: one function a format, and what its record says. Does not belong here: tables (``releases``), the formats
themselves, options and printing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fm_platform.catalog.disclosure.gx_context import gx_context
from fm_platform.catalog.disclosure.leaving import Parcel, open_door, require_reason
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.report.data_docs import make_data_docs, require_suites
from fm_platform.lineage.delivery import collector, event_lines, send_events
from fm_platform.lineage.exchange.openlineage import openlineage_events
from fm_platform.lineage.exchange.prov import prov_document
from fm_platform.lineage.exchange.published_inventory import published_inventory
from fm_platform.lineage.exchange.ro_crate import Crate, make_crate, require_empty
from fm_platform.lineage.exports import Holds
from fm_platform.reporting.data_docs import SourceDocs
from fm_platform.warehouse.home import Home


@dataclass(frozen=True)
class Sent:
    """How many events of how many tables and file sets left."""

    events: int
    tables: int


def export_crate(
    home: Home, folder: Path, *, with_report: bool = False, with_data: bool = False, reason: str | None = None
) -> Crate:
    """Write the crate of the last publication.

    Args:
        home: The home.
        folder: New or empty.
        with_report: Also the report, which may show single people.
        with_data: Also delivered files, the warehouse and the ledger: row-level data.
        reason: Why; needed for either.

    Raises:
        InputError: Nothing is published, the folder holds something, or a reason is missing.
        CheckFailed: A file of the home does not have the bytes that the ledger records.
        EnvironmentFailure: The folder or the home cannot be written, or another process holds the home's lock.
    """
    if with_data:
        require_reason("a crate with data holds every person's rows", reason)
    elif with_report:
        require_reason("the report may show single people", reason)
    require_empty(folder)
    holds: Holds = "row-level data" if with_data else "report" if with_report else "no rows"
    with open_door(home, reason) as door:
        crate = make_crate(home, door.published, with_report=with_report or with_data, with_data=with_data)
        door.let_out(Parcel("ro-crate", holds, crate.contents, {"tables": list(crate.tables)}, {}), folder)
    return crate


def export_openlineage(
    home: Home,
    out: Path | None,
    endpoint: str | None,
    *,
    run_id: str | None = None,
    api_key: str | None = None,
    reason: str | None = None,
) -> Sent:
    """Write OpenLineage events, send them, or both. They hold names, digests and counts, and no row of a table.

    Args:
        home: The home.
        out: A file for the events.
        endpoint: A collector.
        run_id: Only what this run recorded; None: what the publication holds.
        api_key: The collector's bearer token.
        reason: Why, for the ledger.

    Raises:
        InputError: Nothing is published, no such run, or the address is not one of http or https.
        EnvironmentFailure: File, home or collector refuse. What was to be sent stays recorded: part of it may have
            arrived.
    """
    if endpoint is not None:
        collector(endpoint)
    with open_door(home, reason) as door:
        inventory = published_inventory(door.published, run_id)
        events = openlineage_events(inventory)
        send: Callable[[], None] | None = None
        if endpoint is not None:
            target = endpoint

            def send() -> None:
                send_events(events, target, api_key)

        name = out.name if out is not None else "events.ndjson"
        facts = {"tables": sorted(inventory.tables), **({"run": run_id} if run_id else {})}
        parcel = Parcel("openlineage", "no rows", {name: event_lines(events)}, facts, {})
        door.let_out(
            parcel, out.parent if out is not None else None, send, _address(endpoint) if endpoint else None
        )
    return Sent(len(events), len(inventory.tables))


def _address(endpoint: str) -> str:
    """A collector's address as it is recorded: without a name, a password or a query."""
    parts = urlsplit(collector(endpoint))
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def export_prov(home: Home, out: Path, *, reason: str | None = None) -> int:
    """Write the provenance of the publication as PROV-O: names, digests and times, and no row of a table.

    Args:
        home: The home.
        out: The JSON-LD file.
        reason: Why, for the ledger.

    Returns:
        How many entities, activities and agents there are.

    Raises:
        InputError: Nothing is published.
        EnvironmentFailure: File or home cannot be written, or another process holds the home's lock.
    """
    with open_door(home, reason) as door:
        inventory = published_inventory(door.published)
        document = prov_document(inventory, door.publications)
        content = json.dumps(document, indent=1, ensure_ascii=False).encode()
        facts = {"tables": sorted(inventory.tables)}
        door.let_out(Parcel("prov", "no rows", {out.name: content}, facts, {}), out.parent)
    return len(document["@graph"])


def export_gx(catalog: Catalog, home: Home, folder: Path, *, reason: str | None = None) -> tuple[str, ...]:
    """Write the suites of a study as a Great Expectations project: expectations and SQL, no value of a person.

    Args:
        catalog: The study's catalog.
        home: Its home.
        folder: New or empty.
        reason: Why, for the ledger.

    Returns:
        The sources, each with a suite.

    Raises:
        InputError: Nothing is published, the study has no clinical half, or the folder holds something.
        EnvironmentFailure: Folder or home cannot be written, or another process holds the home's lock.
    """
    require_suites(catalog)
    require_empty(folder)
    with open_door(home, reason) as door:
        contents = gx_context(catalog, home.scratch)
        sources = tuple(catalog.study.clinical)
        door.let_out(Parcel("gx", "no rows", contents, {"suites": list(sources)}, {}), folder)
    return sources


def export_data_docs(
    catalog: Catalog, home: Home, out: Path, *, reason: str | None = None
) -> tuple[SourceDocs, ...]:
    """Write the data docs of the publication: expectations and numbers of findings, no value of a person.

    Args:
        catalog: The study's catalog.
        home: Its home.
        out: The HTML file.
        reason: Why, for the ledger.

    Raises:
        InputError: Nothing is published, or the study has no clinical half.
        EnvironmentFailure: File or home cannot be written, or another process holds the home's lock.
    """
    require_suites(catalog)
    with open_door(home, reason) as door:
        page, sources = make_data_docs(catalog, door.published)
        facts = {"tables": [f"quarantine.{docs.source}" for docs in sources]}
        door.let_out(Parcel("data-docs", "no rows", {out.name: page}, facts, {}), out.parent)
    return sources
