"""The files of ``fm de``: DESeq2's columns, and what else is known of every gene.

Belongs here: their columns and writing each as a whole or not at all. Does not belong here: computing them.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from fm_platform.errors import EnvironmentFailure
from fm_platform.expression.fit.fit_facts import FACT_TYPES
from fm_platform.expression.fit.results import DESEQ2_NAMES, SHRUNK, DeResult


def check_place(out: Path) -> None:
    """Refuse a place where no file can be.

    Raises:
        EnvironmentFailure: It is a folder, or in none.
    """
    if out.is_dir() or not out.parent.is_dir():
        problem = "it is a folder" if out.is_dir() else f"there is no folder {out.parent}"
        raise EnvironmentFailure(f"cannot write {out}: {problem}", mend="name a file in an existing folder")


def write_results(frame: pl.DataFrame, out: Path) -> None:
    """DESeq2's columns, genes in the matrix's order; a missing value is empty.

    Raises:
        EnvironmentFailure: The file cannot be written.
    """
    columns = [*DESEQ2_NAMES] + ([SHRUNK] if SHRUNK in frame.columns else [])
    names = {**DESEQ2_NAMES, SHRUNK: "log2FoldChange_shrunk"}
    _write(frame.select("gene_id", *columns), ["gene_id", *(names[name] for name in columns)], out)


def write_details(result: DeResult, out: Path) -> None:
    """Reasons of gaps, dispersions and Cook's distances, genes in the matrix's order.

    Raises:
        EnvironmentFailure: The file cannot be written.
    """
    own = result.frame.select("gene_id", "na_reason", "na_detail").with_row_index("at")
    facts = (
        result.facts
        if result.facts is not None
        else pl.DataFrame(schema={"gene_id": pl.String, **FACT_TYPES})
    )
    joined = own.join(facts.unique("gene_id"), on="gene_id", how="left").sort("at").drop("at")
    _write(joined, joined.columns, out)


def _write(frame: pl.DataFrame, names: Sequence[str], out: Path) -> None:
    """Write under a temporary name and move into place."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in frame.iter_rows())
    temporary: str | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=out.parent, prefix=f".{out.name}.", delete=False
        ) as handle:
            temporary = handle.name
            handle.write(text.getvalue())
            handle.flush()
            os.fsync(handle.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(out)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise EnvironmentFailure(
            f"cannot write {out}: {error.strerror}", mend="choose another place with -o, or make room"
        ) from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, ".17g") if isinstance(value, float) else str(value)
