"""``fm refresh`` and ``fm status``.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.options import json_option, place_options
from fm_platform.errors import InputError

if TYPE_CHECKING:
    from fm_platform.lineage.plan import Plan


@click.command()
@place_options
@click.option("--select", "selection", help="Only these assets: names, schema.*, +upstream, downstream+.")
@click.option("--force", is_flag=True, help="Recompute fresh assets, too.")
@click.option("--reason", help="Why, for the ledger.")
@json_option
def refresh(
    study: Path | None,
    home: Path | None,
    selection: str | None,
    force: bool,
    reason: str | None,
    as_json: bool,
) -> int:
    """Materialize what is stale, then publish."""
    from fm_platform.defs.refresh import refresh_study
    from fm_platform.terminal import Progress, print_summary, summary_as_json

    summary = refresh_study(study, home, selection, force=force, reason=reason, watcher=Progress())
    if as_json:
        click.echo(summary_as_json(summary))
    else:
        print_summary(summary)
    return summary.exit_code


@click.command()
@place_options
@json_option
def status(study: Path | None, home: Path | None, as_json: bool) -> int:
    """Each asset: fresh, stale or blocked, and why."""
    from fm_platform.catalog.declared_names import published_contrasts, wrong_names
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.outlook import outlook
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    place = home_of(catalog.study, home)
    view = outlook(catalog, place)
    wrong = wrong_names(catalog, view.stale, lambda: published_contrasts(place))
    if view.moved:
        click.echo(view.moved, err=True)
    _print_plan(view.plan, as_json)
    for found in wrong:
        click.echo(click.style(f"wrong  {found.error}", fg="red"), err=True)
    return InputError.exit_code if wrong else 0


def _print_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        rows = [{"asset": e.table, "state": e.state, "reason": e.reason} for e in plan.entries]
        click.echo(json.dumps(rows, indent=1))
        return
    colours = {"fresh": "green", "stale": "yellow", "blocked": "red"}
    width = max(len(entry.table) for entry in plan.entries)
    for entry in plan.entries:
        state = click.style(f"{entry.state:<8}", fg=colours[entry.state])
        click.echo(f"{entry.table:<{width}}  {state} {entry.reason}")
    counts = {state: sum(e.state == state for e in plan.entries) for state in colours}
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
