"""The asset graph as the planner sees it: tables, inputs, and what else decides whether a table is current.

Belongs here: the node type, ordering and selection. Does not belong here: how a table is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

from fm_platform.errors import InputError

Half = Literal["clinical", "expression", "both"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One table or file asset.

    Attributes:
        table: ``schema.table``; file assets use the schemas ``files`` and ``publish``.
        inputs: Tables it reads.
        study_keys: Keys of study.yaml that it depends on: ``contrasts``, or ``contrasts.fm`` for one of them.
        code_version: Digest of the code and libraries that make it.
        source_files: Delivered files it reads.
        half: The half of the study that it belongs to.
        tolerates_blocked: Whether it is made from what there is when one half is blocked.
        decided: The sources whose accepted losses it takes into account.
        shows_origin: Whether it shows where rows came from, so that a moved row matters even if no value changed.
        shows_records: Tables of which it shows when and with what they were made, so that making one again matters even
            if no value changed.
    """

    table: str
    inputs: tuple[str, ...] = ()
    study_keys: tuple[str, ...] = ()
    code_version: str = ""
    source_files: tuple[Path, ...] = ()
    half: Half = "both"
    tolerates_blocked: bool = False
    decided: tuple[str, ...] = ()
    shows_origin: bool = False
    shows_records: tuple[str, ...] = ()


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """Upstream first; ties in name order."""
    by_name = {node.table: node for node in nodes}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name in sorted(by_name):
        sorter.add(name, *(table for table in by_name[name].inputs if table in by_name))
    sorter.prepare()
    ordered: list[Node] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered.extend(by_name[name] for name in ready)
        sorter.done(*ready)
    return ordered


def upstream_of(table: str, nodes: Mapping[str, Node]) -> set[str]:
    """All ancestors."""
    seen: set[str] = set()
    pending = list(nodes[table].inputs)
    while pending:
        current = pending.pop()
        if current not in seen and current in nodes:
            seen.add(current)
            pending.extend(nodes[current].inputs)
    return seen


def downstream_of(table: str, nodes: Mapping[str, Node]) -> set[str]:
    """All descendants."""
    return {name for name in nodes if name != table and table in upstream_of(name, nodes)}


def select(expression: str, nodes: Mapping[str, Node]) -> set[str]:
    """The tables that a selection names.

    Args:
        expression: Names joined by commas or blanks: ``marts.participants``, ``schema.*``, with ``+`` before
            for everything upstream and after for everything downstream, as in Dagster.
        nodes: The graph.

    Raises:
        InputError: A name matches nothing.
    """
    chosen: set[str] = set()
    if not expression.strip(", "):
        raise InputError("--select names nothing", mend="name assets, e.g. --select +report.responders")
    for part in expression.replace(",", " ").split():
        up, down = part.startswith("+"), part.endswith("+")
        name = part.strip("+").replace("/", ".")
        matches = {table for table in nodes if table == name or _wildcard(name, table)}
        if not matches:
            near = get_close_matches(name, sorted(nodes), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(nodes))}"
            raise InputError(f"--select: no asset {name!r}", mend=hint)
        for match in matches:
            chosen.add(match)
            chosen |= upstream_of(match, nodes) if up else set()
            chosen |= downstream_of(match, nodes) if down else set()
    return chosen


def _wildcard(pattern: str, table: str) -> bool:
    return pattern == "*" or (pattern.endswith(".*") and table.startswith(pattern[:-1]))
