"""``fm query``: SQL on the published warehouse.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

from pathlib import Path

import click

from fm_platform.commands.options import home_named, json_option, place_options


@click.command()
@click.argument("sql")
@place_options
@json_option
def query(sql: str, study: Path | None, home: Path | None, as_json: bool) -> None:
    """Run read-only SQL on the published warehouse."""
    from fm_platform.terminal import print_frame, rows_as_json
    from fm_platform.warehouse.reader import open_published

    with open_published(home_named(study, home)) as published:
        frame = published.query(sql)
    if as_json:
        click.echo(rows_as_json(frame))
    else:
        print_frame(frame)
