"""``fm``: the console script.

Belongs here: the group of commands, and exit codes. Does not belong here: a command (``commands``).
"""

from __future__ import annotations

import gc
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import click

from fm_platform.errors import FmError

INTERNAL_ERROR = 4
INTERRUPTED = 130
OBJECTS_A_SWEEP = 20_000
"""New objects from which on Python looks for garbage. Its usual 700 is for small programs: with the libraries of a
refresh loaded, a tenth of the time went into looking."""


def main() -> None:
    """The console script: runs a command and turns errors into exit codes.

    0 done; 1 a blocking check failed or an alteration was found; 2 the input or configuration is wrong; 3 the
    environment failed; 4 an internal error; 130 interrupted.
    """
    gc.set_threshold(OBJECTS_A_SWEEP, 20, 20)
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


class _Commands(click.Group):
    """Commands by the module that has them, loaded when one is asked for."""

    modules: ClassVar = {
        "accept": "deliveries",
        "audit": "audit",
        "de": "expression",
        "dev": "serving",
        "diff": "comparing",
        "erase": "erasing",
        "explain": "explain",
        "export": "exporting",
        "exports": "exports",
        "impact": "impact",
        "init": "studies",
        "lineage": "lineage",
        "lock": "history",
        "queries": "deliveries",
        "query": "reading",
        "refresh": "refreshing",
        "reproduce": "reproducing",
        "snapshots": "history",
        "status": "refreshing",
        "verify": "tracing",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in self.modules:
            return None
        found = getattr(import_module(f"fm_platform.commands.{self.modules[cmd_name]}"), cmd_name)
        assert isinstance(found, click.Command)
        return found


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="fm-platform", prog_name="fm")
def fm() -> None:
    """A study's clinical and expression data, validated, analysed and traceable to the delivered line."""
