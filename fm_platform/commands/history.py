"""``fm snapshots`` and ``fm lock``: what was published when, and pinning one of them.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from fm_platform.commands.options import FOLDER, home_named, json_option, place_options
from fm_platform.lineage.snapshots import LATEST, Snapshot


@click.command()
@place_options
@click.option(
    "--report", metavar="WHICH", help="Write out the report of this snapshot (number, name, latest)."
)
@click.option("-o", "--out", type=FOLDER, help="The folder for --report.")
@json_option
def snapshots(
    study: Path | None, home: Path | None, report: str | None, out: Path | None, as_json: bool
) -> None:
    """List the published snapshots: number, date, size, head, who made it and why, what it differs by, its locks."""
    from fm_platform.errors import InputError
    from fm_platform.lineage.history import from_state
    from fm_platform.lineage.snapshots import find_snapshot, snapshots_of
    from fm_platform.warehouse.snapshot import write_report

    place = home_named(study, home)
    history = from_state(place.state())
    if report is not None:
        if out is None:
            raise InputError("--report needs a folder", mend="add -o FOLDER")
        for path in write_report(place.path / find_snapshot(report, history, place).file, out):
            click.echo(path)
        return
    known = snapshots_of(history)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(snapshot) for snapshot in known], indent=1))
        return
    if not known:
        click.echo("nothing is published here yet")
    for snapshot in known:
        _print_snapshot(snapshot)


def _print_snapshot(snapshot: Snapshot) -> None:
    size = f"{snapshot.bytes / 1e6:.1f} MB" if snapshot.kept else "not kept"
    click.echo(
        f"{snapshot.number:>6}  {snapshot.at[:19].replace('T', ' ')}  {snapshot.tables:>3} tables  {size:>9}  "
        f"head {snapshot.head}  by {snapshot.said_by}"
    )
    if snapshot.differs_by:
        click.echo(f"        {snapshot.differs_by}")
    for lock in snapshot.locks:
        click.echo(f"        locked as {lock.name} on {lock.at[:10]} by {lock.actor}: {lock.reason}")


@click.command()
@click.argument("name")
@place_options
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.option(
    "--snapshot", "which", default=LATEST, metavar="WHICH", help="Number or name (default: latest)."
)
@json_option
def lock(name: str, study: Path | None, home: Path | None, reason: str, which: str, as_json: bool) -> None:
    """Pin a published snapshot under NAME, with its sources and its report; it is never pruned."""
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.locking import lock_snapshot
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    body = lock_snapshot(catalog, home_of(catalog.study, home), name, which, reason)
    if as_json:
        click.echo(json.dumps(body, indent=1))
        return
    click.echo(
        f"snapshot {body['number']} is locked as {name}: {len(body['sources'])} sources, "
        f"{len(body['report'])} report files, sha256 {body['sha256']}"
    )
