"""The identity of a raw row: a hash of its content that survives re-sorting and unrelated edits.

Belongs here: the one definition of a row id. Does not belong here: reading files or storing ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

ROW_ID_LENGTH = 32


def row_ids(source: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Give every row its id.

    The id is the SHA-256 (first 32 hex digits) of the source name, the row's (column, value) pairs in
    column-name order, and the occurrence number among identical rows (1 for the first). Every text is
    written with its length in front, so that no two different rows share an encoding.

    Args:
        source: The source's name, as in study.yaml.
        columns: Column names, without duplicates.
        rows: The rows, each with one text per column, in file order.

    Returns:
        One id a row, in the order of the rows; unique within the source.
    """
    order = sorted(range(len(columns)), key=lambda position: columns[position])
    pairs = [(position, _sized(columns[position])) for position in order]
    source_text = _sized(source)
    seen: dict[bytes, int] = {}
    ids = []
    for row in rows:
        cells = "".join([f"{name}{len(row[position])}:{row[position]}" for position, name in pairs])
        content = hashlib.sha256((source_text + cells).encode("utf-8", "surrogatepass"))
        digest = content.digest()
        occurrence = seen[digest] = seen.get(digest, 0) + 1
        content.update(f"#{occurrence}".encode())
        ids.append(content.hexdigest()[:ROW_ID_LENGTH])
    return ids


def _sized(text: str) -> str:
    return f"{len(text)}:{text}"
