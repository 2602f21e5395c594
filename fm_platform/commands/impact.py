"""``fm impact``: what a delivered row reaches.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.comparing import print_conclusions, print_row
from fm_platform.commands.options import home_named, json_option, pair, place_options
from fm_platform.errors import InputError

KEYS_LISTED = 20

if TYPE_CHECKING:
    from fm_platform.catalog.trial.trial import Trial, TriedTable
    from fm_platform.lineage.impact.origin import Origin
    from fm_platform.lineage.impact.reached import Impact
    from fm_platform.warehouse.home import Home


@click.command()
@place_options
@click.option("--subject", help="Everything of one subject: visits, attributes, samples.")
@click.option("--source", "path", help="A delivered file, below the study folder.")
@click.option("--line", type=int, help="The line of that file on which the row begins.")
@click.option(
    "--try",
    "tried",
    is_flag=True,
    help="Make everything that rests on it again without it, in memory, and say what changes.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="COL=VALUE",
    help="Try instead what another text in this column of the line changes.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"Keys of reached rows listed per table (0 unless told; with --json {KEYS_LISTED}); with --try: changed rows "
    f"of every table (of report tables {KEYS_LISTED} unless told).",
)
@json_option
def impact(
    study: Path | None,
    home: Path | None,
    subject: str | None,
    path: str | None,
    line: int | None,
    tried: bool,
    settings: tuple[str, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    """Everything that a delivered row, or a subject, reaches, and what a refresh without it recomputes.

    What is reached can change. With --try it is made again without the row (or, with --set, with another value in it):
    what does change, old and new. Nothing is written.
    """
    from fm_platform.lineage.impact.origin import origin_of_line, origin_of_subject
    from fm_platform.lineage.impact.publications import publications_with
    from fm_platform.lineage.impact.reached import impact as follow
    from fm_platform.warehouse.reader import open_published

    if (subject is None) == (path is None) or (path is None) != (line is None):
        raise InputError("name one thing to follow", mend="give --subject ID, or --source FILE with --line N")
    if settings and path is None:
        raise InputError("--set corrects one delivered line", mend="give --source FILE with --line N")
    values = dict(pair(setting, "--set") for setting in settings)
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
    trial = _try(study, place, origin, found, values, limit) if tried or values else None
    if as_json:
        click.echo(json.dumps(_as_json(found, trial), default=str, indent=1))
    elif trial is not None:
        _print_trial(found, trial, every_table=limit is not None)
    else:
        _print(found)


def _try(
    study: Path | None, home: Home, origin: Origin, found: Impact, values: dict[str, str], limit: int | None
) -> Trial:
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import study_folder
    from fm_platform.catalog.trial.trial import try_out

    return try_out(
        build_catalog(study_folder(study, home.path)),
        home,
        origin,
        values=values,
        reached={table.table for table in found.tables},
        limit=limit if limit is not None else KEYS_LISTED,
        progress=lambda text: click.echo(text, err=True),
    )


def _as_json(found: Impact, trial: Trial | None) -> dict[str, object]:
    said: dict[str, object] = {**asdict(found), "report_numbers": found.report_numbers}
    if trial is not None:
        said["trial"] = {**asdict(trial), "report_numbers": trial.report_numbers}
    return said


def _print_trial(found: Impact, trial: Trial, *, every_table: bool) -> None:
    """What changes: conclusions, the numbers of the report, tables.

    Args:
        found: What links say.
        trial: What making it again said.
        every_table: Whether to list rows of tables beyond those of the report.
    """
    _print_origin(found)
    changes = ", ".join(f"{name}={text}" for name, text in trial.values.items())
    click.echo(
        f"tried {f'with {changes}' if changes else 'without it'}: {len(trial.made)} tables made again in memory, "
        "nothing written"
    )
    click.echo(
        f"{len(trial.tables)} tables and {trial.report_numbers:,} report numbers change "
        f"(reached by links: {len(found.tables)} and {found.report_numbers:,})"
    )
    if trial.tables:
        print_conclusions(trial.conclusions)
        click.echo("\ntables")
    for table in sorted(trial.tables, key=lambda table: not table.table.startswith("report.")):
        _print_tried(table, rows=every_table or table.table.startswith("report."))
    for refused, why in trial.refused.items():
        click.echo(f"cannot be made then: {refused}: {why}")
    if trial.equal:
        click.echo(f"made again and equal: {', '.join(trial.equal)}")
    if trial.left_out:
        click.echo(
            "not tried, they read or write files or remember earlier deliveries: " + ", ".join(trial.left_out)
        )


def _print_tried(table: TriedTable, *, rows: bool) -> None:
    parts = (
        f"{_counted(table.changed, 'row')} changed in {_counted(table.cells, 'cell')}"
        if table.changed
        else "",
        f"{table.removed:,} go" if table.removed else "",
        f"{table.added:,} come" if table.added else "",
    )
    click.echo(f"  {click.style(table.table, bold=True)}: {', '.join(part for part in parts if part)}")
    if not rows:
        return
    for row in table.rows:
        print_row(row)
    rest = table.changed + table.removed + table.added - len(table.rows)
    if rest and table.rows:
        click.echo(f"    and {rest:,} more rows (--limit N)")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _print_origin(found: Impact) -> None:
    if found.publication.get("data_origin") == "synthetic":
        click.echo("SYNTHETIC DATA")
    click.echo(f"{found.asked}: {_counted(len(found.rows), 'delivered row')}")
    for row in found.rows:
        click.echo(f"  {row.path}:{row.line}  sha256 {row.sha256}")
    if found.samples:
        click.echo(f"  samples {', '.join(found.samples)}, with their columns of the count matrix")


def _print(found: Impact) -> None:
    _print_origin(found)
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
        click.echo("  (their keys: --limit N; these can change, --try says what does)")
    click.echo(f"a refresh without it recomputes {len(found.recomputed)}: {', '.join(found.recomputed)}")
    for publication in found.publications:
        click.echo(
            f"publication {publication.number} holds {publication.rows} of its rows ({publication.snapshot})"
        )
