"""Measures the exact signed-rank p-value at n = 1,000, with and without ties.

    python benchmarks/signed_rank.py [--repeat 20]

Best of the repeats, from a list of changes to the p-value.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from fm_platform.statistics.signed_rank import signed_rank

N = 1000
BUDGET_MS = 50


def main() -> None:
    """Print one line a kind of data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=20)
    repeat = parser.parse_args().repeat
    generator = np.random.default_rng(1)
    kinds = {
        "no ties": np.arange(1, N + 1) * generator.choice([-1, 1], N),
        "81 distinct values": generator.integers(-40, 41, N),
    }
    for name, changes in kinds.items():
        seconds = []
        for _ in range(repeat):
            started = time.perf_counter()
            result = signed_rank(changes)
            seconds.append(time.perf_counter() - started)
        print(
            f"n = {N}, {name}: {min(seconds) * 1000:.1f} ms (budget {BUDGET_MS} ms), "
            f"p = {float(result.p_value):.6g}, {result.method}"
        )


if __name__ == "__main__":
    main()
