"""``fm reproduce``: a publication made again from what is kept, and compared.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.options import FILE, FOLDER, home_named, json_option, place_options, reason_option
from fm_platform.lineage.snapshots import LATEST

if TYPE_CHECKING:
    from fm_platform.catalog.reproduction import Reproduction
    from fm_platform.lineage.recipe import Outcome

_DIGITS = 12
_LISTED = 6


@click.command()
@click.argument("which", default=LATEST)
@place_options
@click.option("--in", "folder", type=FOLDER, help="A new folder to make it in, which stays; else it goes.")
@click.option("--code", type=click.Path(path_type=Path), help="A checkout or wheel to make it with.")
@click.option("--python", type=FILE, help="The interpreter to make it with, and its libraries.")
@reason_option
@json_option
def reproduce(
    which: str,
    study: Path | None,
    home: Path | None,
    folder: Path | None,
    code: Path | None,
    python: Path | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Make a publication (WHICH: number, lock's name or latest) again from ledger and store; compare every table.

    Exit code 0: every table is equal; 1: one differs, and why is said; 2: wrong input.
    """
    from fm_platform.catalog.reproduction import OtherCode, reproduce
    from fm_platform.errors import InputError

    for option, path in (("--code", code), ("--python", python)):
        if path is not None and not path.exists():
            raise InputError(f"{option} {path} does not exist", mend="name one that does")
    other = OtherCode(code, python) if code is not None or python is not None else None
    place = home_named(study, home)
    found = reproduce(
        place,
        which,
        folder,
        other=other,
        reason=reason,
        progress=lambda text: click.echo(f"  {text}", err=True),
    )
    if as_json:
        click.echo(
            json.dumps({**found.certificate, "file": str(found.file), "sha256": found.sha256}, indent=1)
        )
    else:
        _print(found)
    return 0 if found.first is None else 1


def _print(found: Reproduction) -> None:
    snapshot = found.recipe.snapshot
    click.echo(f"publication {snapshot.number} of {snapshot.at[:19].replace('T', ' ')} by {snapshot.said_by}")
    _print_causes_without_effect(found.outcomes)
    width = max(len(outcome.table) for outcome in found.outcomes)
    for outcome in found.outcomes:
        rebuilt = outcome.rebuilt[:_DIGITS] if outcome.rebuilt else "(none)"
        word = click.style("equal  ", fg="green") if outcome.equal else click.style("differs", fg="red")
        click.echo(f"  {word}  {outcome.table:<{width}}  {outcome.published[:_DIGITS]}  {rebuilt:<{_DIGITS}}")
        if not outcome.equal:
            for cause in outcome.causes:
                click.echo(f"             {cause}")
    equal = sum(outcome.equal for outcome in found.outcomes)
    click.echo(f"{equal} of {len(found.outcomes)} tables are equal")
    if found.first is not None:
        click.echo(f"the first that differs is {found.first.table}: {'; '.join(found.first.causes)}")
    click.echo(f"certificate {found.file}  sha256 {found.sha256}  ledger record {found.record.seq}")


def _print_causes_without_effect(outcomes: Sequence[Outcome]) -> None:
    """What was different for tables that came out equal."""
    counted = Counter(cause for outcome in outcomes if outcome.equal for cause in outcome.causes)
    for cause, count in counted.most_common(_LISTED):
        click.echo(f"  without effect on {count} table{'s' * (count != 1)}: {cause}")
    if len(counted) > _LISTED:
        click.echo(f"  and {len(counted) - _LISTED} more such differences, in the certificate")
