"""The pages of the steward's site.

Belongs here: which pages there are and what each is given. Does not belong here: their wording (``templates``) or
drawings (``trace``, ``drawing``).

Every page is one file: its style inside it, no script but a filter on one page, no request. A Content-Security-Policy
names both by hash. Pages hold names, counts, hashes and times; never a patient's value.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from fm_platform.lineage.environment import together
from fm_platform.lineage.exchange.inventory import CheckFacts, ColumnFacts, Inventory, TableFacts
from fm_platform.reporting.page import PRINTED_MARK, GateLine
from fm_platform.reporting.site.drawing import svg
from fm_platform.reporting.site.names import FOLDER, Links, column_anchor, source_anchor, table_page
from fm_platform.reporting.site.pairs import fractions
from fm_platform.reporting.site.trace import (
    column_picture,
    downstream,
    overview_picture,
    table_picture,
    upstream,
)
from fm_platform.warehouse.records import ColumnInput

TEMPLATES = Path(__file__).parent / "templates"
SCHEMAS = (
    "raw",
    "quarantine",
    "study",
    "staging",
    "marts",
    "stats",
    "expression",
    "privacy",
    "report",
    "files",
)
"""The order of chapters; schemas not named here follow."""


@dataclass(frozen=True)
class SiteInput:
    """Everything the site shows; the same input gives the same bytes.

    Attributes:
        inventory: Tables with their making.
        gate: What the gate did with each clinical source.
        blocked: Half of the study to the reason why its newest delivery was refused.
    """

    inventory: Inventory
    gate: tuple[GateLine, ...] = ()
    blocked: Mapping[str, str] | None = None


def render_site(site: SiteInput) -> dict[str, bytes]:
    """Every page by its path below the home."""
    return {f"{FOLDER}/{path}": text.encode() for path, text in _pages(site)}


def _pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    inventory = site.inventory
    top, deep = (Links(up, frozenset(inventory.tables)) for up in ("", "../"))
    readers = inventory.readers()
    yield (
        "index.html",
        _render(
            site,
            "index.html.j2",
            top,
            drawing=_drawn(overview_picture(inventory, top)),
            chapters=_chapters(inventory),
            made_with=_made_with(inventory.tables.values()),
        ),
    )
    yield "columns.html", _render(site, "columns.html.j2", top, columns=_columns(inventory), script=_script())
    yield "checks.html", _render(site, "checks.html.j2", top, checks=_checks(inventory))
    yield "sources.html", _render(site, "sources.html.j2", top, sources=_sources(inventory))
    for table in inventory.tables.values():
        yield (
            table_page(table.table),
            _render(site, "table.html.j2", deep, **_table(inventory, table, readers, deep)),
        )


def _table(
    inventory: Inventory,
    table: TableFacts,
    readers: Mapping[tuple[str, str], list[ColumnInput]],
    links: Links,
) -> dict[str, Any]:
    read_by = sorted(other.table for other in inventory.tables.values() if table.table in other.inputs)
    return {
        "table": table,
        "made_with": _made_with([table]),
        "read_by": read_by,
        "drawing": _drawn(table_picture(table, links, read_by)),
        "columns": [_column(inventory, table, column, readers, links) for column in table.own_columns],
        "inputs": [
            (name, digest, _superseded(inventory, name, digest)) for name, digest in table.inputs.items()
        ],
    }


def _made_with(tables: Iterable[TableFacts]) -> dict[str, str]:
    """Python, platform, package, lock and libraries, in words."""
    libraries, environment = together(table.made_with for table in tables)
    listed = ", ".join(f"{name} {version}" for name, version in sorted(libraries.items()))
    return {**environment, **({"libraries": listed} if listed else {})}


def _column(
    inventory: Inventory,
    table: TableFacts,
    column: ColumnFacts,
    readers: Mapping[tuple[str, str], list[ColumnInput]],
    links: Links,
) -> dict[str, Any]:
    path = upstream(inventory, table.table, column.name)
    reached = downstream(readers, table.table, column.name)
    files = sorted(
        {
            entry.path
            for name, _ in path
            if name in inventory.tables
            for entry in inventory.tables[name].delivered
        }
    )
    used = readers.get((table.table, column.name), [])
    return {
        "facts": column,
        "anchor": column_anchor(column.name),
        "direct": column.of_kind("DIRECT"),
        "indirect": column.of_kind("INDIRECT"),
        "direct_use": sorted(entry for entry in used if entry.kind == "DIRECT"),
        "indirect_use": sorted(entry for entry in used if entry.kind == "INDIRECT"),
        "files": files,
        "from_study": any(name.startswith("study.") for name, _ in path),
        "reports": sorted(entry for entry in reached if entry[0].startswith("report.")),
        "columns_upstream": len(path) - 1,
        "columns_downstream": len(reached),
        "drawing": _drawn(column_picture(inventory, table.table, column.name, path, links))
        if column.inputs
        else "",
    }


def _superseded(inventory: Inventory, name: str, digest: str) -> bool:
    """Whether an input has another content by now."""
    found = inventory.tables.get(name)
    return found is not None and found.value_digest != digest


def _chapters(inventory: Inventory) -> list[tuple[str, list[TableFacts]]]:
    found: dict[str, list[TableFacts]] = {}
    for table in inventory.tables.values():
        found.setdefault(table.schema, []).append(table)
    order = {schema: place for place, schema in enumerate(SCHEMAS)}
    return sorted(found.items(), key=lambda chapter: (order.get(chapter[0], len(order)), chapter[0]))


def _columns(inventory: Inventory) -> list[tuple[TableFacts, ColumnFacts]]:
    pairs = [(table, column) for table in inventory.tables.values() for column in table.own_columns]
    return sorted(pairs, key=lambda pair: (pair[1].name.lower(), pair[0].table))


def _checks(inventory: Inventory) -> list[tuple[TableFacts, CheckFacts]]:
    """Failed ones first, blocking before others."""
    pairs = [(table, check) for table in inventory.tables.values() for check in table.checks]
    return sorted(pairs, key=lambda p: (p[1].passed, not p[1].blocking, p[0].table, p[1].name))


def _sources(inventory: Inventory) -> list[dict[str, Any]]:
    readers: dict[str, list[str]] = {}
    for table in inventory.tables.values():
        for entry in table.delivered:
            readers.setdefault(entry.path, []).append(table.table)
    return [
        {"file": entry, "anchor": source_anchor(entry.path), "read_by": sorted(readers[entry.path])}
        for entry in inventory.sources
    ]


def _drawn(picture: Any) -> Markup:
    return Markup(svg(picture))


# -- rendering --------------------------------------------------------------------------------------------------------


def _render(site: SiteInput, template: str, links: Links, **content: Any) -> str:
    style, script = _style(site.inventory.synthetic), content.get("script", "")
    return (
        _environment()
        .get_template(template)
        .render(
            inventory=site.inventory,
            gate=site.gate,
            blocked=site.blocked or {},
            newest=max((table.at for table in site.inventory.tables.values()), default=""),
            failed=sum(
                not check.passed for table in site.inventory.tables.values() for check in table.checks
            ),
            links=links,
            page=template.removesuffix(".html.j2"),
            style=Markup(style),
            policy=_policy(style, script),
            **{**content, "script": Markup(script)},
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["instant"] = lambda at: at[:19].replace("T", " ") + " UTC" if at else ""
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["breakable"] = _breakable
    environment.filters["fractions"] = fractions
    environment.filters["how"] = lambda entry: entry.transformation.lower().replace("_", " ")
    return environment


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line after a dot or underscore."""
    return Markup(re.sub(r"(?<=[._])(?=.)", "<wbr>", str(escape(name))))


@cache
def _style(synthetic: bool) -> str:
    style = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("site.css", "drawing.css"))
    return style + (PRINTED_MARK if synthetic else "")


@cache
def _script() -> str:
    return (TEMPLATES / "filter.js").read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    allowed = f"style-src {_hash(style)}" + (f"; script-src {_hash(script)}" if script else "")
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
