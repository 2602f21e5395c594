"""Where the boxes of a drawing stand: layers from left to right, few crossings within a layer.

Belongs here: positions. Does not belong here: layers from top to bottom (``stacking``), what a box means
(``trace``) or SVG (``drawing``).

The method is Sugiyama's in its simplest form: longest-path layers, then sweeps that order each layer by the mean
position of its neighbours (Sugiyama, Tagawa, Toda 1981, doi:10.1109/TSMC.1981.4308636). Same input, same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

ROW = 18
HEAD = 26
PAD = 6
WIDEST, NARROWEST = 296, 96
CHARACTER, BOLD_CHARACTER = 7, 8
GAP_X = 64
GAP_Y = 14
SWEEPS = 6


@dataclass(frozen=True)
class Line:
    """One line of a box: its text, where it leads, and whether it is what the drawing is about."""

    text: str
    href: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Box:
    """A table or file with some of its columns.

    Attributes:
        kind: Its style: the schema's name, or ``file``.
    """

    id: str
    title: str
    kind: str
    href: str = ""
    lines: tuple[Line, ...] = ()
    marked: bool = False

    @property
    def height(self) -> int:
        """In pixels."""
        return HEAD + (len(self.lines) * ROW + PAD if self.lines else 0)


@dataclass(frozen=True)
class Edge:
    """From a box, or one of its lines, to a box or line."""

    source: str
    target: str
    source_line: int | None = None
    target_line: int | None = None
    direct: bool = True
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """Boxes with their upper left corners, edges, the width of a box and the size of the whole, in pixels.

    Attributes:
        ways: Where edges lead from top to bottom, by source and target: the lanes an edge passes, each as its x, where
            it enters and where it leaves. Empty where they lead from left to right.
    """

    boxes: Mapping[str, Box]
    edges: Sequence[Edge]
    corners: Mapping[str, tuple[int, int]]
    box_width: int
    width: int
    height: int
    ways: Mapping[tuple[str, str], Sequence[tuple[int, int, int]]] = field(default_factory=dict)


def arrange(boxes: Sequence[Box], edges: Sequence[Edge]) -> Picture:
    """Place boxes so that every edge leads to the right.

    Args:
        boxes: At least one; ids are unique.
        edges: Between them, without cycles between boxes.
    """
    before, after = neighbours_of(boxes, edges)
    by_id = {box.id: box for box in boxes}
    layers = in_order_of_neighbours(_layers(before, after), before, after)
    heights = [sum(by_id[i].height for i in layer) + GAP_Y * (len(layer) - 1) for layer in layers]
    tallest = max(heights)
    needed = [BOLD_CHARACTER * len(box.title) for box in boxes]
    needed += [CHARACTER * len(line.text) for box in boxes for line in box.lines]
    width = min(WIDEST, max(NARROWEST, 18 + max(needed)))
    corners = {}
    for number, (layer, height) in enumerate(zip(layers, heights, strict=True)):
        y = (tallest - height) // 2
        for name in layer:
            corners[name] = (number * (width + GAP_X), y)
            y += by_id[name].height + GAP_Y
    return Picture(by_id, edges, corners, width, len(layers) * (width + GAP_X) - GAP_X, tallest)


def reduced(inputs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """A graph without the edges that a longer path also tells (its transitive reduction).

    Args:
        inputs: Node to its direct predecessors; no cycles.
    """
    above: dict[str, set[str]] = {}
    kept = {}
    for node in TopologicalSorter(
        {n: [i for i in names if i in inputs] for n, names in inputs.items()}
    ).static_order():
        parents = [name for name in inputs[node] if name in inputs]
        through = set().union(*(above[parent] for parent in parents)) if parents else set()
        kept[node] = [parent for parent in parents if parent not in through]
        above[node] = through | set(parents)
    return kept


def neighbours_of(
    boxes: Sequence[Box], edges: Sequence[Edge]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The boxes that lead to each box, and those it leads to."""
    before: dict[str, set[str]] = {box.id: set() for box in boxes}
    after: dict[str, set[str]] = {box.id: set() for box in boxes}
    for edge in edges:
        before[edge.target].add(edge.source)
        after[edge.source].add(edge.target)
    return before, after


def _layers(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[list[str]]:
    """Each box right of all its inputs; what has no inputs stands just left of its first reader."""
    level: dict[str, int] = {}
    for name in TopologicalSorter({n: sorted(b) for n, b in before.items()}).static_order():
        level[name] = max((level[parent] + 1 for parent in before[name]), default=0)
    for name in level:
        if not before[name] and after[name]:
            level[name] = min(level[reader] for reader in after[name]) - 1
    layers: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for name in before:
        layers[level[name]].append(name)
    return [layer for layer in layers if layer]


def in_order_of_neighbours(
    layers: list[list[str]],
    before: Mapping[str, set[str]],
    after: Mapping[str, set[str]],
    sizes: Mapping[str, float] | None = None,
) -> list[list[str]]:
    """Order each layer by the mean relative place of its neighbours, sweeping to and fro."""
    widths = sizes or {}
    for sweep in range(SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        place = _places(layers, widths)
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            weights = {
                name: sum(place[n] for n in neighbours[name]) / len(neighbours[name])
                if neighbours[name]
                else place[name]
                for name in layer
            }
            layer.sort(key=lambda name: (weights[name], name))
            place |= _places([layer], widths)
    return layers


def _places(layers: Sequence[Sequence[str]], sizes: Mapping[str, float]) -> dict[str, float]:
    """The middle of each name in its layer, from 0 to 1; all count alike but for those with a size."""
    found = {}
    for layer in layers:
        whole, passed = sum(sizes.get(name, 1.0) for name in layer), 0.0
        for name in layer:
            own = sizes.get(name, 1.0)
            found[name] = (passed + own / 2) / whole
            passed += own
    return found
