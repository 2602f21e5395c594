"""Subjects who withdraw: what is set aside at every gate, and what an erasure leaves of one."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from fm_platform_tests.e2e.conftest import Workspace
from fm_platform_tests.e2e.test_impact import without

STOPPED, ERASED = "SYN02", "SYN03"
LISTED = f"subject,date,scope\n{STOPPED},2021-04-20,stop\n{ERASED},2021-06-01,erase\n"


def rows(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def declare(workspace: Workspace) -> None:
    (workspace.study / "withdrawals.csv").write_text(LISTED)
    workspace.edit(
        "study.yaml",
        lambda text: text.replace("\nexpression:", "\nwithdrawals: withdrawals.csv\n\nexpression:"),
    )


def test_withdrawn_subjects_are_set_aside_and_an_erased_one_is_purged(workspace: Workspace):
    declare(workspace)
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert_set_aside(workspace)

    early = workspace.fm("erase", "--subject", ERASED, "--reason", "consent")
    assert early.code == 2
    assert "clinical/visits.csv" in early.err
    assert workspace.fm("erase", "--subject", STOPPED, "--reason", "consent").code == 2

    delivered = {
        name: (workspace.study / name).read_bytes()
        for name in (
            "clinical/participants.csv",
            "clinical/visits.csv",
            "rnaseq/samples.csv",
            "rnaseq/counts.csv",
        )
    }
    their_line = next(
        line for line in delivered["clinical/visits.csv"].splitlines() if ERASED.encode() in line
    )
    without(workspace.study, ERASED)
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert rows(workspace, "SELECT * FROM report.data_queries WHERE subject = 'SYN03'") == []

    outcome = workspace.fm("erase", "--subject", ERASED, "--reason", "consent withdrawn")
    assert outcome.code == 0, outcome.err
    remains = outcome.out.partition("what remains:")[2]
    for said in ("withdrawals.csv", "ledger, ", "3 snapshots, 2 of them redacted", "backups"):
        assert said in remains
    assert_purged(workspace, their_line)

    verified = workspace.fm("verify")
    assert verified.code == 0, verified.out
    assert "4 sources and 2 snapshots were redacted by erasure record" in verified.out
    assert json.loads(workspace.fm("refresh", "--json").out)["computed"] == []

    for name, content in delivered.items():
        (workspace.study / name).write_bytes(content)
    back = workspace.fm("refresh")
    assert back.code == 2
    assert "SYN03 was erased" in back.err
    (workspace.home / "sources" / "extra.gz").write_bytes(b"")
    assert workspace.fm("verify").code == 1


def assert_set_aside(workspace: Workspace) -> None:
    """The gate, the marts, the statistics, the samples and the questions, before anything is erased."""
    aside = rows(workspace, "SELECT value, reason FROM quarantine.visits WHERE rule = 'FM033' ORDER BY ALL")
    assert [row["value"] for row in aside] == [STOPPED, *[ERASED] * 3]
    assert "had withdrawn before the visit (stop, 2021-04-20)" in aside[0]["reason"]
    assert rows(workspace, "SELECT count(*) AS n FROM raw.visits") == [{"n": 18}]
    kept = rows(workspace, "SELECT visit_id FROM staging.visits WHERE subject_id = 'SYN02' ORDER BY 1")
    assert [row["visit_id"] for row in kept] == ["baseline", "week_4"]
    assert rows(workspace, "SELECT * FROM marts.participants WHERE subject_id = 'SYN03'") == []
    n = rows(
        workspace,
        "SELECT visit, n FROM report.symptom_change WHERE outcome = 'pain' AND stratum IS NULL ORDER BY visit",
    )
    assert n == [{"visit": "week_12", "n": 4}, {"visit": "week_4", "n": 5}]
    out = rows(
        workspace, "SELECT sample_id, reason FROM expression.samples WHERE position IS NULL ORDER BY 1"
    )
    assert [row["sample_id"] for row in out] == ["SYN02_w12", "SYN03_w00"]
    assert "withdrew (erase, 2021-06-01)" in out[1]["reason"]
    contrasts = rows(
        workspace, "SELECT contrast, status, reason, n_samples FROM expression.contrasts ORDER BY 1"
    )
    assert contrasts[0]["status"] == "skipped"
    assert "withdrawals leave too few samples" in contrasts[0]["reason"]
    assert contrasts[1]["n_samples"] == 9
    checks = rows(workspace, "SELECT check_name FROM audit.checks WHERE blocking AND NOT passed")
    assert checks == []


def named_files(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything in a home that can be opened: files, DuckDB blobs, and what is gzipped or in base64 within them."""
    for path in sorted(path for path in home.rglob("*") if path.is_file() and path.name != "lock"):
        if path.suffix != ".duckdb":
            layers = list(opened(path.read_bytes()))
            if path.parent.name == "sources" and LISTED.encode() in layers:
                continue  # the list of withdrawals, which has to name the subject
            yield from ((path, layer) for layer in layers)
            continue
        with duckdb.connect(str(path), read_only=True) as database:
            blobs = database.sql(
                "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE data_type = 'BLOB'"
            ).fetchall()
            for schema, table, column in blobs:
                for (blob,) in database.sql(f'SELECT "{column}" FROM "{schema}"."{table}"').fetchall():
                    yield from ((path, layer) for layer in opened(blob or b""))


def opened(content: bytes) -> Iterator[bytes]:
    """A content, and what stands in it gzipped or in base64, to any depth."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield from opened(gzip.decompress(content))
    for encoded in re.findall(rb"base64,([A-Za-z0-9+/]+=*)", content):
        yield from opened(base64.b64decode(encoded))


def test_layers_are_opened_to_any_depth():
    within = b"data:image/svg+xml;base64," + base64.b64encode(gzip.compress(b"<text>SYN03</text>"))
    assert any(b"SYN03" in layer for layer in opened(gzip.compress(within)))


def assert_purged(workspace: Workspace, their_line: bytes) -> None:
    """No stored source, snapshot or table says anything of the subject; the record and others' lines stay."""
    for path in (workspace.home / "sources").iterdir():
        content = gzip.decompress(path.read_bytes())
        assert their_line not in content
        assert ERASED.encode() not in content or content.decode() == LISTED
    databases = [
        *(workspace.home / "snapshots").iterdir(),
        workspace.home / "warehouse.duckdb",
        workspace.home / "work.duckdb",
    ]
    assert len(databases) == 5
    for path in databases:
        with duckdb.connect(str(path), read_only=True) as database:
            for schema, table in database.sql(
                "SELECT schema_name, table_name FROM duckdb_tables()"
            ).fetchall():
                if (schema, table) in (("raw", "withdrawals"), ("audit", "ledger")):
                    continue
                found = database.sql(
                    f"""SELECT count(*) FROM "{schema}"."{table}" AS t WHERE CAST(t AS VARCHAR) LIKE '%{ERASED}%'"""
                ).fetchone()
                assert found == (0,), (path.name, schema, table)
    assert [path.name for path, found in named_files(workspace.home) if ERASED.encode() in found] == []
    assert not (workspace.home / "dagster" / "history").exists()
    with duckdb.connect(str(workspace.home / "work.duckdb"), read_only=True) as database:
        bodies = [row[0] for row in database.sql("SELECT body FROM audit.ledger").fetchall()]
    assert not any(ERASED in body for body in bodies)
    explained = workspace.fm(
        "explain", "staging.stg_subjects", "--where", "subject_id=SYN04", "--json"
    )  # fmt: skip
    assert explained.code == 0
