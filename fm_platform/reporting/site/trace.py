"""What a drawing shows: the path of a column to its sources, a table between its neighbours, the whole graph.

Belongs here: choosing boxes and edges from an inventory. Does not belong here: placing or drawing them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import chain

from fm_platform.lineage.exchange.inventory import ColumnFacts, Inventory, TableFacts
from fm_platform.reporting.site.layout import Box, Edge, Line, Picture, arrange, reduced
from fm_platform.reporting.site.names import Links
from fm_platform.reporting.site.pairs import together
from fm_platform.reporting.site.stacking import stack
from fm_platform.warehouse.records import ColumnInput

MOST_LINES = 8
"""A box that takes part with more columns shows this many, and says how many more."""
INPUT_LINES = 70
"""A table's drawing shows about this many columns of its inputs, so that it can be seen at one time."""

OVERVIEW_BOXES, OVERVIEW_BOX_WIDTH = 5, 198
"""Boxes side by side in the overview, and their width in pixels: together what a page of 1280 pixels holds."""

Column = tuple[str, str]


def upstream(inventory: Inventory, table: str, column: str) -> dict[Column, list[ColumnInput]]:
    """Every column that a column's values come from, over any number of tables, with its own DIRECT inputs."""
    found: dict[Column, list[ColumnInput]] = {}
    pending = deque([(table, column)])
    while pending:
        current = pending.popleft()
        if current in found:
            continue
        facts = _facts(inventory, *current)
        found[current] = facts.of_kind("DIRECT") if facts else []
        pending.extend((entry.table, entry.column) for entry in found[current])
    return found


def downstream(readers: Mapping[Column, list[ColumnInput]], table: str, column: str) -> set[Column]:
    """Every column whose values come from a column, over any number of tables, itself left out."""
    found: set[Column] = set()
    pending = [(table, column)]
    while pending:
        for entry in readers.get(pending.pop(), []):
            reached = (entry.table, entry.column)
            if entry.kind == "DIRECT" and reached not in found:
                found.add(reached)
                pending.append(reached)
    return found


def column_picture(
    inventory: Inventory, table: str, column: str, path: Mapping[Column, list[ColumnInput]], links: Links
) -> Picture:
    """The path of one column to the files it comes from, with what decides over its rows in broken lines.

    Args:
        inventory: The study.
        table: The column's table.
        column: The column.
        path: What :func:`upstream` found for it.
        links: Where boxes and lines lead.
    """
    facts = _facts(inventory, table, column)
    deciding = facts.of_kind("INDIRECT") if facts else []
    columns = _by_table([*path, *((entry.table, entry.column) for entry in deciding)])
    boxes = {
        name: _box(name, names, links, marked=(column,) if name == table else ())
        for name, names in columns.items()
    }
    reading = ((entry, target) for target, inputs in path.items() for entry in inputs)
    edges = _edges(columns, chain(reading, ((entry, (table, column)) for entry in deciding)))
    files, from_files = _file_boxes(inventory, columns, links)
    return arrange([*boxes.values(), *files], [*edges, *from_files])


def table_picture(
    table: TableFacts, links: Links, readers: Iterable[str] = (), *, lines: int = 40
) -> Picture:
    """A table between the tables it is made from and those that read it.

    Args:
        table: The table.
        links: Where boxes and lines lead.
        readers: Tables that read it.
        lines: How many of its columns are shown at most, and of those of an input; of many inputs, fewer each.
    """
    used: dict[str, list[str]] = {name: [] for name in table.inputs}
    for column in table.own_columns:
        for entry in column.inputs:
            used.setdefault(entry.table, []).append(entry.column)
    columns = {name: list(dict.fromkeys(names)) for name, names in used.items()}
    own = [column.name for column in table.own_columns]
    columns[table.table] = own
    many = sum(len(names) for names in used.values()) > INPUT_LINES
    most = dict.fromkeys(columns, max(3, INPUT_LINES // len(used)) if many else lines) | {table.table: lines}
    boxes = [
        _box(name, names, links, most=most[name]) for name, names in columns.items() if name != table.table
    ]
    boxes.append(_box(table.table, own, links, most=lines, whole=True))
    reading = ((entry, (table.table, column.name)) for column in table.own_columns for entry in column.inputs)
    edges = _edges(columns, reading, most, deciding_to_title=True)
    linked = {edge.source for edge in edges}
    edges += [Edge(name, table.table) for name in table.inputs if name not in linked]
    for entry_file in table.delivered:
        boxes.append(Box(entry_file.path, entry_file.path, "file", links.source(entry_file.path)))
        edges.append(Edge(entry_file.path, table.table))
    for name in sorted(readers):
        boxes.append(Box(name, name, _kind(name), links.table(name)))
        edges.append(Edge(table.table, name))
    return arrange(boxes, edges)


def overview_picture(inventory: Inventory, links: Links) -> Picture:
    """All tables from top to bottom, no wider than a page; an edge that a longer path also tells is left out."""
    inputs = {
        table.table: [name for name in table.inputs if name in inventory.tables]
        for table in inventory.tables.values()
    }
    boxes = [
        Box(
            name,
            _kind(name),
            _kind(name),
            links.table(name),
            (Line(name.split(".", 1)[-1], links.table(name)),),
            marked=any(not c.passed for c in table.checks),
        )
        for name, table in inventory.tables.items()
    ]
    edges = [Edge(parent, name) for name, parents in reduced(inputs).items() for parent in parents]
    files = {entry.path for table in inventory.tables.values() for entry in table.delivered}
    boxes += [_file_in_overview(path, links) for path in sorted(files)]
    edges += [
        Edge(entry.path, table.table) for table in inventory.tables.values() for entry in table.delivered
    ]
    return stack(boxes, edges, OVERVIEW_BOXES, OVERVIEW_BOX_WIDTH)


def _file_in_overview(path: str, links: Links) -> Box:
    folder, _, name = path.rpartition("/")
    return Box(
        path,
        f"{folder}/" if folder else "file",
        "file",
        links.source(path),
        (Line(name, links.source(path)),),
    )


def _facts(inventory: Inventory, table: str, column: str) -> ColumnFacts | None:
    found = inventory.tables.get(table)
    return found.column(column) if found else None


def _by_table(columns: Iterable[Column]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in dict.fromkeys(columns):
        found.setdefault(table, []).append(column)
    return found


def _box(
    table: str,
    columns: list[str],
    links: Links,
    *,
    marked: tuple[str, ...] = (),
    most: int = MOST_LINES,
    whole: bool = False,
) -> Box:
    groups = together(columns)
    shown = groups if len(groups) <= most else groups[: most - 1]
    lines = [
        Line(" / ".join(names), links.column(table, names[0]), any(name in marked for name in names))
        for names in shown
    ]
    if len(shown) < len(groups):
        left = sum(len(names) for names in groups[len(shown) :])
        lines.append(Line(f"and {left} more columns", links.table(table)))
    return Box(table, table, _kind(table), links.table(table), tuple(lines), marked=bool(marked) or whole)


def _edges(
    columns: Mapping[str, list[str]],
    reading: Iterable[tuple[ColumnInput, Column]],
    most: Mapping[str, int] | None = None,
    *,
    deciding_to_title: bool = False,
) -> list[Edge]:
    """One edge between two lines, whatever the number of columns behind them.

    Args:
        columns: The columns of each box, in the order of its lines.
        reading: Inputs, each with the (table, column) that reads it.
        most: How many lines each box has at most, if not the usual number.
        deciding_to_title: Lead INDIRECT inputs to the title of the reading box.
    """
    limits = most or dict.fromkeys(columns, MOST_LINES)
    places = {
        table: {
            name: place if len(groups) <= limits[table] else min(place, limits[table] - 1)
            for place, names in enumerate(groups)
            for name in names
        }
        for table, groups in ((table, together(names)) for table, names in columns.items())
    }
    found: dict[tuple[str, int, str, int | None, bool], Edge] = {}
    for entry, (table, column) in reading:
        is_direct = entry.kind == "DIRECT"
        source = places[entry.table][entry.column]
        target = None if deciding_to_title and not is_direct else places[table][column]
        key = (entry.table, source, table, target, is_direct)
        if key not in found:
            title = f"{entry.table}.{entry.column} to {table if target is None else column}: {_how(entry)}"
            found[key] = Edge(entry.table, table, source, target, is_direct, title)
    return list(found.values())


def _how(entry: ColumnInput) -> str:
    return f"{entry.kind} {entry.transformation.lower().replace('_', ' ')}"


def _file_boxes(
    inventory: Inventory, columns: Mapping[str, list[str]], links: Links
) -> tuple[list[Box], list[Edge]]:
    edges = [
        Edge(entry.path, name)
        for name in columns
        if name in inventory.tables
        for entry in inventory.tables[name].delivered
    ]
    paths = sorted({edge.source for edge in edges})
    return [Box(path, path, "file", links.source(path)) for path in paths], edges


def _kind(table: str) -> str:
    return table.split(".", 1)[0]
