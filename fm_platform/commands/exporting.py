"""``fm export``: what leaves the home.

Belongs here: options and printing of each form of export. Does not belong here: anything a test or an asset
would want to call.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from fm_platform.commands.options import FILE, FOLDER, json_option, place_options


@click.group()
def export() -> None:
    """Take results out of the home, in forms that other programs read."""


@export.command()
@click.argument("names", nargs=-1, metavar="[SCHEMA.TABLE]...")
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to write to.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--band", type=click.Choice(["5", "10", "20", "40", "0"]), help="Numbers in bands; 0: left out."
)
@click.option("--without", multiple=True, metavar="COLUMN", help="Leave a column out.")
@click.option("--suppress", is_flag=True, help="Leave out variables that describe too few people.")
@place_options
@json_option
def tables(
    names: tuple[str, ...],
    out: Path,
    form: str,
    band: str | None,
    without: tuple[str, ...],
    suppress: bool,
    study: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Write published tables as files, one each (default: the report's tables).

    Subjects appear under pseudonyms when FM_PSEUDONYM_KEY is set. Nothing is written while fewer people than
    study.yaml asks for (at least 3) share their quasi-identifiers.
    """
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.catalog.releases import WIDTHS, release
    from fm_platform.privacy.k_anonymity import BANDINGS

    catalog = build_catalog(study_folder(study, home))
    released = release(
        catalog,
        home_of(catalog.study, home),
        names,
        out,
        form=form,
        banding=WIDTHS[band] if band else BANDINGS[0],
        without=without,
        suppress=suppress,
    )
    if as_json:
        click.echo(json.dumps(released.as_json(), indent=1, ensure_ascii=False))
        return
    for table in released.tables:
        click.echo(f"{table.table:<32} {table.rows:>7,} rows  {table.path}")
    judged = released.judgement
    if judged.k_achieved is not None:
        click.echo(f"k-anonymity of {', '.join(judged.quasi_identifiers)}: {judged.k_achieved}")


@export.command("data-docs")
@click.option("-o", "--out", type=FILE, required=True, help="The HTML file to write.")
@place_options
@json_option
def data_docs(out: Path, study: Path | None, home: Path | None, as_json: bool) -> None:
    """Write the expectations of every clinical source and what was found, as one HTML file."""
    from fm_platform.catalog.data_docs import write_data_docs
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    sources = write_data_docs(catalog, home_of(catalog.study, home), out)
    found = [
        {
            "source": docs.source,
            "expectations": len(docs.asked),
            "unexpected": sum(asked.unexpected for asked in docs.asked),
            "failed_checks": [verdict.check for verdict in docs.newest if not verdict.passed],
        }
        for docs in sources
    ]
    if as_json:
        click.echo(json.dumps({"path": str(out), "sources": found}, indent=1))
        return
    for entry in found:
        click.echo(
            f"{entry['source']}: {entry['expectations']} expectations, {entry['unexpected']} unexpected"
        )
    click.echo(f"wrote {out}")
