"""Data docs: what each clinical source is expected to be, and what was found.

Belongs here: suites, results and earlier verdicts as sections of a page. Does not belong here: collecting them, HTML.

Great Expectations has data docs of its own. Their pages load styles and scripts from five content delivery networks, so
that they are blank without a connection and tell others who reads them; this page has the same content and no request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.reporting.page import Head, RowGroup, Section, TableView

MOST_SHOWN = 120
"""Characters of an argument that are printed."""


@dataclass(frozen=True)
class Asked:
    """One expectation and its answer.

    Attributes:
        type: The class of Great Expectations.
        column: The file column; empty for rows.
        arguments: Its arguments.
        rules: The platform's rules whose findings it counts.
        unexpected: Values or rows that do not meet it.
    """

    type: str
    column: str
    arguments: Mapping[str, Any]
    rules: tuple[str, ...]
    unexpected: int


@dataclass(frozen=True)
class Verdict:
    """One check on one day."""

    at: str
    check: str
    passed: bool
    description: str
    counts: str


@dataclass(frozen=True)
class SourceDocs:
    """A source: its suite as it stands, the newest verdicts, and those of earlier deliveries.

    Attributes:
        suite_version: Of the suite that was run.
        current: Whether that is the suite that study.yaml gives now.
        great_expectations: The version that ran it; empty before the first run.
        rows: Rows of the newest delivery that was judged; None before the first run.
    """

    source: str
    suite_version: str
    current: bool
    great_expectations: str
    asked: tuple[Asked, ...]
    rows: int | None
    newest: tuple[Verdict, ...]
    earlier: tuple[Verdict, ...]


def data_docs_sections(sources: Sequence[SourceDocs]) -> tuple[Section, ...]:
    """A section for each source, one table each of verdicts, expectations and earlier deliveries."""
    return tuple(_section(docs) for docs in sources)


def _section(docs: SourceDocs) -> Section:
    failed = [verdict.check for verdict in docs.newest if not verdict.passed]
    warnings = []
    if failed:
        warnings.append(f"Failed: {', '.join(failed)}.")
    if not docs.current:
        warnings.append("study.yaml has changed since: the expectations below are those of the next refresh.")
    blocks = [_verdicts(f"Checks of {docs.source}", docs.newest, with_day=False), _expectations(docs)]
    if docs.earlier:
        blocks.append(_verdicts(f"Earlier verdicts on {docs.source}", docs.earlier, with_day=True))
    return Section(
        anchor=f"source-{docs.source}",
        heading=docs.source,
        paragraphs=(
            f"Great Expectations {docs.great_expectations or '(not run yet)'}, suite {docs.suite_version[:12]}, "
            f"{len(docs.asked)} expectations; {_summary(docs)}. The rules in DuckDB find the rows; Great Expectations "
            "must count the same, or the check gx_agrees fails and nothing goes on.",
        ),
        warning=" ".join(warnings),
        blocks=tuple(blocks),
    )


def _summary(docs: SourceDocs) -> str:
    passed = sum(verdict.passed for verdict in docs.newest)
    if not docs.newest:
        return "no check has run"
    return f"{passed} of {len(docs.newest)} checks passed"


def _verdicts(caption: str, verdicts: Sequence[Verdict], *, with_day: bool) -> TableView:
    names = (*(("Day",) if with_day else ()), "Check", "Verdict", "What must hold", "Counts")
    heads = tuple(Head(text, numeric=False) for text in names)
    rows = tuple(
        (
            *((verdict.at[:10],) if with_day else ()),
            verdict.check,
            "passed" if verdict.passed else "failed",
            verdict.description,
            verdict.counts,
        )
        for verdict in verdicts
    )
    return TableView(caption, heads, (RowGroup(rows),))


def _expectations(docs: SourceDocs) -> TableView:
    rows = tuple(
        (
            asked.column or "(row)",
            asked.type,
            _shortened(json.dumps(dict(asked.arguments), ensure_ascii=False)),
            ", ".join(asked.rules),
            f"{asked.unexpected:,}",
        )
        for asked in docs.asked
    )
    heads = tuple(Head(text, numeric=False) for text in ("Column", "Expectation", "Arguments", "Rules"))
    return TableView(
        f"Expectations of {docs.source}",
        (*heads, Head("Unexpected" + ("" if docs.rows is None else f", of {docs.rows:,} rows"))),
        (RowGroup(rows),),
        code=True,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
