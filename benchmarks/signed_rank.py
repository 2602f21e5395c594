"""Measures the exact signed-rank p-value at n = 1,000 under every pattern of ties that a study may give.

    python benchmarks/signed_rank.py [--repeat 15] [--without-r]

The median of the repeats, from a list of changes to the p-value, on the clock and of the processor. Where Rscript
and the package exactRankTests are installed, `wilcox.exact` is timed on the same changes (its own time, once,
without the start of R), and the difference of the two p-values is printed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import time
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fm_platform.statistics.signed_rank import signed_rank

N = 1000
BUDGET_MS = 50
R_CODE = """
suppressMessages(library(exactRankTests))
changes <- scan(file("stdin"), quiet = TRUE)
seconds <- system.time(p <- suppressWarnings(wilcox.exact(changes, exact = TRUE)$p.value))[["elapsed"]]
cat(sprintf("%.17g %.17g %s", p, seconds, packageVersion("exactRankTests")))
"""


def kinds() -> dict[str, list[int]]:
    """Changes by their pattern of ties, small effects so that the sums are the largest possible."""
    rng = np.random.default_rng(1)
    signs = rng.choice([-1, 1], N)
    before, after = (rng.integers(0, 11, (N, 21)) for _ in range(2))
    answered = rng.random((2, N, 21)) > 0.05
    found = {
        "no ties": np.arange(1, N + 1) * signs,
        "pain item, 21 distinct": rng.integers(-10, 11, N),
        "81 distinct": rng.integers(-40, 41, N),
        "pairs of equal changes": np.repeat(np.arange(1, N // 2 + 1), 2) * signs,
        "FIQR sixths": _sixths(after) - _sixths(before),
        "FIQR prorated, 2520ths": _prorated(after, answered[1]) - _prorated(before, answered[0]),
    }
    return {name: [int(change) for change in changes] for name, changes in found.items()}


def _sixths(answers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return 2 * answers[:, :9].sum(1) + 6 * answers[:, 9:11].sum(1) + 3 * answers[:, 11:].sum(1)


def _prorated(answers: npt.NDArray[np.int64], answered: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    total = np.zeros(len(answers), dtype=np.int64)
    for first, end, weight in ((0, 9, 3), (9, 11, 2), (11, 21, 5)):
        known = answered[:, first:end]
        sums = (answers[:, first:end] * known).sum(1)
        total += 2520 * weight * sums // np.maximum(known.sum(1), 1)
    return total


def peer(changes: list[int]) -> tuple[float, float, str] | None:
    """p, seconds and version of R's exactRankTests; None where it is not installed."""
    run = subprocess.run(
        ["Rscript", "-e", R_CODE],
        input=" ".join(map(str, changes)),
        text=True,
        capture_output=True,
        check=False,
    )
    if run.returncode:
        return None
    p, seconds, version = run.stdout.split()
    return float(p), float(seconds), version


def main() -> None:
    """Print one line a pattern."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--without-r", action="store_true")
    options = parser.parse_args()
    with_r = not options.without_r and shutil.which("Rscript") is not None
    worst = 0.0
    for name, changes in kinds().items():
        seconds, busy = [], []
        p = Fraction(1)
        for _ in range(options.repeat):
            started, worked = time.perf_counter(), time.process_time()
            p = signed_rank(changes).p_value
            seconds.append(time.perf_counter() - started)
            busy.append(time.process_time() - worked)
        took, worked = statistics.median(seconds), statistics.median(busy)
        worst = max(worst, took)
        line = f"n = {N}, {name:<24} {took * 1000:6.1f} ms (CPU {worked * 1000:5.1f}), p = {float(p):.12g}"
        found = peer(changes) if with_r else None
        if found is not None:
            line += (
                f"; exactRankTests {found[2]} {found[1] * 1000:7.0f} ms ({found[1] / took:.0f} times as long)"
            )
            line += f", |dp| {abs(found[0] - float(p)):.1e}"
        print(line, flush=True)
    print(f"longest median {worst * 1000:.1f} ms, budget {BUDGET_MS} ms")


if __name__ == "__main__":
    main()
