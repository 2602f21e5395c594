"""``fm erase``: purge a withdrawn subject.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from fm_platform.commands.options import json_option, place_options


@click.command()
@place_options
@click.option(
    "--subject", required=True, help="A subject that the list of withdrawals names with scope erase."
)
@click.option("--reason", required=True, help="Why, for the ledger.")
@json_option
def erase(study: Path | None, home: Path | None, subject: str, reason: str, as_json: bool) -> None:
    """Purge a withdrawn subject from stored sources, snapshots, work tables and Dagster's history."""
    from fm_platform.catalog.disclosure.erasure import erase as purge
    from fm_platform.catalog.disclosure.erasure_remains import what_remains
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    place = home_of(catalog.study, home)
    body = purge(catalog, place, subject, reason)
    left = what_remains(catalog, place, body)
    if as_json:
        record = {**body, "remains": [entry.as_json() for entry in left]}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        removed = sum(entry["now"] is None for entry in body["sources"])
        click.echo(
            f"erased {subject}: {len(body['sources'])} stored sources redacted ({removed} of them removed), "
            f"{len(body['snapshots'])} snapshots redacted, Dagster's history removed"
        )
        click.echo("what remains:")
        for entry in left:
            click.echo(f"  {entry.what}: {entry.why}")
