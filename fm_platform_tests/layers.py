"""Everything that a home holds, opened: files, rows of DuckDB tables, and what is gzipped or in base64 within them."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb


def layers_of(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every layer of a home, with where it stands: a path, and of a database the table."""
    for path in sorted(path for path in home.rglob("*") if path.is_file() and path.name != "lock"):
        place = path.relative_to(home).as_posix()
        if path.suffix == ".duckdb":
            yield from ((f"{place} {table}", layer) for table, layer in _rows_of(path))
        else:
            yield from ((place, layer) for layer in opened(path.read_bytes()))


def opened(content: bytes) -> Iterator[bytes]:
    """A content, and what stands in it gzipped or in base64, to any depth."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield from opened(gzip.decompress(content))
    for encoded in re.findall(rb"base64,([A-Za-z0-9+/]+=*)", content):
        yield from opened(base64.b64decode(encoded))


def _rows_of(path: Path) -> Iterator[tuple[str, bytes]]:
    with duckdb.connect(str(path), read_only=True) as database:
        for schema, table in database.sql("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            name = f'"{schema}"."{table}"'
            for (row,) in database.sql(f"SELECT CAST(t AS VARCHAR) FROM {name} AS t").fetchall():
                yield f"{schema}.{table}", row.encode()
            blobs = [c for c, kind, *_ in database.sql(f"DESCRIBE {name}").fetchall() if kind == "BLOB"]
            for column in blobs:
                for (blob,) in database.sql(f'SELECT "{column}" FROM {name}').fetchall():
                    yield from ((f"{schema}.{table}", layer) for layer in opened(blob or b""))
