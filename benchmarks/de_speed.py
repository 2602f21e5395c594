"""How fast the engine is beside R's DESeq2 and stock PyDESeq2: `python benchmarks/de_speed.py`.

Each engine fits and tests the same counts in this one run, best of the repeats, reading and imports excluded. R
runs where Rscript has DESeq2. `--stock` adds PyDESeq2 (minutes a set), `--scale` simulations of `--scale-genes` genes
at 100, 300 and 1,000 samples, `--cold` whole processes of `fm de` and Rscript on airway with their peak memory. With
`--sets` and no name, only what the other options ask for.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from de_sets import DeSet, arguments, load_sets

from fm_platform.expression.fit.blocks import Workers
from fm_platform.expression.fit.compare import Hypothesis, compare
from fm_platform.expression.fit.model import Options, fit_model

R_TIMES = r"""
suppressMessages(library(DESeq2))
a <- commandArgs(TRUE)
counts <- as.matrix(read.csv(a[1], header = FALSE))
design <- as.matrix(read.csv(a[2], header = FALSE))
vector <- scan(a[3], quiet = TRUE)
best <- Inf
for (i in seq_len(as.integer(a[4]))) {
  dds <- DESeqDataSetFromMatrix(counts, data.frame(i = seq_len(ncol(counts))), ~ 1)
  best <- min(best, system.time({
    dds <- DESeq(dds, full = design, betaPrior = FALSE, quiet = TRUE)
    results(dds, contrast = vector)
  })[["elapsed"]])
}
cat(best, "\n")
"""

COLD_R = r"""
suppressMessages(library(DESeq2))
a <- commandArgs(TRUE)
counts <- as.matrix(read.csv(a[1], row.names = 1))
sheet <- read.csv(a[2], row.names = 1)
sheet[] <- lapply(sheet, factor)
dds <- DESeqDataSetFromMatrix(counts[, rownames(sheet)], sheet, ~ celltype + dex)
write.csv(as.data.frame(results(DESeq(dds, quiet = TRUE), contrast = c("dex", "treated", "control"))), a[3])
"""


FM = "from fm_platform.cli import main; main()"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--stock", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--scale-genes", type=int, default=60_000)
    parser.add_argument("--scale-samples", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    if options.cold:  # while this process is small: a child's peak begins with its parent's memory
        cold(options.shared)
    if options.sets != []:
        compare_engines(load_sets(options.shared, options.sets), options.repeat, stock=options.stock)
    if options.scale:
        scale(options.scale_genes, options.scale_samples)


def compare_engines(sets: list[DeSet], repeat: int, *, stock: bool) -> None:
    """R, the engine with one, two and its own choice of workers, and PyDESeq2 on the same counts."""
    columns = "genes x samples | columns | R s | ours, 1 worker s | 2 workers s | default s | stock s"
    print(f"| set | {columns} | R / ours | stock / ours |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    gains = []
    for a_set in sets:
        r = time_r(a_set, repeat)
        ours = [best_of(repeat, lambda n=n, a_set=a_set: run_ours(a_set, n)) for n in (1, 2, None)]
        stock_s = best_of(repeat, lambda a_set=a_set: run_stock(a_set)) if stock else math.nan
        gains.append(r / ours[2])
        n_genes, n_samples = a_set.counts.shape
        shown = " | ".join(f"{seconds:.2f}" for seconds in (r, *ours))
        print(
            f"| {a_set.name} | {n_genes} x {n_samples} | {a_set.design.shape[1]} | {shown} | {stock_s:.1f} "
            f"| {r / ours[2]:.1f} | {stock_s / ours[2]:.0f} |",
            flush=True,
        )
    print(f"\nR / ours, geometric mean: {math.exp(np.mean(np.log(gains))):.1f}, least: {min(gains):.1f}")


def run_ours(a_set: DeSet, workers: int | None) -> None:
    model = fit_model(a_set.counts, a_set.design, Options(workers=Workers(workers)))
    silent = np.zeros(len(a_set.counts), dtype=bool)
    compare(model, a_set.counts, a_set.vector, silent, Hypothesis(), alpha=0.1)


def run_stock(a_set: DeSet) -> None:
    import pandas as pd
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    inference = DefaultInference(n_cpus=1)
    names = [f"s{i}" for i in range(a_set.counts.shape[1])]
    columns = [f"c{i}" for i in range(a_set.design.shape[1])]
    dataset = DeseqDataSet(
        counts=pd.DataFrame(a_set.counts.T, index=names),
        metadata=pd.DataFrame(index=names),
        design=pd.DataFrame(a_set.design, index=names, columns=columns),
        inference=inference,
        quiet=True,
    )
    dataset.deseq2()
    DeseqStats(dataset, contrast=a_set.vector, alpha=0.1, inference=inference, quiet=True).summary()


def time_r(a_set: DeSet, repeat: int) -> float:
    if not r_has_deseq2():
        return math.nan
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("counts.csv", "design.csv", "vector.txt", "run.R")]
        pl.DataFrame(a_set.counts).write_csv(paths[0], include_header=False)
        pl.DataFrame(a_set.design).write_csv(paths[1], include_header=False)
        paths[2].write_text(" ".join(map(str, a_set.vector)))
        paths[3].write_text(R_TIMES)
        command = ["Rscript", str(paths[3]), *map(str, paths[:3]), str(repeat)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def r_has_deseq2() -> bool:
    if shutil.which("Rscript") is None:
        return False
    return (
        subprocess.run(["Rscript", "-e", "library(DESeq2)"], capture_output=True, check=False).returncode == 0
    )


def scale(n_genes: int, samples: list[int]) -> None:
    """The same number of genes at growing numbers of samples: time must grow with the number of values."""
    import resource

    print(
        "\n| genes x samples | s | processor s | processor ns per value | peak GiB so far |\n|---|---|---|---|---|"
    )
    for n_samples in samples:
        counts, design = simulate(n_genes, n_samples)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        model = fit_model(counts, design)
        compare(model, counts, np.array([0.0, 1.0]), np.zeros(len(counts), bool), Hypothesis(), alpha=0.1)
        seconds, busy = time.perf_counter() - begin, time.process_time() - begin_cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"| {n_genes} x {n_samples} | {seconds:.1f} | {busy:.1f} | {busy / counts.size * 1e9:.0f} | {peak:.1f} |",
            flush=True,
        )
        del counts, model


def simulate(n_genes: int, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Negative-binomial counts of two groups; a third of the genes nearly silent."""
    generator = np.random.default_rng(5)
    mean = np.exp(np.where(generator.random(n_genes) < 1 / 3, -1.0, 5.0) + generator.normal(0, 1.5, n_genes))
    size = 1 / (0.05 + 2 / mean)
    group = np.arange(n_samples) % 2
    depth = generator.uniform(0.6, 1.6, n_samples)
    fold = np.where(generator.random(n_genes) < 0.1, 2.0, 1.0)
    counts = np.empty((n_genes, n_samples), dtype=np.int64)
    for sample in range(n_samples):
        mu = mean * depth[sample] * (fold if group[sample] else 1.0)
        counts[:, sample] = generator.negative_binomial(size, size / (size + mu))
    return counts, np.stack([np.ones(n_samples), group], axis=1).astype(float)


def cold(shared: Path) -> None:
    """Whole processes on airway: start, imports, reading, fit, writing."""
    counts, sheet = shared / "airway" / "airway_rawcounts.csv", shared / "airway" / "airway_metadata.csv"
    print("\n| cold process, airway | s | peak MiB |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.csv")
        script = Path(folder) / "run.R"
        script.write_text(COLD_R)
        design = ["--design", "~ celltype + dex", "--contrast", "dex,treated,control"]
        commands = {
            "fm de": [
                sys.executable,
                "-c",
                FM,
                "de",
                "--json",
                str(counts),
                str(sheet),
                *design,
                "-o",
                out,
            ]
        }
        if r_has_deseq2():
            commands["Rscript"] = ["Rscript", str(script), str(counts), str(sheet), out]
        for name, command in commands.items():
            seconds, peak = min(_timed(command) for _ in range(3))
            print(f"| {name} | {seconds:.1f} | {peak:.0f} |")


def _timed(command: list[str]) -> tuple[float, float]:
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def best_of(repeat: int, run: Callable[[], None]) -> float:
    best = math.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best


if __name__ == "__main__":
    main()
