"""``fm``: thin commands over the same functions that Dagster calls.

Belongs here: options, printing, exit codes. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from fm_platform.errors import FmError, InputError

if TYPE_CHECKING:
    from fm_platform.expression.model import Mode
    from fm_platform.expression.wald import Alternative

INTERNAL_ERROR = 4
INTERRUPTED = 130

Command = TypeVar("Command", bound=Callable[..., Any])
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def main() -> None:
    """The console script: runs a command and turns errors into exit codes.

    0 done; 1 a blocking check failed or an alteration was found; 2 the input or configuration is wrong; 3 the
    environment failed; 4 an internal error; 130 interrupted.
    """
    try:
        code = fm.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the last published warehouse is as it was", err=True)
        code = INTERRUPTED
    except FmError as error:
        click.echo(f"fm: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except Exception as error:  # noqa: BLE001 - the outermost place; the log keeps the traceback
        click.echo(f"fm: internal error: {error} (details in {_log(error)})", err=True)
        code = INTERNAL_ERROR
    sys.exit(code if isinstance(code, int) else 0)


def _log(error: Exception) -> Path:
    """Keep an internal error's traceback in a file of its own."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="fm-error-", suffix=".log", delete=False) as handle:
        handle.write("".join(traceback.format_exception(error)))
    return Path(handle.name)


def _place_options(command: Command) -> Command:
    """``--study`` and ``--home``."""
    for option in (
        click.option(
            "--home", type=_FOLDER, envvar="FM_HOME", help="Where results are kept (default var/<study id>)."
        ),
        click.option(
            "--study", type=_FOLDER, envvar="FM_STUDY", help="Folder with a study.yaml (default data/demo)."
        ),
    ):
        command = option(command)
    return command


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(metadata.version("fm-platform"), prog_name="fm")
def fm() -> None:
    """A study's clinical and expression data, validated, analysed and traceable to the delivered line."""


@fm.command()
@_place_options
@click.option("--select", "selection", help="Only these assets: names, schema.*, +upstream, downstream+.")
@click.option("--force", is_flag=True, help="Recompute fresh assets, too.")
@click.option("--reason", help="Why, for the ledger.")
@_json_option
def refresh(
    study: Path | None,
    home: Path | None,
    selection: str | None,
    force: bool,
    reason: str | None,
    as_json: bool,
) -> int:
    """Materialize what is stale, then publish."""
    from fm_platform.defs.refresh import refresh_study
    from fm_platform.terminal import Progress, print_summary, summary_as_json

    summary = refresh_study(study, home, selection, force=force, reason=reason, watcher=Progress())
    if as_json:
        click.echo(summary_as_json(summary))
    else:
        print_summary(summary)
    return summary.exit_code


@fm.command()
@_place_options
@_json_option
def status(study: Path | None, home: Path | None, as_json: bool) -> None:
    """Each asset: fresh, stale or blocked, and why."""
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.outlook import outlook
    from fm_platform.catalog.places import home_of, study_folder

    catalog = build_catalog(study_folder(study, home))
    view = outlook(catalog, home_of(catalog.study, home))
    if as_json:
        rows = [{"asset": e.table, "state": e.state, "reason": e.reason} for e in view.plan.entries]
        click.echo(json.dumps(rows, indent=1))
        return
    colours = {"fresh": "green", "stale": "yellow", "blocked": "red"}
    width = max(len(entry.table) for entry in view.plan.entries)
    for entry in view.plan.entries:
        state = click.style(f"{entry.state:<8}", fg=colours[entry.state])
        click.echo(f"{entry.table:<{width}}  {state} {entry.reason}")
    counts = {state: sum(e.state == state for e in view.plan.entries) for state in colours}
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()))


@fm.command()
@click.argument("sql")
@_place_options
@_json_option
def query(sql: str, study: Path | None, home: Path | None, as_json: bool) -> None:
    """Run read-only SQL on the published warehouse."""
    from fm_platform.terminal import print_frame, rows_as_json
    from fm_platform.warehouse.reader import open_published

    with open_published(_home(study, home)) as published:
        frame = published.query(sql)
    if as_json:
        click.echo(rows_as_json(frame))
    else:
        print_frame(frame)


@fm.command()
@click.argument("table")
@_place_options
@click.option(
    "--where", "conditions", multiple=True, metavar="COL=VALUE", help="Picks the row; COL= means null."
)
@click.option("--column", help="The cell's column.")
@_json_option
def explain(
    table: str,
    study: Path | None,
    home: Path | None,
    conditions: tuple[str, ...],
    column: str | None,
    as_json: bool,
) -> None:
    """Where a number comes from: value, method, delivered rows with file, line and hash, checks, code, run."""
    from fm_platform.lineage.explain import explain as explain_cell
    from fm_platform.terminal import explanation_as_json, print_explanation
    from fm_platform.warehouse.reader import open_published

    where = [_pair(condition, "--where") for condition in conditions]
    with open_published(_home(study, home)) as published:
        explanation = explain_cell(published, table, where, column)
    if as_json:
        click.echo(explanation_as_json(explanation))
    else:
        print_explanation(explanation)


@fm.command()
@_place_options
@click.option("--head", help="A ledger head noted earlier (every report prints one).")
@_json_option
def verify(study: Path | None, home: Path | None, head: str | None, as_json: bool) -> int:
    """Compare everything kept in the home with the ledger."""
    from fm_platform.lineage.verify import verify as verify_home
    from fm_platform.terminal import print_verification, verification_as_json

    found = verify_home(_home(study, home), head)
    if as_json:
        click.echo(verification_as_json(found))
    else:
        print_verification(found)
    return 0 if found.consistent else 1


@fm.command()
@click.argument("counts", type=click.Path(path_type=Path))
@click.argument("samples", type=_FILE)
@click.option(
    "--format", "count_format", default="auto", show_default=True, help="How the counts are delivered."
)
@click.option("--gene-id", help="The column of gene ids (default: the first).")
@click.option("--tx2gene", type=_FILE, help="kallisto, salmon: a table of transcript and gene ids.")
@click.option(
    "--strand",
    type=click.Choice(["unstranded", "forward", "reverse"]),
    help="STAR: which column (default: the one with most reads).",
)
@click.option("--lengths", type=_FILE, help="nf-core's gene_counts: the gene_lengths table beside it.")
@click.option("--row-id", "row_ids", multiple=True, help="Samples in rows: a column that names them.")
@click.option("--layer", help="h5ad: the layer of counts (default: counts, else X).")
@click.option("--design", required=True, help='A formula, e.g. "~ batch + condition".')
@click.option("--contrast", required=True, metavar="VAR,LEVEL,REF", help="Which level against which.")
@click.option("--alpha", default=0.1, show_default=True, help="Target FDR of independent filtering.")
@click.option(
    "--covariate", "covariates", multiple=True, help="A design variable that is a number, not a factor."
)
@click.option(
    "--sample-id",
    help="The sample sheet's column of sample names (default: the one that matches, else its first).",
)
@click.option(
    "--reconcile",
    type=click.Choice(["affix"]),
    help="affix: match sample names that differ by a common prefix or suffix, one to one; the mapping is printed.",
)
@click.option(
    "--subset", "subsets", multiple=True, metavar="VAR=LEVEL[,LEVEL]", help="Only samples with these levels."
)
@click.option("--shrink", type=click.Choice(["apeglm"]), help="Add log2FoldChange_shrunk.")
@click.option(
    "--mode",
    type=click.Choice(["r_compat", "exact"]),
    default="r_compat",
    show_default=True,
    help="r_compat: DESeq2's rules; exact: the same model at its true optima.",
)
@click.option("--lfc-threshold", default=0.0, show_default=True, help="Test against this log2 fold change.")
@click.option(
    "--alternative",
    type=click.Choice(["greaterAbs", "lessAbs", "greater", "less"]),
    default="greaterAbs",
    show_default=True,
    help="What is claimed about the fold change.",
)
@click.option(
    "--lrt", metavar="REDUCED", help='Likelihood-ratio test against a smaller design, e.g. "~ batch".'
)
@click.option("-o", "--output", "out", type=_FILE, required=True, help="The CSV to write.")
@_json_option
def de(
    counts: Path,
    samples: Path,
    count_format: str,
    gene_id: str | None,
    tx2gene: Path | None,
    strand: Literal["unstranded", "forward", "reverse"] | None,
    lengths: Path | None,
    row_ids: tuple[str, ...],
    layer: str | None,
    design: str,
    contrast: str,
    alpha: float,
    covariates: tuple[str, ...],
    sample_id: str | None,
    reconcile: str | None,
    subsets: tuple[str, ...],
    shrink: str | None,
    mode: Mode,
    lfc_threshold: float,
    alternative: Alternative,
    lrt: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Differential expression of any count matrix, no study needed."""
    from fm_platform.expression.de import run_de
    from fm_platform.sources.count_matrix import CountOptions
    from fm_platform.terminal import de_as_json, print_de

    summary = run_de(
        counts,
        samples,
        design,
        contrast,
        alpha=alpha,
        out=out,
        format=count_format,
        options=CountOptions(gene_id, tx2gene, strand, lengths, row_ids, layer),
        sample_id=sample_id,
        reconcile=reconcile,
        shrink=shrink,
        subset={
            name: tuple(levels.split(",")) for name, levels in (_pair(text, "--subset") for text in subsets)
        },
        mode=mode,
        lfc_threshold=lfc_threshold,
        alternative=alternative,
        lrt=lrt,
        covariates=covariates,
        progress=lambda text: click.echo(text, err=True),
    )
    click.echo(de_as_json(summary)) if as_json else print_de(summary)


@fm.command()
@click.argument("folder", type=_FOLDER)
@click.option("--from", "export", type=_FILE, help="Draft the mapping from this export; guesses are marked.")
@click.option(
    "--dictionary", type=_FILE, help="The export is a REDCap project's; this is its data dictionary."
)
@click.option("--events", type=_FILE, help="The REDCap project's events, or its form-event mapping.")
@click.option(
    "--redcap", is_flag=True, help="Write a REDCap project (FIQR, ACR 2016) and a study that reads it."
)
def init(
    folder: Path, export: Path | None, dictionary: Path | None, events: Path | None, redcap: bool
) -> None:
    """Write a new study folder: a commented study.yaml and template files."""
    if redcap and export is not None:
        raise InputError("--redcap and --from exclude each other", mend="use one of them")
    if export is None and (dictionary or events):
        raise InputError("--dictionary and --events describe an export", mend="add --from EXPORT")
    if redcap:
        from fm_platform.redcap_project import write_redcap_project

        written = write_redcap_project(folder)
        next_step = f"upload redcap/dictionary.csv to REDCap; put exports into {folder / 'redcap'}"
    elif export is not None:
        from fm_platform.drafting import draft_study
        from fm_platform.redcap_drafting import draft_redcap_study

        if dictionary is not None:
            written = draft_redcap_study(folder, export, dictionary, events)
        else:
            written = draft_study(folder, export)
        next_step = "check the lines marked `# guess`"
    else:
        from fm_platform.scaffold import write_study

        written = write_study(folder)
        next_step = "put your data into these files"
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"next: {next_step}, then `fm refresh --study {folder}`")


@fm.command()
@_place_options
@click.option("--all", "everything", is_flag=True, help="Resolved queries, too.")
@click.option("--rule", help="Only this rule, e.g. FM021.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@_json_option
def queries(
    study: Path | None, home: Path | None, everything: bool, rule: str | None, as_csv: bool, as_json: bool
) -> None:
    """Data queries for the study site: what to check, since when, and where it stands in the delivery."""
    from fm_platform.catalog.query_list import query_list
    from fm_platform.terminal import print_frame, rows_as_json

    frame = query_list(_home(study, home), everything=everything, rule=rule)
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


@fm.command()
@_place_options
@click.option("--rule", required=True, help="FM021: a subject or visit that an earlier delivery had.")
@click.option("--source", required=True, help="The clinical source.")
@click.option("--subject", required=True, help="The subject.")
@click.option("--visit", help="Only this visit (default: the subject with all visits).")
@click.option("--reason", required=True, help="Why, for the ledger.")
@_json_option
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


@fm.command()
@_place_options
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def dev(study: Path | None, home: Path | None, port: int) -> None:
    """Start the Dagster UI for this study and home on 127.0.0.1."""
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.defs.serve import serve
    from fm_platform.study import load_study

    folder = study_folder(study, home)
    place = home_of(load_study(folder), home)
    click.echo(f"study {folder}\nhome  {place.path}\nUI    http://127.0.0.1:{port}  (Ctrl+C ends it)")
    sys.stdout.flush()
    serve(folder, place, port)


def _pair(text: str, option: str) -> tuple[str, str]:
    """``NAME=VALUE`` as a pair."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"{option} {text}: expected NAME=VALUE", mend=f"write e.g. {option} visit=week_12")
    return name, value


def _home(study: Path | None, home: Path | None) -> Any:
    """The home alone, for commands that need no study folder when a home is named."""
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.study import load_study
    from fm_platform.warehouse.home import Home

    if home is not None:
        return Home(home.resolve())
    return home_of(load_study(study_folder(study)), None)
