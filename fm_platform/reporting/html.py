"""The printed report: one self-contained HTML file.

Belongs here: turning sections into HTML, with nothing loaded from anywhere. Does not belong here: what a
section says.

The page carries a Content-Security-Policy that allows its own style sheet (by hash) and inlined pictures.
There is no script, no font and no request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from fm_platform.reporting.page import (
    PRINTED_MARK,
    FigureView,
    GateLine,
    HalfState,
    ReportInput,
    RunInfo,
    Section,
    SourceLine,
    TableView,
)
from fm_platform.reporting.sections import report_figures, report_sections
from fm_platform.study.model import Study

__all__ = ["GateLine", "HalfState", "ReportInput", "RunInfo", "SourceLine", "render_page", "render_report"]

TEMPLATES = Path(__file__).parent / "templates"

_HALF_NAMES = {"clinical": "Clinical data", "expression": "Expression data"}


def render_report(report: ReportInput, figures: tuple[FigureView, ...] | None = None) -> str:
    """The report as one HTML document.

    Args:
        report: What it shows.
        figures: Those of :func:`~fm_platform.reporting.sections.report_figures`, if already drawn.

    Returns:
        HTML that depends on the arguments alone: no clock, no machine, no random id.
    """
    drawn = report_figures(report) if figures is None else figures
    return render_page(report.study, tuple(_facts(report)), report_sections(report, drawn))


def render_page(
    study: Study, facts: Sequence[tuple[str, str]], sections: Sequence[Section], kind: str = "Report"
) -> str:
    """Sections as one HTML document in the report's form.

    Args:
        study: Its title, and whether its data are synthetic.
        facts: Names and values below the title.
        sections: In their order.
        kind: What the page is, above the title and in its name.
    """
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    if study.study.synthetic:
        style += PRINTED_MARK
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["with_code"] = _with_code
    return environment.get_template("report.html.j2").render(
        study=study.study,
        style=Markup(style),
        policy=_policy(style),
        kind=kind,
        facts=list(facts),
        sections=_numbered(sections),
    )


def _with_code(text: str) -> Markup:
    """A sentence in which what stands between backticks is a command."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _facts(report: ReportInput) -> Iterator[tuple[str, str]]:
    yield "Study", report.study.study.id
    for state in report.halves:
        as_of = f"as of {state.as_of}" if state.as_of else "no results yet"
        yield _HALF_NAMES[state.half], f"{as_of}; newest delivery blocked" if state.blocked else as_of
    yield "Run", report.run.run_id
    yield "Ledger head when this report was made", report.head_hash


def _numbered(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Sections for the template; tables and figures counted through the whole report."""
    counts = {"table": 0, "figure": 0}
    pages = []
    for section in sections:
        blocks = []
        for block in section.blocks:
            kind = "table" if isinstance(block, TableView) else "figure"
            counts[kind] += 1
            entry: dict[str, Any] = {"kind": kind, "number": counts[kind], "view": block}
            if isinstance(block, FigureView):
                entry["data"] = "data:image/svg+xml;base64," + base64.b64encode(block.svg).decode()
            blocks.append(entry)
        pages.append({"section": section, "blocks": blocks})
    return pages
