"""Measures three ways to keep a count matrix in DuckDB; the figures stand in docs/adr/0003-count-storage.md.

    python benchmarks/count_storage.py [--sizes 20000x12 60000x200] [--repeat 3]

Each layout is written from the same NumPy array into a fresh database file the way the platform writes
(attach, Arrow in, one transaction), read back into the array the engine wants, and asked in SQL for the
library size of every sample and for all counts of one gene (lists through expression.counts_long). Best of
the repeats; the file is measured after a checkpoint.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """One way to store a matrix: how it gets in, comes out, and is asked in SQL."""

    name: str
    frame: Callable[[Counts, list[str], list[str]], pl.DataFrame]
    read: Callable[[duckdb.DuckDBPyConnection, int], Counts]
    totals: Callable[[list[str]], str]
    gene: str


def simulate(genes: int, samples: int) -> tuple[Counts, list[str], list[str]]:
    """Counts as RNA-seq gives them: a wide spread of means, a third of the genes (nearly) silent."""
    generator = np.random.default_rng(20230601)
    mean = np.exp(generator.normal(4.0, 2.2, genes)) * (generator.random(genes) > 0.3)
    size = 1 / (0.05 + 2 / np.maximum(mean, 1e-3))
    counts = generator.negative_binomial(size[:, None], (size / (size + mean))[:, None], (genes, samples))
    return (
        counts.astype(np.int64),
        [f"ENSG{i:011d}" for i in range(genes)],
        [f"S{i:04d}" for i in range(samples)],
    )


def wide_frame(counts: Counts, genes: list[str], samples: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"gene_id": genes, **{name: counts[:, i] for i, name in enumerate(samples)}})


def wide_read(connection: duckdb.DuckDBPyConnection, samples: int) -> Counts:
    frame = connection.execute("select * from fm.counts order by gene_id").pl()
    return frame.drop("gene_id").to_numpy().astype(np.int64)


def long_frame(counts: Counts, genes: list[str], samples: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "gene_id": pl.Series(genes).gather(np.repeat(np.arange(len(genes)), len(samples))),
            "sample_id": pl.Series(samples).gather(np.tile(np.arange(len(samples)), len(genes))),
            "count": counts.ravel(),
        }
    )


def long_read(connection: duckdb.DuckDBPyConnection, samples: int) -> Counts:
    frame = connection.execute("select count from fm.counts order by gene_id, sample_id").pl()
    return frame["count"].to_numpy().reshape(-1, samples)


def list_frame(counts: Counts, genes: list[str], samples: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"gene_id": genes, "counts": pl.Series(counts).arr.to_list()})


def list_read(connection: duckdb.DuckDBPyConnection, samples: int) -> Counts:
    frame = connection.execute("select counts from fm.counts order by gene_id").pl()
    return frame["counts"].explode().to_numpy().reshape(-1, samples)


LIST_AS_LONG = """
    select c.gene_id, s.sample_id, c.counts[s.position] as count
    from fm.counts as c cross join fm.samples as s
"""

LAYOUTS = (
    Layout(
        "wide (a column per sample)",
        wide_frame,
        wide_read,
        lambda samples: "select " + ", ".join(f'sum("{name}")' for name in samples) + " from fm.counts",
        "select * from fm.counts where gene_id = ?",
    ),
    Layout(
        "long (a row per cell)",
        long_frame,
        long_read,
        lambda samples: "select sample_id, sum(count) from fm.counts group by sample_id",
        "select sample_id, count from fm.counts where gene_id = ?",
    ),
    Layout(
        "list (a row per gene)",
        list_frame,
        list_read,
        lambda samples: f"select sample_id, sum(count) from ({LIST_AS_LONG}) group by sample_id",
        f"select sample_id, count from ({LIST_AS_LONG}) where gene_id = ?",
    ),
)


def timed(action: Callable[[], object], repeat: int) -> float:
    """Best wall time in seconds."""
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - started)
    return best


def measure(layout: Layout, counts: Counts, genes: list[str], samples: list[str], repeat: int) -> list[str]:
    """One row of the table."""
    positions = pl.DataFrame({"sample_id": samples, "position": range(1, len(samples) + 1)})
    with tempfile.TemporaryDirectory() as folder:

        def write() -> Path:
            path = Path(folder) / f"{time.monotonic_ns()}.duckdb"
            with duckdb.connect() as connection:
                connection.execute(f"attach '{path}' as fm")
                frame = layout.frame(counts, genes, samples)
                connection.register("frame", frame.to_arrow())
                connection.execute("begin")
                connection.execute("create table fm.counts as select * from frame")
                connection.register("named", positions.to_arrow())
                connection.execute("create table fm.samples as select * from named")
                connection.execute("commit")
                connection.execute("checkpoint fm")
            return path

        path = write()
        write_seconds = timed(write, repeat)
        with duckdb.connect() as connection:
            connection.execute(f"attach '{path}' as fm (read_only)")
            assert np.array_equal(layout.read(connection, len(samples)), counts)
            read_seconds = timed(lambda: layout.read(connection, len(samples)), repeat)
            total_seconds = timed(lambda: connection.execute(layout.totals(samples)).fetchall(), repeat)
            gene = genes[len(genes) // 2]
            gene_seconds = timed(lambda: connection.execute(layout.gene, [gene]).fetchall(), repeat)
        return [
            layout.name,
            f"{write_seconds:.2f} s",
            f"{read_seconds * 1000:.0f} ms",
            f"{path.stat().st_size / 2**20:.1f} MiB",
            f"{total_seconds * 1000:.0f} ms",
            f"{gene_seconds * 1000:.1f} ms",
        ]


def main() -> None:
    """Print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["20000x12", "60000x200"], metavar="GENESxSAMPLES")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print(f"duckdb {duckdb.__version__}, polars {pl.__version__}, best of {arguments.repeat}\n")
    for size in arguments.sizes:
        counts, genes, samples = simulate(*map(int, size.split("x")))
        print(f"### {len(genes):,} genes x {len(samples)} samples\n")
        print("| layout | write | read to NumPy | file | library sizes in SQL | one gene in SQL |")
        print("|---|---|---|---|---|---|")
        for layout in LAYOUTS:
            print(
                "| " + " | ".join(measure(layout, counts, genes, samples, arguments.repeat)) + " |",
                flush=True,
            )
        print()


if __name__ == "__main__":
    main()
