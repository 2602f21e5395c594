"""Drawings as SVG: boxes with lines, and curves between them.

Belongs here: SVG text. Does not belong here: positions (``layout``) or what is drawn (``trace``).

A drawing inside a page takes its colours from the page's style sheet. One that stands alone (in Dagster's metadata)
carries the same rules itself; links do not work there and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from fm_platform.reporting.site.layout import BOLD_CHARACTER, CHARACTER, HEAD, ROW, Edge, Picture

STYLE = Path(__file__).parent / "templates" / "drawing.css"
MARGIN = 8


def svg(picture: Picture, *, standalone: bool = False) -> str:
    """A drawing.

    Args:
        picture: What stands where.
        standalone: With its own style and without links, for use as an image.
    """
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    parts = [
        f'<svg class="drawing" width="{width}" height="{height}" viewBox="{-MARGIN} {-MARGIN} {width} {height}"'
        + (' xmlns="http://www.w3.org/2000/svg">' if standalone else ' aria-hidden="true" focusable="false">')
    ]
    if standalone:
        parts.append(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")
        parts.append(f'<rect class="ground" x="{-MARGIN}" y="{-MARGIN}" width="{width}" height="{height}"/>')
    parts += [_curve(picture, edge) for edge in sorted(picture.edges, key=lambda edge: edge.direct)]
    parts += [_box(picture, name, links=not standalone) for name in picture.boxes]
    parts.append("</svg>")
    return "".join(parts)


def _curve(picture: Picture, edge: Edge) -> str:
    way = picture.ways.get((edge.source, edge.target))
    if way is not None:
        return _curve_down(picture, edge, way)
    x1, y1 = _anchor(picture, edge.source, edge.source_line, right=True)
    x2, y2 = _anchor(picture, edge.target, edge.target_line, right=False)
    bend = max(28, (x2 - x1) // 2)
    kind = "direct" if edge.direct else "indirect"
    title = f"<title>{escape(edge.title)}</title>" if edge.title else ""
    path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return (
        f'<path class="{kind}" d="{path}">{title}</path>' if title else f'<path class="{kind}" d="{path}"/>'
    )


def _curve_down(picture: Picture, edge: Edge, way: Sequence[tuple[int, int, int]]) -> str:
    """From the lower edge of a box, through its lanes, to the upper edge of another."""
    (left, top), (target_left, target_top) = picture.corners[edge.source], picture.corners[edge.target]
    middle = picture.box_width // 2
    y = top + picture.boxes[edge.source].height
    path = f"M{left + middle} {y}"
    x = left + middle
    for next_x, enters, leaves in [*way, (target_left + middle, target_top, target_top)]:
        bend = (y + enters) // 2
        path += f"C{x} {bend} {next_x} {bend} {next_x} {enters}" + (f"V{leaves}" if leaves > enters else "")
        x, y = next_x, leaves
    title = escape(edge.title or f"{edge.source} to {edge.target}")
    return f'<path class="{"direct" if edge.direct else "indirect"}" d="{path}"><title>{title}</title></path>'


def _anchor(picture: Picture, name: str, line: int | None, *, right: bool) -> tuple[int, int]:
    x, y = picture.corners[name]
    down = HEAD // 2 if line is None else HEAD + ROW * line + ROW // 2
    return x + (picture.box_width if right else 0), y + down


def _box(picture: Picture, name: str, *, links: bool) -> str:
    box = picture.boxes[name]
    x, y = picture.corners[name]
    marked = " marked" if box.marked else ""
    room = picture.box_width - 18
    parts = [
        f'<g class="box {escape(box.kind)}{marked}" transform="translate({x} {y})">',
        f'<rect width="{picture.box_width}" height="{box.height}" rx="3"/>',
        _text(box.title, box.href if links else "", 17, "title", room // BOLD_CHARACTER),
    ]
    if box.lines:
        parts.append(f'<path class="rule" d="M0 {HEAD}H{picture.box_width}"/>')
    for number, line in enumerate(box.lines):
        kind = "line marked" if line.marked else "line"
        parts.append(
            _text(line.text, line.href if links else "", HEAD + ROW * number + 13, kind, room // CHARACTER)
        )
    parts.append("</g>")
    return "".join(parts)


def _text(text: str, href: str, y: int, kind: str, most: int) -> str:
    short = text if len(text) <= most else text[: most - 1] + "…"
    title = f"<title>{escape(text)}</title>" if short != text else ""
    drawn = f'<text class="{kind}" x="9" y="{y}">{escape(short)}{title}</text>'
    return f'<a href="{escape(href)}" tabindex="-1">{drawn}</a>' if href else drawn
