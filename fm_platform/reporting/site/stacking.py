"""Boxes in layers from top to bottom: a drawing of many tables that is no wider than a page.

Belongs here: positions of such a drawing. Does not belong here: layers from left to right (``layout``), SVG.

Layers have a limited size and are filled, one after the other, from the boxes whose inputs are placed. An edge over
several layers passes between the boxes, in a place of its own that is ordered together with them, as in Sugiyama's
method (``layout``). Same input, same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from fm_platform.reporting.site.layout import (
    GAP_Y,
    Box,
    Edge,
    Picture,
    in_order_of_neighbours,
    neighbours_of,
)

GAP_DOWN = 34
LANE, GAP_LANE = 1, 9


def stack(boxes: Sequence[Box], edges: Sequence[Edge], most: int, box_width: int) -> Picture:
    """Place boxes so that every edge leads down, no layer is wider than a page, and no edge runs behind a box.

    An edge over several layers passes each in a lane between the boxes; edges from one box share it.

    Args:
        boxes: At least one; ids are unique. Boxes of one layer are as high as the highest.
        edges: Between them, without cycles between boxes.
        most: Boxes in a layer at most.
        box_width: Of every box, in pixels.
    """
    before, after = neighbours_of(boxes, edges)
    by_id = {box.id: box for box in boxes}
    layers = _narrow_layers(before, after, most)
    level = {name: number for number, layer in enumerate(layers) for name in layer}
    lanes = {
        name: [f"{name}\n{n}" for n in range(level[name] + 1, max(level[r] for r in after[name]))]
        for name in level
        if after[name]
    }
    above: dict[str, set[str]] = {name: set() for name in level}
    for source, own in lanes.items():
        way = [source, *own]
        above.update({lane: {way[place]} for place, lane in enumerate(own)})
        for reader in after[source]:
            above[reader].add(way[level[reader] - level[source] - 1])
        for lane in own:
            layers[int(lane.rsplit("\n", 1)[1])].append(lane)
    below: dict[str, set[str]] = {name: set() for name in above}
    for name, sources in above.items():
        for source in sources:
            below[source].add(name)
    sizes = {lane: (LANE + GAP_LANE) / (box_width + GAP_Y) for own in lanes.values() for lane in own}
    ordered = in_order_of_neighbours(layers, above, below, sizes)
    return _placed_down(by_id, edges, ordered, lanes, level, box_width)


def _placed_down(
    boxes: Mapping[str, Box],
    edges: Sequence[Edge],
    layers: Sequence[Sequence[str]],
    lanes: Mapping[str, Sequence[str]],
    level: Mapping[str, int],
    box_width: int,
) -> Picture:
    """Layers, each with its boxes and lanes in order, as a picture."""
    spans = [
        [(box_width + GAP_Y) if name in boxes else (LANE + GAP_LANE) for name in layer] for layer in layers
    ]
    width = max(sum(widths) for widths in spans)
    corners, bends, y = {}, {}, 0
    for layer, widths in zip(layers, spans, strict=True):
        x = (width - sum(widths)) // 2
        height = max(boxes[name].height for name in layer if name in boxes)
        for name, span in zip(layer, widths, strict=True):
            if name in boxes:
                corners[name] = (x + GAP_Y // 2, y)
            else:
                bends[name] = (x + span // 2, y, y + height)
            x += span
        y += height + GAP_DOWN
    ways = {
        (edge.source, edge.target): tuple(
            bends[lane] for lane in lanes[edge.source][: level[edge.target] - level[edge.source] - 1]
        )
        for edge in edges
    }
    return Picture(boxes, edges, corners, box_width, width, y - GAP_DOWN, ways)


def _narrow_layers(
    before: Mapping[str, set[str]], after: Mapping[str, set[str]], most: int
) -> list[list[str]]:
    """Each box soon below its inputs; what has none comes by the length of the way ahead, where there is room."""
    ahead: dict[str, int] = {}
    for name in TopologicalSorter({n: sorted(a) for n, a in after.items()}).static_order():
        ahead[name] = max((ahead[reader] + 1 for reader in after[name]), default=0)
    layers: list[list[str]] = []
    waiting: dict[str, int] = {}
    placed: set[str] = set()
    while len(placed) < len(before):
        for name in before:
            if name not in placed and before[name] <= placed:
                waiting.setdefault(name, len(layers))
        chosen = sorted(waiting, key=lambda n: (not before[n], waiting[n], -ahead[n], n))[:most]
        layers.append(chosen)
        placed.update(chosen)
        for name in chosen:
            del waiting[name]
    return layers
