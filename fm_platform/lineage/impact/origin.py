"""The delivered rows that an impact analysis begins with: a line of a file, or everything of one subject.

Belongs here: finding raw rows and count columns in the published file. Does not belong here: where they lead
(``reached``), reading study.yaml or delivered files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.links.ahead import Ahead
from fm_platform.lineage.links.behind import Behind
from fm_platform.lineage.links.book import LinkBook
from fm_platform.lineage.source_rows import SourceRow
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published

SAMPLES, SHEET = "expression.samples", "raw.samples"
_KEY_SEPARATOR = "-"


@dataclass(frozen=True)
class Origin:
    """What is imagined to be absent.

    Attributes:
        asked: The question in words.
        rows: The raw rows, by file and line.
        subjects: Subjects that vanish with them altogether.
        samples: Samples that vanish.
        count_ids: Their columns in the count matrices.
    """

    asked: str
    rows: tuple[SourceRow, ...]
    subjects: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    count_ids: tuple[str, ...] = ()

    @property
    def row_ids(self) -> list[str]:
        """Ids of the raw rows."""
        return [row.row_id for row in self.rows]


def origin_of_line(published: Published, path: str, line: int) -> Origin:
    """The rows that stand on one line of a delivered file; a REDCap line is a row of several forms.

    Args:
        published: The open published warehouse.
        path: The file below the study folder, as ``fm explain`` prints it.
        line: The 1-based line that the row begins on.

    Raises:
        InputError: The file or the line holds no published row.
    """
    known = published.ask("SELECT DISTINCT path FROM audit.source_rows ORDER BY path")["path"]
    if path not in known:
        raise InputError(f"no published row comes from {path}", mend=f"use one of: {', '.join(known)}")
    rows = _source_rows(published, "path = ? AND line = ?", [path, line])
    if not rows:
        low, high = published.ask(
            "SELECT min(line), max(line) FROM audit.source_rows WHERE path = ?", [path]
        ).values[0]
        raise InputError(
            f"no row begins on line {line} of {path}", mend=f"its rows begin on lines {low} to {high}"
        )
    ids = [row.row_id for row in rows]
    return Origin(
        asked=f"{path}:{line}",
        rows=rows,
        subjects=_subjects_only_here(published, ids, rows),
        **_samples(published, f"sample_id IN ({_samples_of_rows(published)})", ids),
    )


def origin_of_subject(published: Published, subject: str) -> Origin:
    """Every raw row of a subject, set-aside rows included, and the subject's samples.

    Args:
        published: The open published warehouse.
        subject: The id as in ``staging.stg_subjects`` and ``expression.samples``.

    Raises:
        InputError: Nobody of that id was delivered.
    """
    samples = _samples(published, "subject_id = ?", subject)
    ids = set(_ids_of_samples(published, samples["samples"]))
    for source in _clinical_sources(published):
        ids.update(rows_of_subject(published, source, subject))
    rows = _source_rows(published, "list_contains(?::VARCHAR[], _row_id)", [sorted(ids)])
    if not rows:
        raise InputError(
            f"no delivered row belongs to subject {subject!r}",
            mend=f"subjects are: {', '.join(_all_subjects(published)[:20])}",
        )
    return Origin(
        asked=f"subject {subject}",
        rows=rows,
        subjects=(subject,),
        **samples,
    )


def has_table(published: Published, table: str) -> bool:
    """Whether the published file has a table."""
    schema, _, name = table.partition(".")
    found = published.recall(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, name]
    )
    return not found.is_empty()


def _source_rows(published: Published, condition: str, values: Sequence[Any]) -> tuple[SourceRow, ...]:
    found = published.ask(
        f"SELECT _row_id, source, path, line, file_sha256 FROM audit.source_rows WHERE {condition} "
        "ORDER BY source, path, line",
        values,
    )
    return tuple(SourceRow(*row) for row in found.rows())


def _clinical_sources(published: Published) -> list[str]:
    """Sources whose raw columns make up a staged subject id, so that a row's subject can be read off it."""
    found = published.recall(
        "SELECT DISTINCT substr(table_name, 9) AS source FROM audit.column_lineage WHERE column_name = 'subject_id' "
        "AND table_name LIKE 'staging.%' AND input_table = 'raw.' || substr(table_name, 9) ORDER BY source"
    )
    return found["source"]


def rows_of_subject(published: Published, source: str, subject: str) -> list[str]:
    """Ids of a source's raw rows, accepted or set aside, that belong to a subject.

    A row belongs when its subject columns hold what an accepted row of the subject holds. Where no row was accepted,
    they must spell the id itself.
    """
    parts = published.recall(
        "SELECT DISTINCT input_column FROM audit.column_lineage WHERE table_name = ? AND column_name = 'subject_id' "
        "AND input_table = ? AND kind = 'DIRECT'",
        [f"staging.{source}", f"raw.{source}"],
    )["input_column"]
    raw = f"raw.{identifier(source)}"
    cells = [f"trim(r.{identifier(part)})" for part in parts]
    staged = _staged_rows(published, source, subject)
    confirmed = published.recall(
        f"SELECT DISTINCT {', '.join(cells)} FROM {raw} AS r WHERE list_contains(?::VARCHAR[], r._row_id)",
        [staged],
    ).rows()
    wanted = set(confirmed) or _spellings(subject, len(parts))
    found: set[str] = set(staged)
    for values in wanted:
        condition = " AND ".join(f"{cell} = ?" for cell in cells)
        found.update(
            published.recall(f"SELECT r._row_id FROM {raw} AS r WHERE {condition}", list(values))["_row_id"]
        )
    return sorted(found)


def _staged_rows(published: Published, source: str, subject: str) -> list[str]:
    """Ids of the raw rows behind a subject's accepted rows."""
    table = f"staging.{source}"
    if not LinkBook(published).present:
        found = published.recall(
            f"SELECT DISTINCT unnest(_row_ids) AS id FROM {quoted_table(table)} WHERE subject_id = ?",
            [subject],
        )
        return found["id"]
    rows = published.ask(f"SELECT rowid FROM {quoted_table(table)} WHERE subject_id = ?", [subject])["rowid"]
    behind = Behind(LinkBook(published), table, rows, None)
    return [row.row_id for row in behind.delivered() if row.table == f"raw.{source}"]


def _spellings(subject: str, parts: int) -> set[tuple[str, ...]]:
    """How an id that no accepted row confirms may be made of its parts: in the order written, and reversed."""
    if parts == 1:
        return {(subject,)}
    pieces = tuple(subject.split(_KEY_SEPARATOR))
    return {pieces, pieces[::-1]} if len(pieces) == parts else set()


def _samples(published: Published, condition: str, value: Any) -> dict[str, tuple[str, ...]]:
    if not has_table(published, SAMPLES):
        return {"samples": (), "count_ids": ()}
    found = published.ask(
        f"SELECT sample_id, count_id FROM {SAMPLES} WHERE {condition} ORDER BY sample_id", [value]
    )
    return {
        "samples": tuple(found["sample_id"]),
        "count_ids": tuple(count for count in found["count_id"] if count is not None),
    }


def _samples_of_rows(published: Published) -> str:
    """A SELECT of the samples whose sheet rows are among bound ids."""
    pairs = LinkBook(published).delivered_pairs(SAMPLES, SHEET)
    return f"SELECT l.sample_id FROM ({pairs}) AS l WHERE list_contains(?::VARCHAR[], l._row_id)"


def _ids_of_samples(published: Published, samples: Sequence[str]) -> list[str]:
    if not samples:
        return []
    if not LinkBook(published).present:
        return published.ask(
            f"SELECT DISTINCT unnest(_row_ids) AS id FROM {SAMPLES} WHERE list_contains(?::VARCHAR[], sample_id)",
            [list(samples)],
        )["id"]
    rows = published.ask(
        f"SELECT rowid FROM {SAMPLES} WHERE list_contains(?::VARCHAR[], sample_id)", [list(samples)]
    )["rowid"]
    behind = Behind(LinkBook(published), SAMPLES, rows, None)
    return [row.row_id for row in behind.delivered() if row.table == SHEET]


def _subjects_only_here(
    published: Published, ids: Sequence[str], rows: Sequence[SourceRow]
) -> tuple[str, ...]:
    """Subjects whose row among the participants rests on no other raw row."""
    table, book = "staging.stg_subjects", LinkBook(published)
    if not has_table(published, table):
        return ()
    start = [(f"raw.{row.source}", "", f"t._row_id = {literal(row.row_id)}") for row in rows]
    found = []
    for rowid in Ahead(book, start).cells(table):
        behind = {row.row_id for row in Behind(book, table, [rowid], None).delivered()}
        if behind <= set(ids):
            found.append(rowid)
    listed = ", ".join(str(rowid) for rowid in found) or "NULL"
    subjects = published.ask(f"SELECT subject_id FROM {table} WHERE rowid IN ({listed}) ORDER BY subject_id")
    return tuple(subjects["subject_id"])


def _all_subjects(published: Published) -> list[str]:
    tables = [t for t in ("staging.stg_subjects", SAMPLES) if has_table(published, t)]
    sql = " UNION ".join(f"SELECT subject_id FROM {table} WHERE subject_id IS NOT NULL" for table in tables)
    return published.ask(f"{sql} ORDER BY 1")["subject_id"] if sql else []
