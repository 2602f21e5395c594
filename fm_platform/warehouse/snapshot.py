"""Kept snapshots, opened read-only: one for its report, two side by side for a comparison.

Belongs here: attaching snapshot files. Does not belong here: what is compared, or which file a name stands for.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.warehouse.connection import connect
from fm_platform.warehouse.home import write_atomically
from fm_platform.warehouse.names import identifier, literal, relation

REPORT_FILES = "audit.report_files"


@contextmanager
def open_snapshots(**files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach snapshot files read-only, each under its keyword; what is made beside them stays in memory.

    Raises:
        EnvironmentFailure: A file cannot be opened.
    """
    connection = connect()
    try:
        for name, path in files.items():
            try:
                connection.execute(f"ATTACH {literal(str(path))} AS {identifier(name)} (READ_ONLY)")
            except duckdb.Error as error:
                raise EnvironmentFailure(
                    f"cannot be opened: {str(error).splitlines()[0]}", file=path, mend="run `fm verify`"
                ) from error
        for setting in (
            "autoinstall_known_extensions",
            "autoload_known_extensions",
            "python_enable_replacements",
        ):
            connection.execute(f"SET {setting} = false")
        connection.execute("SET enable_external_access = false")
        yield connection
    finally:
        connection.close()


def write_report(snapshot: Path, folder: Path) -> list[Path]:
    """Write the report that a snapshot holds into a folder.

    Returns:
        The files written.

    Raises:
        InputError: The snapshot holds no report.
        EnvironmentFailure: It cannot be opened, or the folder not written.
    """
    with open_snapshots(snapshot=snapshot) as connection:
        try:
            rows = connection.sql(
                f"SELECT path, content_gzip FROM {relation(REPORT_FILES, 'snapshot')} ORDER BY path"
            ).fetchall()
        except duckdb.CatalogException:
            rows = []
    if not rows:
        raise InputError(
            "this snapshot holds no report (an erasure takes it out)",
            file=snapshot,
            mend="choose a later one",
        )
    written = [folder / Path(name).relative_to("reports") for name, _ in rows]
    for path, (_, content) in zip(written, rows, strict=True):
        write_atomically(path, gzip.decompress(content))
    return written
