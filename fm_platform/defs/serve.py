"""``fm dev``: Dagster's UI and daemon for one study and home, on 127.0.0.1.

Belongs here: the environment and arguments of that process. Does not belong here: definitions.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fm_platform.errors import EnvironmentFailure
from fm_platform.warehouse.home import Home

HOST = "127.0.0.1"


def serve(study_folder: Path, home: Home, port: int) -> None:
    """Replace this process by ``dagster dev``.

    Raises:
        EnvironmentFailure: The port is taken.
    """
    _require_free(port)
    from fm_platform.defs.instance import prepare_dagster_home

    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare_dagster_home(home)),
        "FM_STUDY": str(study_folder),
        "FM_HOME": str(home.path),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DO_NOT_TRACK": "1",
    }
    arguments = ["-m", "dagster", "dev", "-h", HOST, "-p", str(port), "-m", "fm_platform.definitions"]
    os.execve(sys.executable, [sys.executable, *arguments], environment)


def _require_free(port: int) -> None:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise EnvironmentFailure(f"port {port} is taken", mend="choose another with --port") from error
