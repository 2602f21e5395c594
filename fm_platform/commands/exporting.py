"""``fm export``: what leaves the home.

Belongs here: options and printing of each form of export. Does not belong here: anything a test or an asset
would want to call.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from fm_platform.commands.options import FILE, FOLDER, home_named, json_option, place_options
from fm_platform.errors import InputError


@click.group()
def export() -> None:
    """Take results out of the home, in forms that other programs read."""


@export.command()
@click.argument("names", nargs=-1, metavar="[SCHEMA.TABLE]...")
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to write to.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--band", type=click.Choice(["5", "10", "20", "40", "0"]), help="Numbers in bands; 0: left out."
)
@click.option("--without", multiple=True, metavar="COLUMN", help="Leave a column out.")
@click.option("--suppress", is_flag=True, help="Leave out variables that describe too few people.")
@place_options
@json_option
def tables(
    names: tuple[str, ...],
    out: Path,
    form: str,
    band: str | None,
    without: tuple[str, ...],
    suppress: bool,
    study: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Write published tables as files, one each (default: the report's tables).

    Subjects appear under pseudonyms when FM_PSEUDONYM_KEY is set. Nothing is written while fewer people than
    study.yaml asks for (at least 3) share their quasi-identifiers.
    """
    from fm_platform.catalog.disclosure.releases import WIDTHS, release
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.privacy.k_anonymity import BANDINGS

    catalog = build_catalog(study_folder(study, home))
    released = release(
        catalog,
        home_of(catalog.study, home),
        names,
        out,
        form=form,
        banding=WIDTHS[band] if band else BANDINGS[0],
        without=without,
        suppress=suppress,
    )
    if as_json:
        click.echo(json.dumps(released.as_json(), indent=1, ensure_ascii=False))
        return
    for table in released.tables:
        click.echo(f"{table.table:<32} {table.rows:>7,} rows  {table.path}")
    judged = released.judgement
    if judged.k_achieved is not None:
        click.echo(f"k-anonymity of {', '.join(judged.quasi_identifiers)}: {judged.k_achieved}")
    elif not catalog.study.privacy.quasi_identifiers:
        click.echo(
            "k-anonymity was not judged: study.yaml declares no `privacy: quasi_identifiers`", err=True
        )


@export.command("data-docs")
@click.option("-o", "--out", type=FILE, required=True, help="The HTML file to write.")
@place_options
@json_option
def data_docs(out: Path, study: Path | None, home: Path | None, as_json: bool) -> None:
    """Write the expectations of every clinical source and what was found, as one HTML file."""
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.catalog.report.data_docs import write_data_docs

    catalog = build_catalog(study_folder(study, home))
    sources = write_data_docs(catalog, home_of(catalog.study, home), out)
    found: list[dict[str, Any]] = [
        {
            "source": docs.source,
            "expectations": len(docs.asked),
            "unexpected": sum(asked.unexpected for asked in docs.asked),
            "failed_checks": [verdict.check for verdict in docs.newest if not verdict.passed],
        }
        for docs in sources
    ]
    if as_json:
        click.echo(json.dumps({"path": str(out), "sources": found}, indent=1))
        return
    for entry in found:
        failed = ", ".join(map(str, entry["failed_checks"])) or "none"
        click.echo(
            f"{entry['source']}: {entry['expectations']} expectations of Great Expectations, {entry['unexpected']} "
            f"values unexpected; checks failed: {failed}"
        )
    click.echo(f"wrote {out}")


@export.command()
@click.option("-o", "--out", type=FILE, help="The file to write: one JSON event a line.")
@click.option(
    "--endpoint", metavar="URL", help="A collector to send to; without -o, OPENLINEAGE_URL stands for it."
)
@click.option(
    "--run", "run_id", metavar="ID", help="Only what this run recorded (default: the publication's tables)."
)
@place_options
def openlineage(
    out: Path | None, endpoint: str | None, run_id: str | None, study: Path | None, home: Path | None
) -> None:
    """Write or send OpenLineage events: runs, datasets, column lineage, checks.

    A collector's bearer token is read from OPENLINEAGE_API_KEY.
    """
    from fm_platform.lineage.delivery import send_events, write_events
    from fm_platform.lineage.exchange.openlineage import openlineage_events
    from fm_platform.lineage.exchange.published_inventory import published_inventory
    from fm_platform.warehouse.reader import open_published

    target = endpoint or (os.environ.get("OPENLINEAGE_URL") if out is None else None)
    if out is None and not target:
        raise InputError(
            "nowhere to put the events", mend="name a file with -o or a collector with --endpoint"
        )
    with open_published(home_named(study, home)) as published:
        inventory = published_inventory(published, run_id)
    events = openlineage_events(inventory)
    if out is not None:
        write_events(events, out)
        click.echo(f"{len(events)} events of {len(inventory.tables)} tables and file sets in {out}")
    if target:
        send_events(events, target, os.environ.get("OPENLINEAGE_API_KEY"))
        click.echo(f"{len(events)} events sent to {target}")


@export.command("ro-crate")
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to make; it must be empty or new.")
@click.option(
    "--with-data",
    is_flag=True,
    help="Also copy source files, warehouse and ledger: patient data leaves the home.",
)
@place_options
def ro_crate(out: Path, with_data: bool, study: Path | None, home: Path | None) -> None:
    """Make a Workflow Run RO-Crate of the published run: workflow, inputs, steps, report."""
    from fm_platform.lineage.exchange.ro_crate import export_crate

    crate = export_crate(home_named(study, home), out, with_data=with_data)
    click.echo(
        f"publication {crate.publication} of {crate.study_id} in {out}: {crate.files} files, {crate.entities} entities"
    )
