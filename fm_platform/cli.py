"""``fm``: the console script.

Belongs here: the group of commands, and exit codes. Does not belong here: a command (``commands``).
"""

from __future__ import annotations

import gc
import sys
import traceback
from importlib import metadata
from pathlib import Path

import click

from fm_platform.commands.audit import audit
from fm_platform.commands.comparing import diff
from fm_platform.commands.deliveries import accept, queries
from fm_platform.commands.erasing import erase
from fm_platform.commands.explain import explain
from fm_platform.commands.exporting import export
from fm_platform.commands.exports import exports
from fm_platform.commands.expression import de
from fm_platform.commands.history import lock, snapshots
from fm_platform.commands.impact import impact
from fm_platform.commands.lineage import lineage
from fm_platform.commands.reading import query
from fm_platform.commands.refreshing import refresh, status
from fm_platform.commands.reproducing import reproduce
from fm_platform.commands.serving import dev
from fm_platform.commands.studies import init
from fm_platform.commands.tracing import verify
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(metadata.version("fm-platform"), prog_name="fm")
def fm() -> None:
    """A study's clinical and expression data, validated, analysed and traceable to the delivered line."""


for _command in (
    refresh,
    status,
    query,
    queries,
    accept,
    erase,
    explain,
    impact,
    lineage,
    diff,
    snapshots,
    lock,
    reproduce,
    verify,
    audit,
    export,
    exports,
    de,
    init,
    dev,
):
    fm.add_command(_command)
