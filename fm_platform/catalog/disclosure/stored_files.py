"""What an erasure makes of the files in the store: redacted copies of those that hold the subject, or none.

Belongs here: which stored files hold a subject or a sample of theirs. Does not belong here: how text is blanked
(``sources.redaction``), the order of an erasure (``erasure``).
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fm_platform.errors import FmError
from fm_platform.lineage.erasures import Erasures
from fm_platform.sources.files import Content, content_of
from fm_platform.sources.margins import r_row_names
from fm_platform.sources.records import Records, worksheets_in
from fm_platform.sources.redaction import without_records, without_sample
from fm_platform.sources.sample_files import names_of
from fm_platform.sources.store import keep_content
from fm_platform.study.model import Study
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord

COUNTS, SAMPLES = "counts", "samples"


@dataclass(frozen=True)
class Delivered:
    """A delivered file as it is stored now.

    Attributes:
        original: SHA-256 as delivered.
        sha256: SHA-256 of what is stored.
        stored: Where.
        paths: The paths under which it was delivered.
        sources: What it was read as.
    """

    original: str
    sha256: str
    stored: Path
    paths: Sequence[str]
    sources: Collection[str]


def delivered_files(records: Iterable[LedgerRecord], home: Home, erasures: Erasures) -> Iterator[Delivered]:
    """Every delivered file that is in the store, but for the lists of withdrawals."""
    found: dict[str, tuple[dict[str, None], set[str]]] = {}
    for record in records:
        if record.kind == "source":
            paths, sources = found.setdefault(record.content["sha256"], ({}, set()))
            paths[record.content["path"]] = None
            sources.add(record.content["source"])
    for original, (paths, sources) in sorted(found.items()):
        sha256 = erasures.source_now(original)
        stored = home.sources / f"{sha256}.gz"
        if sha256 is not None and stored.is_file() and sources != {"withdrawals"}:
            yield Delivered(original, sha256, stored, tuple(paths), sources)


def samples_of(files: Iterable[Delivered], study: Study, subject: str) -> set[str]:
    """The names of a subject's samples in every stored sample sheet: ids, and names in the count matrix."""
    declared = study.expression.samples if study.expression is not None else None
    found: set[str] = set()
    for file in files:
        if declared is None or SAMPLES not in file.sources:
            continue
        try:
            sheets = worksheets_in(content_of(_content(file), file.stored.name))
        except (FmError, UnicodeDecodeError):
            continue
        for row in (row for sheet in sheets for row, _ in _rows(sheet)):
            if _names(row, {SAMPLES}, study, subject):
                found |= {row.get(part, "").strip() for part in (declared.id, declared.count_id) if part}
    return found - {""}


def redacted_files(
    files: Iterable[Delivered],
    study: Study,
    home: Home,
    subject: str,
    count_ids: Collection[str],
    newest: Collection[str],
) -> list[dict[str, Any]]:
    """Keep redacted copies of all stored files that hold the subject.

    Args:
        files: What is in the store.
        study: Tells which columns name subjects.
        home: Where the copies are kept.
        subject: The subject.
        count_ids: The samples' names in count files.
        newest: SHA-256 of the files of the last delivery of counts, which is known to be without them.

    Returns:
        For each such file ``path`` (in words where it names a sample), ``sha256`` (before), ``now`` and
        ``stored_sha256`` (None: it goes as a whole).
    """
    entries = []
    for file in files:
        if file.original in newest:
            continue
        content = _content(file)
        redacted = _redacted(content, file, study, subject, count_ids)
        if redacted == content:
            continue
        kept = keep_content(home.sources, redacted) if redacted is not None else None
        entries.append(
            {
                "path": _named(file, count_ids),
                "sha256": file.sha256,
                "now": kept.sha256 if kept else None,
                "stored_sha256": kept.stored_sha256 if kept else None,
            }
        )
    return entries


def _named(file: Delivered, count_ids: Collection[str]) -> str:
    """What the record of an erasure calls a file."""
    path = PurePosixPath(file.paths[0])
    return "counts of an erased sample" if names_of(path) & set(count_ids) else str(path)


def _content(file: Delivered) -> bytes:
    return gzip.decompress(file.stored.read_bytes())


def _redacted(
    delivered: bytes, file: Delivered, study: Study, subject: str, count_ids: Collection[str]
) -> bytes | None:
    """The file without the subject; the same bytes if it does not hold the subject, None if it must go as a whole."""
    if not delivered.strip():
        return delivered
    counts = COUNTS in file.sources
    try:
        content = content_of(delivered, file.stored.name)
    except FmError:
        return None if counts or subject.encode() in delivered else delivered
    redacted = (
        _without_counts(content, file, study, count_ids)
        if counts
        else _without_subject(content, file, study, subject)
    )
    if redacted == content.data:
        return delivered
    if redacted is None or content.data == delivered:
        return redacted
    return gzip.compress(redacted, mtime=0)


def _without_counts(
    content: Content, file: Delivered, study: Study, count_ids: Collection[str]
) -> bytes | None:
    if not count_ids:
        return content.data
    if any(names_of(PurePosixPath(path)) & set(count_ids) for path in file.paths):
        return None
    declared = study.expression.counts.format if study.expression is not None else "auto"
    return without_sample(content.data, count_ids, file.stored.name, in_rows=declared == "transposed")


def _without_subject(content: Content, file: Delivered, study: Study, subject: str) -> bytes | None:
    try:
        sheets = worksheets_in(content)
        if content.kind == "xlsx":
            held = any(_holds(row, subject) for sheet in sheets for row in sheet.rows)
            return None if held else content.data
    except (FmError, UnicodeDecodeError):
        return None if subject.encode() in content.data else content.data
    records = sheets[0]
    starts = [line for row, line in _rows(records) if _names(row, file.sources, study, subject)]
    return without_records(content.data, starts, records.lines, file.stored.name) if starts else content.data


def _rows(records: Records) -> Iterator[tuple[Mapping[str, str], int]]:
    """The records of a table by their headings, each with the line it begins on."""
    header = ["", *records.rows[0]] if r_row_names(records.rows) else records.rows[0]
    for row, line in zip(records.rows[1:], records.lines[1:], strict=True):
        yield dict(zip(header, row, strict=False)), line


def _holds(row: Sequence[str], subject: str) -> bool:
    """Whether a row has a subject's id, in one cell or in parts that stand in several."""
    cells = {cell.strip() for cell in row}
    return subject in cells or ("-" in subject and set(subject.split("-")) <= cells)


def _names(row: Mapping[str, str], sources: Collection[str], study: Study, subject: str) -> bool:
    """Whether a record is the subject's: by the declared columns, or, for a file declared no more, by any cell."""
    for source in sources:
        parts: tuple[str, ...] = ()
        if source in study.clinical:
            parts = study.clinical[source].columns.get("subject", ())
        elif source == SAMPLES and study.expression is not None and study.expression.samples.subject:
            parts = (study.expression.samples.subject,)
        if parts and set(parts) <= set(row):
            if "-".join(row[part].strip() for part in parts) == subject:
                return True
        elif subject in (cell.strip() for cell in row.values()):
            return True
    return False
