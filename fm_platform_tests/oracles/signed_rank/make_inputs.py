"""Makes inputs.csv: random paired changes and two-arm samples, rich in ties and zeros, for oracle.R.

    python fm_platform_tests/oracles/signed_rank/make_inputs.py

The integers are drawn with Python's own generator, whose sequence for a seed is the same in every version.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
SEED = 20230621
PAIRED, TWO_ARM = 200, 100


def sets() -> list[tuple[str, str, str, int]]:
    """Rows of (set_id, kind, arm, change)."""
    draw = random.Random(SEED)
    rows: list[tuple[str, str, str, int]] = []
    for number in range(PAIRED):
        spread = draw.choice((1, 2, 3, 5, 9, 40))
        lean = draw.choice((0, 0, -1, -3))
        changes = [draw.randint(-spread + lean, spread) for _ in range(3 + number % 13)]
        if number % 20 == 0:
            changes[0] = 0
        rows += [(f"p{number:03d}", "paired", "", change) for change in changes]
    for number in range(TWO_ARM):
        spread = draw.choice((1, 2, 4, 9, 60))
        shift = draw.choice((0, 0, 1, 3))
        arms = {"a": draw.randint(2, 9), "b": draw.randint(2, 9)}
        for arm, size in arms.items():
            move = shift if arm == "b" else 0
            rows += [
                (f"t{number:03d}", "two_arm", arm, draw.randint(-spread, spread) + move) for _ in range(size)
            ]
    return rows


def main() -> None:
    """Write the file."""
    with (HERE / "inputs.csv").open("w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("set_id", "kind", "arm", "change"))
        writer.writerows(sets())


if __name__ == "__main__":
    main()
