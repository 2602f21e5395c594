"""What the engine refuses before it fits, and libraries that it remarks on.

Belongs here: requests and matrices that cannot give a result, with the mend; libraries that hardly are any. Does not
belong here: designs (``design``), file formats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.fit.compare import Hypothesis
from fm_platform.expression.fit.model import MODES, Options
from fm_platform.expression.fit.wald import ALTERNATIVES

_THIN = 0.05
"""A library with reads in less than this share of the genes that the median library has is remarked on."""


def check_reads(chosen: NDArray[np.int64], plan: ContrastPlan) -> None:
    """Refuse a matrix without a common gene, or a sample without reads.

    Args:
        chosen: Genes x samples of the contrast.
        plan: The contrast.

    Raises:
        InputError: Naming the samples.
    """
    if not len(chosen):
        raise InputError(
            f"no gene has a count for every sample of contrast {plan.contrast.id}",
            mend="check that the files use the same gene ids, or choose one file's samples with `subset:`",
        )
    totals = chosen.sum(axis=0)
    empty = [name for name, total in zip(plan.samples, totals, strict=True) if total == 0]
    if empty:
        raise InputError(
            f"sample {', '.join(empty)} has no reads at all",
            mend="check its column in the count matrix, or leave it out with `subset:`",
        )


def thin_libraries(chosen: NDArray[np.int64], plan: ContrastPlan) -> list[str]:
    """Remarks on samples with reads in far fewer genes than the others: size factors rest on genes that all have.

    Args:
        chosen: Genes x samples of the contrast.
        plan: The contrast.
    """
    seen = np.count_nonzero(chosen, axis=0)
    usual = float(np.median(seen))
    return [
        f"sample {name} has reads in {count:,} gene{'s' * (count != 1)}, others in {usual:,.0f}: "
        "size factors rest on genes with reads in every sample; a failed library can be left out with `subset:`"
        for name, count in zip(plan.samples, seen.tolist(), strict=True)
        if count < _THIN * usual
    ]


def check_request(
    hypothesis: Hypothesis, shrink: str | None, plan: ContrastPlan, options: Options, *, stock: bool
) -> int | None:
    """Refuse what the engine cannot do.

    Args:
        hypothesis: What is tested.
        shrink: ``apeglm`` or None.
        plan: The contrast.
        options: Of the own engine.
        stock: Whether PyDESeq2 runs.

    Returns:
        The design column that PyDESeq2 is to shrink, or None.

    Raises:
        InputError: With the mend.
    """
    assert plan.design is not None
    assert plan.vector is not None
    if options.mode not in MODES:
        raise InputError(f"unknown mode {options.mode!r}", mend=f"use one of {', '.join(MODES)}")
    if hypothesis.alternative not in ALTERNATIVES:
        raise InputError(
            f"unknown alternative {hypothesis.alternative!r}", mend=f"use one of {', '.join(ALTERNATIVES)}"
        )
    if not hypothesis.threshold >= 0:
        raise InputError(
            "the fold-change threshold is negative", mend="give 0 or a positive log2 fold change"
        )
    if hypothesis.alternative == "lessAbs" and hypothesis.threshold == 0:
        raise InputError("lessAbs needs a fold-change threshold", mend="give a positive log2 fold change")
    if hypothesis.reduced is not None and (hypothesis.threshold or hypothesis.alternative != "greaterAbs"):
        raise InputError(
            "a likelihood-ratio test has no fold change to bound",
            mend="drop the reduced design, or the threshold and the alternative",
        )
    if shrink not in (None, "apeglm"):
        raise InputError(f"unknown shrinkage {shrink!r}", mend="use apeglm, or leave it out")
    if not stock:
        return None
    if hypothesis.threshold or hypothesis.alternative != "greaterAbs" or hypothesis.reduced is not None:
        raise InputError(
            "thresholds, alternatives and likelihood-ratio tests are not run through PyDESeq2",
            mend="leave `inference` out to use the platform's own engine",
        )
    if shrink is None:
        return None
    used = np.flatnonzero(plan.vector)
    if len(used) != 1 or plan.vector[used[0]] != 1.0:
        raise InputError(
            f"apeglm shrinks one coefficient, but this contrast combines {len(used)} of the design "
            f"{plan.design.formula!r}",
            mend="keep the intercept in the design (no `0 +`), or leave `inference` out",
        )
    return int(used[0])
