"""DuckDB extensions from installed packages: nothing is downloaded at run time.

Belongs here: which extensions a connection string needs and where their files are. Does not belong here: loading them.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path

import duckdb

from fm_platform.errors import EnvironmentFailure

_CATALOGS = {"postgres": "postgres_scanner", "sqlite": "sqlite_scanner"}


def required_extensions(url: str) -> list[str]:
    """The extensions that a connection string needs, in loading order.

    Args:
        url: A file, or ``ducklake:`` with a catalog (a file, ``postgres:...`` or ``sqlite:...``).
    """
    if not url.startswith("ducklake:"):
        return []
    catalog = url.removeprefix("ducklake:").split(":", 1)[0]
    return [*([_CATALOGS[catalog]] if catalog in _CATALOGS else []), "ducklake"]


def extension_file(name: str) -> Path:
    """The file of an extension for the installed DuckDB.

    Raises:
        EnvironmentFailure: Its package is not installed, or is for another version of DuckDB.
    """
    version = duckdb.__version__
    spec = util.find_spec(f"duckdb_extension_{name}")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "extensions" / f"v{version}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    raise EnvironmentFailure(
        f"FM_WAREHOUSE needs DuckDB's extension {name}",
        mend=f"pip install duckdb-extension-{name.replace('_', '-')}=={version}",
    )
