"""``fm dev``: the Dagster UI.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fm_platform.commands.options import place_options


@click.command()
@place_options
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def dev(study: Path | None, home: Path | None, port: int) -> None:
    """Start the Dagster UI for this study and home on 127.0.0.1."""
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.defs.serve import serve
    from fm_platform.study.loading import load_study

    folder = study_folder(study, home)
    place = home_of(load_study(folder), home)
    click.echo(f"study {folder}\nhome  {place.path}\nUI    http://127.0.0.1:{port}  (Ctrl+C ends it)")
    sys.stdout.flush()
    serve(folder, place, port)
