"""``fm export``: what leaves the home.

Belongs here: options and printing of each form of export. Does not belong here: anything a test or an asset
would want to call.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from fm_platform.commands.options import FILE, FOLDER, home_named, json_option, place_options, reason_option
from fm_platform.errors import InputError


@click.group()
def export() -> None:
    """Take results out of the home, in forms that other programs read; every export is recorded (`fm exports`)."""


@export.command()
@click.argument("names", nargs=-1, metavar="[SCHEMA.TABLE]...")
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to write to.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--band", type=click.Choice(["5", "10", "20", "40", "0"]), help="Numbers in bands; 0: left out."
)
@click.option("--without", multiple=True, metavar="COLUMN", help="Leave a column out.")
@click.option("--suppress", is_flag=True, help="Leave out variables that describe too few people.")
@click.option(
    "--reason",
    metavar="TEXT",
    help="Why, for the ledger; accepts what the tables tell together with earlier ones.",
)
@place_options
@json_option
def tables(
    names: tuple[str, ...],
    out: Path,
    form: str,
    band: str | None,
    without: tuple[str, ...],
    suppress: bool,
    reason: str | None,
    study: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Write published tables as files, one each (default: the report's tables).

    Subjects appear under pseudonyms when FM_PSEUDONYM_KEY is set. Nothing is written while fewer people than
    study.yaml asks for (at least 3) share their quasi-identifiers, in these tables or together with what left before.
    """
    from fm_platform.catalog.disclosure.releases import WIDTHS, release
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder
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
        reason=reason,
    )
    for text in released.accepted:
        click.echo(f"accepted by the reason given: {text}", err=True)
    if as_json:
        click.echo(json.dumps(released.as_json(), indent=1, ensure_ascii=False))
        return
    for table in released.tables:
        left_out = f"  without {', '.join(table.suppressed)}" if table.suppressed else ""
        click.echo(f"{table.table:<32} {table.rows:>7,} rows  {table.path}{left_out}")
    judged = released.judgement
    if judged.k_achieved is not None:
        click.echo(f"k-anonymity of {', '.join(judged.quasi_identifiers)}: {judged.k_achieved}")
    elif not catalog.study.privacy.quasi_identifiers:
        click.echo(
            "k-anonymity was not judged: study.yaml declares no `privacy: quasi_identifiers`", err=True
        )


@export.command()
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to make; it must be empty or new.")
@click.option(
    "--reason", metavar="TEXT", help="Why, for the ledger; needed: the folder holds rows of single subjects."
)
@click.option("--with-subject-ids", is_flag=True, help="Subjects under their own ids instead of pseudonyms.")
@place_options
@json_option
def recomputation(
    out: Path,
    reason: str | None,
    with_subject_ids: bool,
    study: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Write a folder that recomputes every number of the report in R and in Python, without this program.

    Inputs as CSV, the published numbers, recompute.R and recompute.py, which compare and name what differs. Subjects
    appear under pseudonyms (FM_PSEUDONYM_KEY).
    """
    from dataclasses import asdict

    from fm_platform.catalog.disclosure.recomputation.export import export_recomputation
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    made = export_recomputation(
        catalog, home_of(catalog.study, home), out, reason=reason, with_subject_ids=with_subject_ids
    )
    if as_json:
        click.echo(json.dumps({"path": str(out), **asdict(made)}, indent=1))
        return
    click.echo(
        f"{made.numbers:,} numbers of {len(made.tables)} tables in {out}: run recompute.py or recompute.R there"
    )


@export.command("data-docs")
@click.option("-o", "--out", type=FILE, required=True, help="The HTML file to write.")
@reason_option
@place_options
@json_option
def data_docs(out: Path, reason: str | None, study: Path | None, home: Path | None, as_json: bool) -> None:
    """Write the expectations of every clinical source and what was found, as one HTML file."""
    from fm_platform.catalog.disclosure.exports import export_data_docs
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    sources = export_data_docs(catalog, home_of(catalog.study, home), out, reason=reason)
    found: list[dict[str, Any]] = [
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
        failed = ", ".join(map(str, entry["failed_checks"])) or "none"
        click.echo(
            f"{entry['source']}: {entry['expectations']} expectations of Great Expectations, {entry['unexpected']} "
            f"values unexpected; checks failed: {failed}"
        )
    click.echo(f"wrote {out}")


@export.command()
@click.option("-o", "--out", type=FILE, help="The file to write: one JSON event a line.")
@click.option(
    "--endpoint", metavar="URL", help="A collector to send to; without -o, OPENLINEAGE_URL stands for it."
)
@click.option(
    "--run", "run_id", metavar="ID", help="Only what this run recorded (default: the publication's tables)."
)
@reason_option
@place_options
def openlineage(
    out: Path | None,
    endpoint: str | None,
    run_id: str | None,
    reason: str | None,
    study: Path | None,
    home: Path | None,
) -> None:
    """Write or send OpenLineage events: runs, datasets, column lineage, checks.

    Events hold names, digests and counts, and no row of a table. A collector's bearer token is read from
    OPENLINEAGE_API_KEY.
    """
    from fm_platform.catalog.disclosure.exports import export_openlineage

    target = endpoint or (os.environ.get("OPENLINEAGE_URL") if out is None else None) or None
    if out is None and target is None:
        raise InputError(
            "nowhere to put the events", mend="name a file with -o or a collector with --endpoint"
        )
    key = os.environ.get("OPENLINEAGE_API_KEY")
    sent = export_openlineage(home_named(study, home), out, target, run_id=run_id, api_key=key, reason=reason)
    if out is not None:
        click.echo(f"{sent.events} events of {sent.tables} tables and file sets in {out}")
    if target is not None:
        click.echo(f"{sent.events} events sent to {target}")


@export.command("ro-crate")
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to make; it must be empty or new.")
@click.option(
    "--with-report", is_flag=True, help="Also the report, which may show single people; needs --reason."
)
@click.option(
    "--with-data",
    is_flag=True,
    help="Also report, source files, warehouse and ledger: row-level data leaves the home; needs --reason.",
)
@reason_option
@place_options
def ro_crate(
    out: Path, with_report: bool, with_data: bool, reason: str | None, study: Path | None, home: Path | None
) -> None:
    """Make a Workflow Run RO-Crate of the published run: workflow, inputs, steps, lineage pages.

    What may show a single person is named by its SHA-256 and stays unless it is asked for, since k-anonymity is not
    judged here.
    """
    from fm_platform.catalog.disclosure.exports import export_crate

    crate = export_crate(
        home_named(study, home), out, with_report=with_report, with_data=with_data, reason=reason
    )
    click.echo(
        f"publication {crate.publication} of {crate.study_id} in {out}: {len(crate.contents)} files, "
        f"{crate.entities} entities"
    )


@export.command("define-xml")
@click.option("-o", "--out", type=FILE, required=True, help="The XML file to write.")
@reason_option
@place_options
def define_xml(out: Path, reason: str | None, study: Path | None, home: Path | None) -> None:
    """Write Define-XML 2.1 of marts.adsl and marts.adqs, with analysis results metadata 1.0.

    It describes variables, derivations, values and analyses, and holds no row of a table.
    """
    from fm_platform.catalog.disclosure.regulators import export_define_xml
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    defined = export_define_xml(catalog, home_of(catalog.study, home), out, reason=reason)
    click.echo(
        f"{defined.datasets} datasets, {defined.variables} variables, {defined.values} parameters, "
        f"{defined.results} analysis results in {out}"
    )


@export.command()
@click.option("-o", "--out", type=FILE, required=True, help="The JSON file to write.")
@click.option("--suppress", is_flag=True, help="Leave out variables that describe too few people.")
@click.option(
    "--reason",
    metavar="TEXT",
    help="Why, for the ledger; accepts what the results tell together with earlier exports.",
)
@place_options
def ars(out: Path, suppress: bool, reason: str | None, study: Path | None, home: Path | None) -> None:
    """Write stats.ard as a reporting event of the Analysis Results Standard (ARS 1).

    It is judged as `fm export tables stats.ard` is: nothing is written while it counts fewer people than study.yaml
    asks for, alone or together with what left before.
    """
    from fm_platform.catalog.disclosure.regulators import export_ars
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    released = export_ars(catalog, home_of(catalog.study, home), out, suppress=suppress, reason=reason)
    for text in released.accepted:
        click.echo(f"accepted by the reason given: {text}", err=True)
    for table in released.tables:
        left_out = f", without {', '.join(table.suppressed)}" if table.suppressed else ""
        click.echo(f"{table.rows:,} statistics of {table.table}{left_out} in {out}")


@export.command()
@click.option("-o", "--out", type=FILE, required=True, help="The JSON-LD file to write.")
@reason_option
@place_options
def prov(out: Path, reason: str | None, study: Path | None, home: Path | None) -> None:
    """Write the publication's provenance as PROV-O: files, tables, steps with times, who and which code.

    It holds names, digests and times, and no row of a table.
    """
    from fm_platform.catalog.disclosure.exports import export_prov

    count = export_prov(home_named(study, home), out, reason=reason)
    click.echo(f"{count} entities, activities and agents in {out}")


@export.command()
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to make; it must be empty or new.")
@reason_option
@place_options
def gx(out: Path, reason: str | None, study: Path | None, home: Path | None) -> None:
    """Write the expectations of every clinical source as a project of Great Expectations.

    It holds suites and the SQL of the frames that they look at, and no row of a table.
    """
    from fm_platform.catalog.disclosure.exports import export_gx
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    sources = export_gx(catalog, home_of(catalog.study, home), out, reason=reason)
    click.echo(f"suites of {', '.join(sources)} in {out}")
