"""h5ad files: samples are observations, genes are variables.

Belongs here: counts and gene annotation out of an AnnData file. Does not belong here: single cells as such,
other formats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import CountMatrix, CountOptions, InputNote, MatrixPart, sample_columns
from fm_platform.sources.counts.table import check_genes, damage_notes
from fm_platform.sources.counts.units import inspect_whole, judge
from fm_platform.sources.counts.values import rounded_counts
from fm_platform.sources.files import hash_file
from fm_platform.sources.rowid import row_ids

COUNTS_LAYER = "counts"
"""The layer that holds raw counts by custom; without it X is read."""

_HDF5 = b"\x89HDF"


def is_h5ad(path: Path) -> bool:
    """Whether a file is HDF5 by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.read(len(_HDF5)) == _HDF5


def h5ad_matrix(path: Path, *, source: str, name: str, options: CountOptions) -> CountMatrix:
    """The matrix of an h5ad file. A gene's line is its position among the variables, from 1.

    Args:
        path: Where the file is.
        source: Part of every row id.
        name: What to call it.
        options: Of these, ``layer`` and ``gene_id`` (a column of var; default its index).

    Raises:
        InputError: It is no AnnData file, lacks the layer or column, or its values are no counts.
    """
    file = hash_file(path, name)
    data = _open(path, name)
    values, layer = _layer(data, options.layer, name)
    counts, remarks = rounded_counts(np.ascontiguousarray(values.T), name)
    genes = _gene_ids(data, options.gene_id, name)
    lines = tuple(range(1, len(genes) + 1))
    check_genes(genes, lines, name)
    samples = tuple(str(value) for value in data.obs_names)
    repeated = next((sample for sample in samples if samples.count(sample) > 1), None)
    if repeated is not None:
        raise InputError(f"observation {repeated!r} is there twice", file=name, mend="make obs_names unique")
    content = ([gene, *map(str, row)] for gene, row in zip(genes, counts.tolist(), strict=True))
    ids = tuple(row_ids(source, ["", *samples], content))
    annotation = {"gene_id": genes}
    for column in data.var.columns:
        annotation[str(column)] = tuple("" if value is None else str(value) for value in data.var[column])
    return CountMatrix(
        source=source,
        file=file,
        format="h5ad",
        gene_ids=genes,
        count_ids=samples,
        counts=counts,
        row_ids=ids,
        lines=lines,
        columns=sample_columns(samples, samples),
        annotation=pl.DataFrame(annotation, schema=dict.fromkeys(annotation, pl.String)),
        parts=(MatrixPart(file, path, ids, lines),),
        notes=(
            InputNote("choice", f"counts are in {layer}"),
            *remarks,
            *judge(inspect_whole(counts, decimals=False), name),
            *damage_notes(genes, lines),
        ),
    )


def _open(path: Path, name: str) -> Any:
    import anndata

    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"it cannot be read as AnnData ({error})", file=name, mend="write it again with anndata"
        ) from None


def _layer(data: Any, declared: str | None, name: str) -> tuple[NDArray[np.float64], str]:
    """Samples x genes as float64, and in words where it was."""
    layers = list(data.layers)
    if declared is not None and declared not in layers and declared != "X":
        raise InputError(
            f"there is no layer {declared!r}",
            file=name,
            mend=f"use one of: X{''.join(', ' + layer for layer in layers)}",
        )
    chosen = declared or (COUNTS_LAYER if COUNTS_LAYER in layers else "X")
    values = data.X if chosen == "X" else data.layers[chosen]
    if values is None:
        raise InputError("X is empty", file=name, mend="name the layer of counts with `layer:`")
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return dense.astype(np.float64), "X" if chosen == "X" else f"layer {chosen!r}"


def _gene_ids(data: Any, column: str | None, name: str) -> tuple[str, ...]:
    if column is None:
        return tuple(str(value) for value in data.var_names)
    if column not in data.var.columns:
        known = ", ".join(map(str, data.var.columns))
        raise InputError(
            f"var has no column {column!r}", file=name, mend=f"use one of: {known}, or drop `gene_id:`"
        )
    return tuple(str(value) for value in data.var[column])
