"""One number recomputed elsewhere: the options of ``fm explain --recompute``.

Belongs here: these options and one call. Does not belong here: explaining, the whole report (``exporting``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from fm_platform.commands.options import FOLDER
from fm_platform.errors import InputError


def recompute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--recompute``, ``--reason`` and ``--with-subject-ids``."""
    for option in (
        click.option("--with-subject-ids", is_flag=True, help="There, subjects under their own ids."),
        click.option(
            "--reason", metavar="TEXT", help="Why rows leave, for the ledger; goes with --recompute."
        ),
        click.option(
            "--recompute",
            type=FOLDER,
            metavar="DIR",
            help="Also write a folder that recomputes this number in R and Python without this program.",
        ),
    ):
        command = option(command)
    return command


def recompute_number(
    study: Path | None,
    home: Path | None,
    table: str,
    where: Sequence[tuple[str, str | None]],
    column: str | None,
    folder: Path,
    reason: str | None,
    with_subject_ids: bool,
) -> None:
    """Write the folder of one number, and say so on standard error."""
    from fm_platform.catalog.disclosure.recomputation.export import export_recomputation
    from fm_platform.catalog.disclosure.recomputation.one import Asked
    from fm_platform.catalog.graph import build_catalog
    from fm_platform.catalog.places import home_of, study_folder

    if column is None:
        raise InputError("a row has several numbers", mend="name one with --column")
    catalog = build_catalog(study_folder(study, home))
    made = export_recomputation(
        catalog,
        home_of(catalog.study, home),
        folder,
        reason=reason,
        with_subject_ids=with_subject_ids,
        only=Asked(table, where, column),
    )
    click.echo(f"{made.files} files in {folder}: run recompute.R or recompute.py there", err=True)
