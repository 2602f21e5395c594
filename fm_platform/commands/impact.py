"""``fm impact``: what a delivered row reaches.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.options import home_named, json_option, place_options
from fm_platform.errors import InputError

KEYS_LISTED = 20

if TYPE_CHECKING:
    from fm_platform.lineage.impact.reached import Impact


@click.command()
@place_options
@click.option("--subject", help="Everything of one subject: visits, attributes, samples.")
@click.option("--source", "path", help="A delivered file, below the study folder.")
@click.option("--line", type=int, help="The line of that file on which the row begins.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"Keys of reached rows listed per table (0 unless told; with --json {KEYS_LISTED}).",
)
@json_option
def impact(
    study: Path | None,
    home: Path | None,
    subject: str | None,
    path: str | None,
    line: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Everything that a delivered row, or a subject, reaches, and what a refresh without it recomputes."""
    from fm_platform.lineage.impact.origin import origin_of_line, origin_of_subject
    from fm_platform.lineage.impact.publications import publications_with
    from fm_platform.lineage.impact.reached import impact as follow
    from fm_platform.warehouse.reader import open_published

    if (subject is None) == (path is None) or (path is None) != (line is None):
        raise InputError("name one thing to follow", mend="give --subject ID, or --source FILE with --line N")
    place = home_named(study, home)
    with open_published(place) as published:
        if subject is not None:
            origin = origin_of_subject(published, subject)
        else:
            assert path is not None
            assert line is not None
            origin = origin_of_line(published, path, line)
        listed = limit if limit is not None else KEYS_LISTED if as_json else 0
        found = follow(published, origin, publications_with(place, origin.row_ids), limit=listed)
    if as_json:
        click.echo(json.dumps(_as_json(found), default=str, indent=1))
    else:
        _print(found)


def _as_json(found: Impact) -> dict[str, object]:
    return {**asdict(found), "report_numbers": found.report_numbers}


def _print(found: Impact) -> None:
    if found.publication.get("data_origin") == "synthetic":
        click.echo("SYNTHETIC DATA")
    click.echo(f"{found.asked}: {len(found.rows)} delivered rows")
    for row in found.rows:
        click.echo(f"  {row.path}:{row.line}  sha256 {row.sha256}")
    if found.samples:
        click.echo(f"  samples {', '.join(found.samples)}, with their columns of the count matrix")
    click.echo(f"reaches {len(found.tables)} tables, {found.report_numbers:,} report numbers")
    width = max((len(table.table) for table in found.tables), default=0)
    for table in found.tables:
        ways = ", ".join(f"{count:,} by {way}" for way, count in table.ways.items())
        click.echo(f"  {table.table:<{width}}  {table.rows:,} of {table.of:,} rows ({ways})")
        for key in table.keys:
            shown = ", ".join(f"{name}={'(all)' if value is None else value}" for name, value in key.items())
            click.echo(f"      {shown}")
        if table.more and table.keys:
            click.echo(f"      and {table.more} more")
    if found.tables and not any(table.keys for table in found.tables):
        click.echo("  (their keys: --limit N)")
    click.echo(f"a refresh without it recomputes {len(found.recomputed)}: {', '.join(found.recomputed)}")
    for publication in found.publications:
        click.echo(
            f"publication {publication.number} holds {publication.rows} of its rows ({publication.snapshot})"
        )
