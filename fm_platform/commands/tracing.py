"""``fm explain`` and ``fm verify``: what a steward asks.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

from pathlib import Path

import click

from fm_platform.commands.options import home_named, json_option, pair, place_options


@click.command()
@click.argument("table")
@place_options
@click.option(
    "--where", "conditions", multiple=True, metavar="COL=VALUE", help="Picks the row; COL= means null."
)
@click.option("--column", help="The cell's column.")
@json_option
def explain(
    table: str,
    study: Path | None,
    home: Path | None,
    conditions: tuple[str, ...],
    column: str | None,
    as_json: bool,
) -> None:
    """Where a number comes from: value, method, delivered rows with file, line and hash, checks, code, run."""
    from fm_platform.lineage.explain import explain as explain_cell
    from fm_platform.terminal import explanation_as_json, print_explanation
    from fm_platform.warehouse.reader import open_published

    where = [pair(condition, "--where") for condition in conditions]
    with open_published(home_named(study, home)) as published:
        explanation = explain_cell(published, table, where, column)
    if as_json:
        click.echo(explanation_as_json(explanation))
    else:
        print_explanation(explanation)


@click.command()
@place_options
@click.option("--head", help="A ledger head noted earlier (every report prints one).")
@json_option
def verify(study: Path | None, home: Path | None, head: str | None, as_json: bool) -> int:
    """Compare everything kept in the home with the ledger."""
    from fm_platform.lineage.verify import verify as verify_home
    from fm_platform.terminal import print_verification, verification_as_json

    found = verify_home(home_named(study, home), head)
    if as_json:
        click.echo(verification_as_json(found))
    else:
        print_verification(found)
    return 0 if found.consistent else 1
