"""The count matrices, designs and frozen R results that the benchmarks of the engine share.

Belongs here: reading them from the folder of test data. Does not belong here: fitting, comparing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True, eq=False)
class DeSet:
    """One fit.

    Attributes:
        name: How tables call it.
        counts: Genes x samples.
        design: Samples x columns.
        vector: The contrast.
        oracle: Folder of R's frozen results.
    """

    name: str
    counts: np.ndarray
    design: np.ndarray
    vector: np.ndarray
    oracle: Path

    def results(self) -> pl.DataFrame:
        return frozen(self.oracle / "results.csv.gz")

    def stages(self) -> pl.DataFrame | None:
        """R's intermediate values, where they were kept."""
        path = self.oracle / "mcols.csv.gz"
        return frozen(path) if path.exists() else None

    def size_factors(self) -> np.ndarray:
        return frozen(self.oracle / "size_factors.csv.gz")[:, -1].to_numpy().astype(float)


_SETS: dict[str, tuple[str, str, str, tuple[int, int | None]]] = {
    "pasilla": ("pasilla/pasilla_gene_counts.tsv", "\t", "pasilla/oracle_R_DESeq2_1.38.3", (-1, None)),
    "airway": ("airway/airway_rawcounts.csv", ",", "airway/oracle_R_DESeq2_1.38.3", (-1, None)),
    "rnalysis": ("rnalysis/big_counted.csv", ",", "rnalysis/oracle_R_DESeq2_1.38.3", (2, 1)),
    "tb status": ("tb_suscept/counts.txt", "\t", "tb_suscept/oracle_R_DESeq2_1.38.3_status", (-1, None)),
    "tb paired": ("tb_suscept/counts.txt", "\t", "tb_suscept/oracle_R_DESeq2_1.38.3", (-1, None)),
}


_SYNTHETIC = {
    "single_factor": ("condition",),
    "multi_factor": ("group", "condition"),
    "continuous": ("group", "condition", "measurement"),
    "wide": ("group", "condition"),
}


def load_synthetic(shared: Path) -> list[DeSet]:
    """PyDESeq2's small synthetic sets; the contrast is the last column."""
    return [_load_synthetic(shared / "pydeseq2_r_oracle", name) for name in _SYNTHETIC]


def load_sets(shared: Path, names: list[str] | None = None) -> list[DeSet]:
    """The public data sets."""
    return [_load(shared, name) for name in (names or list(_SETS))]


def frozen(path: Path) -> pl.DataFrame:
    """A CSV that R wrote."""
    frame = pl.read_csv(path, infer_schema_length=0, null_values="NA")
    return frame.with_columns(
        pl.exclude("").str.strip_chars().replace({"TRUE": "1", "FALSE": "0"}).cast(pl.Float64)
    )


def column(frame: pl.DataFrame, name: str) -> np.ndarray:
    """A numeric column, NA as NaN."""
    return frame[name].to_numpy().astype(float)


def arguments(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder of test data")
    parser.add_argument("--sets", nargs="*", help=f"some of: {', '.join(_SETS)}")
    return parser


def _load(shared: Path, name: str) -> DeSet:
    file, separator, oracle, (plus, minus) = _SETS[name]
    design = frozen(shared / oracle / "design_matrix.csv.gz")
    matrix = design[:, 1:].to_numpy().astype(float)
    vector = np.zeros(matrix.shape[1])
    vector[plus] = 1.0
    if minus is not None:
        vector[minus] = -1.0
    lines = (shared / file).read_text().splitlines()
    header = [cell.strip('"') for cell in lines[0].split(separator)]
    rows: list[list[Any]] = [line.split(separator) for line in lines[1:]]
    samples = header[-(len(rows[0]) - 1) :]
    places = [samples.index(sample) + 1 for sample in design[:, 0].to_list()]
    counts = np.array([[int(row[place]) for place in places] for row in rows], dtype=np.int64)
    return DeSet(name, counts, matrix, vector, shared / oracle)


def _load_synthetic(root: Path, name: str) -> DeSet:
    oracle = root / "tests" / "data" / name
    inputs = oracle if (oracle / "test_counts.csv").exists() else root / "datasets" / "synthetic"
    counts = pl.read_csv(inputs / "test_counts.csv")[:, 1:].to_numpy().astype(np.int64)
    sheet = pl.read_csv(inputs / "test_metadata.csv")
    columns = [sheet[label] for label in _SYNTHETIC[name]]
    parts = [values if values.dtype.is_numeric() else values == values.max() for values in columns]
    matrix = np.column_stack([np.ones(sheet.height), *parts]).astype(float)
    return DeSet(name, np.ascontiguousarray(counts), matrix, np.eye(matrix.shape[1])[-1], oracle)
