"""``fm queries`` and ``fm accept``: what the site is asked about its deliveries.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from fm_platform.commands.options import home_named, json_option, place_options
from fm_platform.errors import InputError


@click.command()
@place_options
@click.option("--all", "everything", is_flag=True, help="Closed queries, too, and what closed them.")
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
        print_frame(frame.select(*shown, *(["closed_by"] if everything else []), "lines"))


@click.command()
@place_options
@click.option("--query", help="The id of an open data query: what it asks about is right as delivered.")
@click.option("--rule", help="FM021: a subject or visit that an earlier delivery had.")
@click.option("--source", help="The clinical source.")
@click.option("--subject", help="The subject.")
@click.option("--visit", help="Only this visit (default: the subject with all visits).")
@click.option(
    "--numbers", is_flag=True, help="The numbers of analysed subjects at which the last refresh stopped."
)
@click.option("--reason", required=True, help="Why, for the ledger.")
@json_option
def accept(
    study: Path | None,
    home: Path | None,
    query: str | None,
    rule: str | None,
    source: str | None,
    subject: str | None,
    visit: str | None,
    numbers: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Accept what a data query asks about, a lost subject or visit, or fewer subjects; the ledger keeps the reason."""
    from fm_platform.catalog.decisions import accept as accept_loss
    from fm_platform.catalog.decisions import accept_numbers, accept_query
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    place = home_of(catalog.study, home)
    if numbers and not any((query, rule, source, subject, visit)):
        decision = accept_numbers(catalog, place, reason)
        told = "accepted: the numbers of analysed subjects"
    elif query and not any((rule, source, subject, visit, numbers)):
        decision = accept_query(catalog, place, query, reason)
        told = f"accepted: query {query}"
    elif rule and source and subject and not query and not numbers:
        decision = accept_loss(catalog, place, rule, source, subject, visit, reason)
        told = f"accepted: {source} lacks {subject}{f' at {visit}' if visit else ''}"
    else:
        raise InputError(
            "what is accepted must be named in one way",
            mend="give --query ID, or --rule, --source and --subject, or --numbers",
        )
    click.echo(
        json.dumps(decision, indent=1, ensure_ascii=False) if as_json else f"{told}. Next: `fm refresh`"
    )
