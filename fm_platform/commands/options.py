"""Options that several commands share, and what their values stand for.

Belongs here: ``--study``, ``--home``, ``--json``, NAME=VALUE. Does not belong here: a command.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fm_platform.errors import InputError

if TYPE_CHECKING:
    from fm_platform.warehouse.home import Home

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


def place_options(command: Command) -> Command:
    """Add ``--study`` and ``--home`` to a command."""
    for option in (
        click.option(
            "--home", type=FOLDER, envvar="FM_HOME", help="Where results are kept (default var/<study id>)."
        ),
        click.option(
            "--study", type=FOLDER, envvar="FM_STUDY", help="Folder with a study.yaml (default data/demo)."
        ),
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def reason_option(command: Command) -> Command:
    """Add ``--reason`` to a command that needs none, but records it."""
    return click.option("--reason", metavar="TEXT", help="Why, for the ledger.")(command)


def pair(text: str, option: str) -> tuple[str, str]:
    """``NAME=VALUE`` as a pair."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"{option} {text}: expected NAME=VALUE", mend=f"write e.g. {option} visit=week_12")
    return name, value


def home_named(study: Path | None, home: Path | None) -> Home:
    """The home alone, for commands that need no study folder when a home is named."""
    from fm_platform.warehouse.home import Home

    if home is not None:
        return Home(home.resolve())
    from fm_platform.catalog.places import home_of, study_folder
    from fm_platform.study.loading import load_study

    return home_of(load_study(study_folder(study)), None)
