"""``fm diff``: what changed between two snapshots, and why.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fm_platform.commands.options import home_named, json_option, place_options
from fm_platform.lineage.diff.model import Conclusion, Diff, Row, Table
from fm_platform.lineage.snapshots import LATEST, Snapshot

_ROWS = 5
_CELLS = 6


@click.command()
@click.argument("old")
@click.argument("new", default=LATEST)
@place_options
@click.option("--table", metavar="SCHEMA.TABLE", help="List the rows of this table alone.")
@click.option(
    "--limit", type=click.IntRange(0), help=f"Rows listed of each table (default {_ROWS}; JSON: all)."
)
@json_option
def diff(
    old: str,
    new: str,
    study: Path | None,
    home: Path | None,
    table: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Changed rows and cells between two snapshots, with every reason. OLD and NEW: number, lock's name or latest."""
    from fm_platform.lineage.diff.comparison import diff as compare
    from fm_platform.lineage.history import from_state
    from fm_platform.lineage.snapshots import find_snapshot

    place = home_named(study, home)
    history = from_state(place.state())
    a, b = (find_snapshot(name, history, place) for name in (old, new))
    shown = limit if limit is not None or as_json else None if table else _ROWS
    found = compare(place, a, b, limit=shown, only=table)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), default=str, indent=1))
    else:
        _print_diff(found, every_table=table is not None or limit is not None)


def _print_diff(found: Diff, *, every_table: bool) -> None:
    """A comparison for the terminal: conclusions, reasons, tables.

    Args:
        found: The comparison.
        every_table: Whether to list rows of tables beyond what the report prints.
    """
    if found.synthetic:
        click.echo("SYNTHETIC DATA")
    click.echo(f"{_called(found.a)} -> {_called(found.b)}")
    for snapshot in (found.a, found.b):
        if snapshot.differs_by:
            click.echo(f"  publication {snapshot.number} by {snapshot.said_by}; {snapshot.differs_by}")
    if not found.tables:
        click.echo("no value differs")
        return
    print_conclusions(found.conclusions)
    click.echo("\nreasons")
    for reason in found.reasons:
        click.echo(f"  [{reason.id}] {reason.text}")
    click.echo("\ntables")
    for table in sorted(found.tables, key=_place):
        _print_table(table, rows=every_table or _printed(table))
    if not every_table and any(not _printed(table) and table.rows for table in found.tables):
        click.echo("  (rows of a table: --table SCHEMA.TABLE; of all of them: --limit N)")


def print_conclusions(conclusions: Sequence[Conclusion]) -> None:
    """What one would say otherwise, a line each."""
    click.echo("\nconclusions that moved" if conclusions else "\nno conclusion moved")
    for entry in conclusions:
        also = f" (also in {', '.join(entry.also_in)})" if entry.also_in else ""
        click.echo(
            f"  {entry.table} {_key(entry.key)}: {entry.column} {_value(entry.old)} -> {_value(entry.new)}, "
            f"{entry.text}{_marks(entry.reasons)}{also}"
        )


_QUERIES = "report.data_queries"
_ORDER = ("report", "stats", "expression", "marts", "privacy", "staging", "quarantine", "study", "raw")


def _place(table: Table) -> tuple[int, str]:
    schema = table.table.split(".")[0]
    return (_ORDER.index(schema) if schema in _ORDER else len(_ORDER), table.table)


def _printed(table: Table) -> bool:
    """Whether the report prints the table's rows."""
    return table.table.startswith("report.") and table.table != _QUERIES


def _print_table(table: Table, *, rows: bool) -> None:
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(table.counts.items()))
    click.echo(f"  {click.style(table.table, bold=True)}: {counts}{_marks(table.reasons)}")
    for side, names in table.columns.items():
        click.echo(f"    columns only in the {'old' if side == 'a' else 'new'}: {', '.join(names)}")
    if not rows:
        return
    for row in table.rows:
        print_row(row)
    rest = sum(table.counts.values()) - len(table.rows)
    if table.rows and rest > 0:
        click.echo(f"    and {rest:,} more rows (--table {table.table})")


def print_row(row: Row) -> None:
    """A changed row: its key and the first of its values, old and new."""
    if row.status != "changed":
        click.echo(f"    {_key(row.key)}: {row.status}{_marks(row.reasons)}")
        return
    shown = "; ".join(f"{c.column} {_value(c.old)} -> {_value(c.new)}" for c in row.cells[:_CELLS])
    more = f"; {len(row.cells) - _CELLS} more" if len(row.cells) > _CELLS else ""
    click.echo(f"    {_key(row.key)}: {shown}{more}{_marks(row.reasons)}")


def _called(snapshot: Snapshot) -> str:
    names = "".join(f" ({lock.name})" for lock in snapshot.locks)
    return f"publication {snapshot.number}{names} of {snapshot.at[:19].replace('T', ' ')}"


def _key(key: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={'(all)' if value is None else value}" for name, value in key.items())


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _marks(reasons: tuple[int, ...]) -> str:
    listed = ",".join(str(number) for number in reasons[:8]) + (",..." if len(reasons) > 8 else "")
    return f" [{listed}]" if reasons else ""
