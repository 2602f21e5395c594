"""``fm export data-docs``: the suites of a study with what they found, from the publication and its ledger.

Belongs here: collecting suites, findings and verdicts. Does not belong here: the page (``reporting.data_docs``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.reporting.data_docs import Asked, SourceDocs, Verdict, data_docs_sections
from fm_platform.reporting.html import render_page
from fm_platform.validation.checks import count_findings
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.expectations import expectations_of, suite_version
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published

_TOOL, _SUITE = "great_expectations", "suite_version"
_COUNTED = {"rows": "rows that fail", "share": "share set aside", "read": "rows read"}
_NO_COLUMN = ("columns_checked", 0)
_CHECKS = "SELECT \"at\", body FROM audit.ledger WHERE kind = 'check' AND body LIKE ? ORDER BY seq"


def require_suites(catalog: Catalog) -> None:
    """Refuse a study without a clinical half.

    Raises:
        InputError: It has none, and so no suites.
    """
    if not catalog.study.has_clinical:
        raise InputError(
            "this study has no clinical half, and so no suites", mend="`fm status` lists its checks"
        )


def make_data_docs(catalog: Catalog, published: Published) -> tuple[bytes, tuple[SourceDocs, ...]]:
    """The data docs of a publication as one HTML page without any request, and what is on it, a source each.

    Args:
        catalog: The study's catalog.
        published: Its open publication.
    """
    sources = tuple(_source(catalog, published, source) for source in catalog.study.clinical)
    (number, head) = published.query("SELECT number, ledger_hash FROM audit.publication").row(0)
    facts = (
        ("Study", catalog.study.study.id),
        ("Publication", str(number)),
        ("Ledger head of that publication", head),
    )
    return render_page(catalog.study, facts, data_docs_sections(sources), "Data docs").encode(), sources


def _source(catalog: Catalog, published: Published, source: str) -> SourceDocs:
    table = f"quarantine.{source}"
    verdicts = [
        (at, body)
        for at, text in published.query(_CHECKS, [f'%"{table}"%']).iter_rows()
        if (body := json.loads(text))["table"] == table
    ]
    newest: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for at, body in verdicts:
        newest[body["check"]] = (at, body)
    earlier = [entry for entry in verdicts if entry not in newest.values()]
    there = published.query(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'quarantine' AND table_name = ?", [source]
    ).height
    findings = (
        published.query(f'SELECT rule, "column" FROM {relation(table, "warehouse")}')
        if there
        else pl.DataFrame(schema={"rule": pl.String, "column": pl.String})
    )
    facts: Mapping[str, Any] = next(
        (body["metadata"] for _, body in newest.values() if _SUITE in body["metadata"]), {}
    )
    now = suite_version(catalog.study, catalog.instruments, source)
    suite = expectations_of(catalog.study, declared_columns(catalog.study, catalog.instruments), source)
    return SourceDocs(
        source=source,
        suite_version=facts.get(_SUITE, now),
        current=facts.get(_SUITE, now) == now,
        great_expectations=facts.get(_TOOL, ""),
        asked=tuple(
            Asked(
                asked.type,
                asked.column or "",
                dict(asked.arguments),
                asked.rules,
                count_findings(findings, asked),
            )
            for asked in suite
        ),
        rows=next(
            (body["metadata"]["read"] for _, body in newest.values() if "read" in body["metadata"]), None
        ),
        newest=tuple(_verdict(at, body) for at, body in newest.values()),
        earlier=tuple(_verdict(at, body) for at, body in earlier),
    )


def _verdict(at: str, body: Mapping[str, Any]) -> Verdict:
    counts = ", ".join(
        f"{_COUNTED.get(name, name.replace('_', ' '))} {value:,}"
        for name, value in body["metadata"].items()
        if isinstance(value, int | float) and not isinstance(value, bool) and (name, value) != _NO_COLUMN
    )
    return Verdict(at, body["check"], bool(body["passed"]), body["description"], counts)
