"""``fm lineage``: the lineage graph of one past materialization.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fm_platform.commands.options import home_named, json_option, place_options

if TYPE_CHECKING:
    from fm_platform.lineage.materialization import MadeTable, MaterializationGraph

_DIGITS = 12


@click.command()
@place_options
@click.option(
    "--materialization",
    "which",
    required=True,
    metavar="ID",
    help="Ledger number, or SCHEMA.TABLE: its newest.",
)
@json_option
def lineage(study: Path | None, home: Path | None, which: str, as_json: bool) -> None:
    """What a materialization was made from, back to the delivered files, by the ledger alone."""
    from fm_platform.lineage.materialization import materialization_graph

    graph = materialization_graph(home_named(study, home), which)
    if as_json:
        nodes = [dataclasses.asdict(node) for node in graph.nodes.values()]
        click.echo(json.dumps({"root": graph.root, "materializations": nodes}, indent=1))
        return
    root = graph.nodes[graph.root]
    click.echo(f"{root.table}: ledger record {root.seq}, hash {root.hash}")
    click.echo(f"  {root.rows:,} rows, value digest {root.value_digest}")
    _print_node(graph, root, "", set())


def _print_node(graph: MaterializationGraph, node: MadeTable, indent: str, shown: set[int]) -> None:
    again = " (above)" if node.seq in shown and (node.inputs or node.files) else ""
    click.echo(
        f"{indent}{click.style(node.table, bold=True)} @{node.seq}  {node.at[:19].replace('T', ' ')}  "
        f"run {node.run_id[:8]}  by {node.actor}  code {node.code[:_DIGITS]}"
        + (f"  study.yaml {node.study_sha256[:_DIGITS]} @{node.study_seq}" if node.study_sha256 else "")
        + again
    )
    if again:
        return
    shown.add(node.seq)
    for file in node.files:
        click.echo(f"{indent}  {file['path']}  sha256 {file['sha256']}")
    for table in node.missing:
        click.echo(f"{indent}  {table}: did not exist then")
    for seq in sorted(node.inputs.values()):
        _print_node(graph, graph.nodes[seq], indent + "  ", shown)
