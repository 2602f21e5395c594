"""``fm queries`` and ``fm accept``: what the site is asked about its deliveries.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from fm_platform.commands.options import home_named, json_option, place_options


@click.command()
@place_options
@click.option("--all", "everything", is_flag=True, help="Resolved queries, too.")
@click.option("--rule", help="Only this rule, e.g. FM021.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
def queries(
    study: Path | None, home: Path | None, everything: bool, rule: str | None, as_csv: bool, as_json: bool
) -> None:
    """Data queries for the study site: what to check, since when, and where it stands in the delivery."""
    from fm_platform.catalog.clinical.query_list import query_list
    from fm_platform.terminal import print_frame, rows_as_json

    frame = query_list(home_named(study, home), everything=everything, rule=rule)
    if as_json:
        click.echo(rows_as_json(frame))
    elif as_csv:
        click.echo(frame.write_csv(), nl=False)
    elif frame.is_empty():
        click.echo("no open data queries")
    else:
        shown = (
            "query_id",
            "state",
            "age_days",
            "rule",
            "subject",
            "event",
            "item",
            "value",
            "expected",
            "text",
        )
        print_frame(frame.select(*shown, "lines"))


@click.command()
@place_options
@click.option("--rule", required=True, help="FM021: a subject or visit that an earlier delivery had.")
@click.option("--source", required=True, help="The clinical source.")
@click.option("--subject", required=True, help="The subject.")
@click.option("--visit", help="Only this visit (default: the subject with all visits).")
@click.option("--reason", required=True, help="Why, for the ledger.")
@json_option
def accept(
    study: Path | None,
    home: Path | None,
    rule: str,
    source: str,
    subject: str,
    visit: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Accept that a delivery lacks a subject or visit; the reason is kept in the ledger."""
    from fm_platform.catalog.decisions import accept as accept_loss
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    decision = accept_loss(catalog, home_of(catalog.study, home), rule, source, subject, visit, reason)
    if as_json:
        click.echo(json.dumps(decision, indent=1, ensure_ascii=False))
    else:
        click.echo(f"accepted: {source} lacks {subject}{f' at {visit}' if visit else ''}. Next: `fm refresh`")
