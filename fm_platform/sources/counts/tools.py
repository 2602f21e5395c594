"""Which tool wrote a table, by its first row, and how its files are delivered.

Belongs here: the headers of tools that write a file a sample. Does not belong here: reading them.
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.sources.counts.layout import is_featurecounts_header

_BY_COLUMN = {
    "expected_count": ("RSEM's file of one sample", "rsem"),
    "est_counts": ("kallisto's file of one sample", "kallisto"),
    "NumReads": ("salmon's file of one sample", "salmon"),
}
_FOLDER = "name the folder with the files of all samples"


def told_by_header(first_row: Sequence[str]) -> tuple[str, str] | None:
    """What a table is and how to deliver it, if its first row is that of a tool's own file; else None."""
    cells = [cell.strip() for cell in first_row]
    for column, (what, format) in _BY_COLUMN.items():
        if column in cells:
            return (
                f"{what}, by its column {column!r}",
                f"{_FOLDER}, with `format: {format}` (fm de --format {format})",
            )
    if cells[0] == "N_unmapped" and len(cells) == 4:
        return "STAR's file of one sample", f"{_FOLDER}, with `format: star` (fm de --format star)"
    if is_featurecounts_header(cells):
        return (
            "featureCounts' table",
            "name the table itself; tables of one sample each: count all BAM files in one run, or join their columns",
        )
    if cells[0] == "Status" and len(cells) > 1:
        return "featureCounts' summary, which has no genes", "name the table of counts beside it"
    if {"Coverage", "FPKM"} <= {*cells} or cells[0] == "t_id":
        return (
            "StringTie's abundances, which are no counts",
            "deliver the gene_count_matrix.csv of its prepDE.py",
        )
    return None
