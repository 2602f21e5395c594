"""Genes in blocks: bounded memory, and several cores.

Belongs here: cutting, running a function over the blocks and joining what it returns. Does not belong here:
any statistics. Functions given here must treat genes independently; their results are then the same for every
block size, order and number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

_VALUES = 4_000_000
"""Values of one samples x genes array in a block."""
_ENOUGH = 250_000
"""Values for which a further worker pays."""

Columns = dict[str, Any]


@dataclass(frozen=True)
class Workers:
    """How blocks are run.

    Attributes:
        count: Workers; None: all cores this process may use.
        kind: ``threads`` (NumPy releases the interpreter lock) or ``processes``.
        block: Genes in a block; None: as memory and workers suggest.
    """

    count: int | None = None
    kind: Literal["threads", "processes"] = "threads"
    block: int | None = None

    def used(self, n_genes: int, n_samples: int) -> int:
        """Workers for a matrix of this size: small ones are done before a second worker has begun."""
        return min(self.count or available_cpus(), max(1, n_genes * n_samples // _ENOUGH))

    def run(
        self,
        function: Callable[..., Columns],
        arrays: Sequence[Any],
        n_genes: int,
        n_samples: int,
        *fixed: Any,
    ) -> Columns:
        """Call ``function(*arrays of a block, *fixed)`` for every block and join the results.

        Args:
            function: At module level. Returns arrays whose last axis is genes.
            arrays: Arrays whose last axis is genes, or None.
            n_genes: Length of that axis.
            n_samples: Sets the block size.
            fixed: Passed to every call.
        """
        count = self.used(n_genes, n_samples)
        width = self.block or min(max(64, _VALUES // n_samples), -(-n_genes // count))
        cuts = [slice(begin, begin + max(width, 1)) for begin in range(0, n_genes, max(width, 1))]
        calls = (
            [
                [None if array is None else np.ascontiguousarray(array[..., cut]) for array in arrays]
                for cut in cuts
            ]
            if self.kind == "processes" and count > 1
            else None
        )
        if count == 1 or len(cuts) == 1:
            made = [function(*_cut(arrays, cut), *fixed) for cut in cuts]
        elif calls is not None:
            with _pool(self.kind, count) as pool:
                made = [job.result() for job in [pool.submit(function, *call, *fixed) for call in calls]]
        else:
            with _pool(self.kind, count) as pool:
                made = list(pool.map(lambda cut: function(*_cut(arrays, cut), *fixed), cuts))
        return {name: np.concatenate([part[name] for part in made], axis=-1) for name in made[0]}


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cut(arrays: Sequence[Any], part: slice) -> list[Any]:
    return [None if array is None else np.ascontiguousarray(array[..., part]) for array in arrays]


def _pool(kind: str, count: int) -> Executor:
    if kind == "threads":
        return ThreadPoolExecutor(count)
    from multiprocessing import get_context

    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))
