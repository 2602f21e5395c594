"""GMT files: gene sets as delivered, one a line (name, description, members).

Belongs here: reading them. Does not belong here: what their members are called in the matrix, testing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.decoding import decode
from fm_platform.sources.files import SourceFile, read_content
from fm_platform.sources.rowid import row_ids

SET_TYPES = {
    "_row_id": pl.String(),
    "collection": pl.String(),
    "gene_set": pl.String(),
    "description": pl.String(),
    "members": pl.List(pl.String()),
    "gmt_sha256": pl.String(),
}


@dataclass(frozen=True, eq=False)
class GeneSetFile:
    """The sets of one file.

    Attributes:
        frame: ``_row_id``, collection (the file), gene_set, description, members (each once), gmt_sha256.
        lines: The line of each set.
    """

    file: SourceFile
    frame: pl.DataFrame
    lines: tuple[int, ...]


def read_gmt(path: Path, *, name: str) -> GeneSetFile:
    """Read a GMT file, gzipped or not.

    Raises:
        InputError: A line has no members, or a set is there twice.
    """
    content = read_content(path, name)
    rows: list[list[str]] = []
    lines: list[int] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(decode(content.data, name)[0].split("\n"), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        members = list(dict.fromkeys(cell.partition(",")[0] for cell in cells[2:] if cell))
        if not cells[0] or not members:
            raise InputError(
                "no set with members: a GMT line is name, description and members, separated by tabs",
                file=name,
                line=number,
                mend="download the GMT file again",
            )
        if seen.setdefault(cells[0], number) != number:
            raise InputError(
                f"set {cells[0]!r} is on line {seen[cells[0]]} and again here",
                file=name,
                line=number,
                mend="keep one",
            )
        rows.append([name, cells[0], cells[1], *members])
        lines.append(number)
    content_of = (["\t".join(row)] for row in rows)
    frame = pl.DataFrame(
        {
            "_row_id": row_ids("gene_sets", ["line"], content_of),
            "collection": [row[0] for row in rows],
            "gene_set": [row[1] for row in rows],
            "description": [row[2] for row in rows],
            "members": [row[3:] for row in rows],
            "gmt_sha256": [content.file.sha256] * len(rows),
        },
        schema=SET_TYPES,
    )
    return GeneSetFile(content.file, frame, tuple(lines))
