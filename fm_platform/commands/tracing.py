"""``fm verify``: has anything been altered?

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

from pathlib import Path

import click

from fm_platform.commands.options import home_named, json_option, place_options


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
