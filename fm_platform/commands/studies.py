"""``fm init``: a new study folder.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

from pathlib import Path

import click

from fm_platform.commands.options import FILE, FOLDER
from fm_platform.errors import InputError


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--from", "export", type=FILE, help="Draft the mapping from this export; guesses are marked.")
@click.option(
    "--dictionary", type=FILE, help="The export is a REDCap project's; this is its data dictionary."
)
@click.option("--events", type=FILE, help="The REDCap project's events, or its form-event mapping.")
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
        from fm_platform.drafting.redcap_project import write_redcap_project

        written = write_redcap_project(folder)
        next_step = f"upload redcap/dictionary.csv to REDCap; put exports into {folder / 'redcap'}"
    elif export is not None:
        from fm_platform.drafting.exports import draft_study
        from fm_platform.drafting.redcap_exports import draft_redcap_study

        if dictionary is not None:
            written = draft_redcap_study(folder, export, dictionary, events)
        else:
            written = draft_study(folder, export)
        next_step = "correct these lines where they are wrong"
    else:
        from fm_platform.drafting.scaffold import write_study

        written = write_study(folder)
        next_step = "put your data into these files"
    for path in written:
        click.echo(f"wrote {path}")
    if export is not None:
        _list_guesses(written[0])
    click.echo(f"next: {next_step}, then `fm refresh --study {folder}`")


def _list_guesses(study_file: Path) -> None:
    from fm_platform.drafting.guesses import guesses_in

    found = guesses_in(study_file.read_text(encoding="utf-8"))
    click.echo(f"{len(found)} guess{'' if len(found) == 1 else 'es'} in {study_file}, each marked `# guess`:")
    for guess in found:
        note = f"  ({guess.note})" if guess.note else ""
        click.echo(f"{guess.line:>5}: {guess.text}{note}")
