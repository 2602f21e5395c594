"""``fm audit``: is what the platform says of itself true?

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.options import json_option, place_options

if TYPE_CHECKING:
    from fm_platform.catalog.lineage_audit.audit import LineageAudit
    from fm_platform.catalog.lineage_audit.columns import Undeclared, Unseen

EXAMPLE_WIDTH = 160


@click.group()
def audit() -> None:
    """Hold what is declared against what happens."""


@audit.command("lineage")
@place_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Change N input columns, drawn from all assets'.",
)
@click.option("--seed", default=1, show_default=True, help="Draws columns, rows and genes.")
@click.option("--table", "tables", metavar="SELECTION", help="Only these assets: stats.*, report.responders.")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Single rows changed, of each input column.",
)
@click.option(
    "--genes",
    type=click.IntRange(min=20),
    default=150,
    show_default=True,
    help="Genes drawn where the inputs of an asset hold more.",
)
@json_option
def audit_lineage(
    study: Path | None,
    home: Path | None,
    sample: int | None,
    seed: int,
    tables: str | None,
    rows: int,
    genes: int,
    as_json: bool,
) -> int:
    """Change every input column of every asset, make it again, and compare the effect with the declared lineage.

    The published tables are copied into memory; nothing is written. Exit 1: an effect without a declared path.
    """
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.lineage_audit import audit as auditing
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.lineage.graph import select

    catalog = build_catalog(study_folder(study, home))
    found = auditing.audit_lineage(
        catalog,
        home_of(catalog.study, home),
        auditing.Effort(sample=sample, rows=rows, genes=genes, seed=seed),
        tables=None if tables is None else select(tables, catalog.assets),
        progress=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(found), "complete": found.complete}, indent=1))
    else:
        _print(found)
    return 1 if found.undeclared else 0


def _print(found: LineageAudit) -> None:
    trials = sum(table.trials for table in found.tables)
    refused = sum(table.refused for table in found.tables)
    changed, of = (sum(getattr(table, name) for table in found.tables) for name in ("columns", "of"))
    for table in found.tables:
        if table.cut_to is not None:
            click.echo(f"{table.table} was made from {table.cut_to} genes drawn")
        if table.unsteady:
            click.echo(f"{table.table}: not the same when made twice, left out: {', '.join(table.unsteady)}")
    if found.unseen:
        click.echo("declared, and without an effect in these trials (a note; the data may not show it):")
        for line in _unseen(found.unseen):
            click.echo(line)
    if found.not_audited:
        click.echo(f"not audited, reads or writes files: {', '.join(found.not_audited)}")
    for line in _undeclared(found.undeclared):
        click.echo(line)
    click.echo(
        f"{changed:,} of {of:,} input columns of {len(found.tables)} assets, {trials:,} trials ({refused:,} refused "
        f"the change) in {found.seconds:.0f} s, seed {found.seed}: {len(found.undeclared)} undeclared effects, "
        f"{len(found.unseen)} declared paths without one"
    )
    if not found.complete:
        click.echo("a sample: what was not changed is not audited")


def _undeclared(undeclared: Sequence[Undeclared]) -> Iterator[str]:
    """An input column with the output columns that depend on it, and one of the rows that show it."""
    groups: dict[tuple[str, str, str], list[Undeclared]] = defaultdict(list)
    for entry in undeclared:
        groups[entry.table, entry.input_table, entry.input_column].append(entry)
    for (table, source, column), entries in sorted(groups.items()):
        yield click.style(f"undeclared  {table} depends on {source}.{column}: ", fg="red") + ", ".join(
            entry.column for entry in entries
        )
        shown = next((entry for entry in entries if entry.example), entries[0])
        yield f"            {shown.how}" + (
            f"; {shown.column} at {_short(shown.example)}" if shown.example else ""
        )


def _unseen(unseen: Sequence[Unseen]) -> Iterator[str]:
    """An input column with the output columns that it had no effect on."""
    groups: dict[tuple[str, str, str, int], list[str]] = defaultdict(list)
    for entry in unseen:
        groups[entry.table, entry.input_table, entry.input_column, entry.trials].append(entry.column)
    for (table, source, column, trials), names in sorted(groups.items()):
        yield f"  {table} from {source}.{column} ({trials} trials): {', '.join(names)}"


def _short(text: str) -> str:
    return text if len(text) <= EXAMPLE_WIDTH else f"{text[:EXAMPLE_WIDTH]} ..."
