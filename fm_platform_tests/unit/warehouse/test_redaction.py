"""A database without a subject: rows of one person, and the report that draws each person's own line."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import duckdb

from fm_platform.warehouse.redaction import Erased, redacted_copy

SVG = b"<svg><text>SYN03</text><path d='M 0 7 L 1 3'/></svg>"


def made(path: Path) -> Path:
    html = b"<img src='data:image/svg+xml;base64," + base64.b64encode(SVG) + b"'>"
    files = {
        "reports/figures/symptom_panels.svg": SVG,
        "reports/report.html": html,
        "reports/tables/x.csv": b"a,n\nf,1\n",
    }
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE SCHEMA staging")
        database.execute("CREATE SCHEMA audit")
        database.execute(
            "CREATE TABLE staging.visits AS SELECT * FROM (VALUES ('SYN03', ['r1']), ('SYN04', ['r2'])) "
            "AS t (subject_id, _row_ids)"
        )
        database.execute("CREATE TABLE audit.report_files (path VARCHAR, sha256 VARCHAR, content_gzip BLOB)")
        for name, content in files.items():
            database.execute(
                "INSERT INTO audit.report_files VALUES (?, 'x', ?)", [name, gzip.compress(content)]
            )
    return path


def blobs(path: Path) -> list[bytes]:
    """Every blob of a database, unpacked, and what stands in it in base64."""
    found = []
    with duckdb.connect(str(path), read_only=True) as database:
        for (content,) in database.sql("SELECT content_gzip FROM audit.report_files").fetchall():
            plain = gzip.decompress(content)
            found += [plain, *(base64.b64decode(part.split(b"'")[0]) for part in plain.split(b"base64,")[1:])]
    return found


def test_no_layer_of_a_redacted_snapshot_shows_the_subject(tmp_path):
    original = made(tmp_path / "a.duckdb")
    assert sum(b"SYN03" in layer for layer in blobs(original)) == 2
    redacted_copy(original, tmp_path / "b.duckdb", Erased("SYN03", ["r1"]))
    assert not any(b"SYN03" in layer for layer in blobs(tmp_path / "b.duckdb"))
    with duckdb.connect(str(tmp_path / "b.duckdb"), read_only=True) as database:
        assert database.sql("SELECT subject_id FROM staging.visits").fetchall() == [("SYN04",)]
    assert sum(b"SYN03" in layer for layer in blobs(original)) == 2


def test_a_database_without_a_report_is_redacted_too(tmp_path):
    path = tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE rows AS SELECT 'SYN03' AS subject_id")
    redacted_copy(path, tmp_path / "b.duckdb", Erased("SYN03", []))
    with duckdb.connect(str(tmp_path / "b.duckdb"), read_only=True) as database:
        assert database.sql("SELECT * FROM rows").fetchall() == []
