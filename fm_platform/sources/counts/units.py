"""The unit detective: what the numbers of a matrix are if they are not counts, by what can be seen in them.

Belongs here: the evidence for TPM, FPKM, logarithms, scaled values, estimates, base coverage, totals and
summary rows. Does not belong here: single cells (``values``), headers (``layout``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import InputNote
from fm_platform.study.expression import Doubt

Unit = Literal["counts", "tpm", "scaled", "log", "estimates", "coverage"]

RAW_COUNTS = "deliver the raw counts (e.g. of featureCounts, HTSeq or STAR), not values made from them"
MOSTLY = 0.5
_MILLION = 1e6
_NEAR = 0.005
_LARGEST_LOG = 40.0
_MANY_GENES = 1000
_PLAUSIBLE_READS = 1e9
"""A library of over a billion fragments is no single sequencing library; sums of base coverage are."""

_MULTIPLE = 10
_ENOUGH = 50
"""So many counts are all multiples of ten by no chance, but where reads were multiplied by their length."""

_ACCEPTED = "samples that look like sums of base coverage, accepted as counts"
_SHOWN = 10

_SUMMARY_ROWS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^X?__\w+$"), "a summary row of HTSeq, not a gene"),
    (
        re.compile(
            r"^X?[_. ]*(no[_. ]feature|ambiguous|too[_. ]low[_. ]a?qual(ity)?|not[_. ]aligned|"
            r"(alignment[_. ])?not[_. ]unique)$",
            re.IGNORECASE,
        ),
        "a summary row of HTSeq, not a gene",
    ),
    (re.compile(r"^N_(unmapped|multimapping|noFeature|ambiguous)$"), "a summary row of STAR, not a gene"),
    (re.compile(r"^(Assigned|Unassigned_\w+)$"), "a summary row of featureCounts, not a gene"),
    (
        re.compile(
            r"^(\*|(grand )?totals?([ _.](reads|counts))?|sum|lib(rary)?[ _.]?sizes?)$", re.IGNORECASE
        ),
        "a row of totals, not a gene",
    ),
    (
        re.compile(r"^(un|multi)?mapped([ _.]reads)?$", re.IGNORECASE),
        "a summary row of an aligner, not a gene",
    ),
)


@dataclass(frozen=True)
class Finding:
    """What the values look like and what was seen.

    Attributes:
        refused: Whether such values must not be tested as counts.
        mend: What to deliver instead.
        accept: The word by which who knows better goes on; None where values cannot be counts.
    """

    unit: Unit
    seen: str
    refused: bool
    mend: str = RAW_COUNTS
    accept: Doubt | None = None

    def error(self, name: str) -> InputError:
        """The refusal."""
        return InputError(self.seen, file=name, mend=self.mend)


def summary_row(gene_id: str) -> str | None:
    """Why a row is no gene, if its id is a summary row's (``__no_feature``, ``N_unmapped``)."""
    return next((reason for pattern, reason in _SUMMARY_ROWS if pattern.match(gene_id.strip())), None)


def inspect_fractions(numbers: NDArray[np.float64]) -> Finding | None:
    """What a matrix is, most of whose non-zero values are fractions; None if they are not.

    Args:
        numbers: Genes x samples; NaN where a cell is no number.
    """
    expressed = numbers[np.isfinite(numbers) & (numbers != 0)]
    if expressed.size == 0 or (expressed != np.floor(expressed)).mean() < MOSTLY:
        return None
    totals, largest = np.nansum(numbers, axis=0), float(expressed.max())
    if (expressed < 0).any():
        return Finding(
            "log",
            "negative fractions: these look like logarithms or other transformed values, not counts",
            True,
        )
    if _near(totals, _MILLION):
        return Finding(
            "tpm",
            "every column adds up to about one million, so these look like TPM values, not counts",
            True,
        )
    many = numbers.shape[0] >= _MANY_GENES
    if many and largest < _LARGEST_LOG:
        seen = (
            f"fractions of which none is above {largest:.3g}: these look like logarithms (log2, VST, "
            "rlog), not counts"
        )
        return Finding("log", seen, True)
    if len(totals) > 1 and _near(totals, float(totals.mean())):
        seen = (
            f"every column adds up to about {totals.mean():.3g}, so these look like values scaled to "
            "equal totals, "
            "not counts"
        )
        return Finding("scaled", seen, True)
    if many and totals.min() >= _MILLION:
        seen = (
            f"fractions, and columns that add up to {_range(totals)}, as libraries do: these look like "
            "estimated counts "
            "(RSEM, salmon, kallisto) or scaled counts, not counts"
        )
        mend = (
            "deliver RSEM's folder, the kallisto or salmon folders with `tx2gene:`, or nf-core's gene_counts with "
            "`lengths:`; "
            "see docs/expression-inputs.md"
        )
        return Finding("estimates", seen, True, mend)
    seen = (
        "most values are fractions, so these look like TPM, FPKM, other scaled values or estimates, not "
        "counts"
    )
    return Finding("scaled", seen, True)


def inspect_whole(counts: NDArray[np.int64], *, decimals: bool) -> list[Finding]:
    """What speaks against whole numbers being raw counts.

    Args:
        counts: Genes x samples.
        decimals: Whether every cell was written with a decimal point (``723.0``).
    """
    found: list[Finding] = []
    if not counts.size:
        return found
    totals = counts.sum(axis=0, dtype=np.float64)
    if len(totals) > 1 and _near(totals, _MILLION):
        seen = "every column adds up to about one million, so these look like rounded TPM values, not counts"
        found.append(Finding("tpm", seen, True))
    elif len(totals) > 1 and counts.shape[0] >= _MANY_GENES and np.ptp(totals) <= 1e-4 * totals.mean():
        seen = (
            f"every column adds up to {totals.mean():.4g}: the libraries were scaled or thinned to one size"
        )
        found.append(Finding("scaled", seen, False))
    if decimals:
        seen = (
            "whole numbers written with decimals (723.0): read as counts; values that were scaled and "
            "then rounded "
            "are written like this, too, so prefer the raw counts if there are any"
        )
        found.append(Finding("scaled", seen, False))
    if counts.shape[0] >= _MANY_GENES and 0 < counts.max() < _LARGEST_LOG:
        seen = (
            f"no value is above {int(counts.max())}: rounded logarithms look like this, and so do very "
            "shallow libraries"
        )
        found.append(Finding("log", seen, False))
    return found


def inspect_depth(counts: NDArray[np.int64], samples: Sequence[str], genes: Sequence[str]) -> Finding | None:
    """Sums of base coverage, sample by sample, or a remark on one gene.

    Args:
        counts: Genes x samples.
        samples: One a column.
        genes: One a row.
    """
    totals, deep = counts.sum(axis=0, dtype=np.float64), _deep(counts)
    doubtful = deep | _multiplied(counts)
    if not doubtful.any() and (totals > _PLAUSIBLE_READS).any():
        gene, sample = (int(place) for place in np.unravel_index(int(counts.argmax()), counts.shape))
        seen = (
            f"gene {genes[gene]} has up to {int(counts[gene, sample]):,} reads (in {samples[sample]}), more than one "
            "library has; it was read as it is"
        )
        return Finding("coverage", seen, False)
    if not doubtful.any():
        return None
    others = "" if deep.all() else f" (the others to {_range(totals[~deep])})"
    evidence = (
        f"{int(deep.sum())} of {len(totals)} samples add up to {_range(totals[deep])}{others}, more reads than one "
        "library has"
        if deep.any()
        else f"in {int(doubtful.sum())} of {len(totals)} samples every count is a multiple of one number"
    )
    seen = (
        f"{evidence}: these look like sums of base coverage (as in recount), not counts: "
        f"{_named(samples, doubtful)}"
    )
    mend = (
        "divide by the read length (recount's transform_counts); if they are counts, `accept: [base-coverage]` under "
        "`expression:` (fm de --accept base-coverage) goes on and labels every result"
    )
    return Finding("coverage", seen, True, mend, accept="base-coverage")


def accepted_coverage(counts: NDArray[np.int64], samples: Sequence[str]) -> tuple[str, ...]:
    """The label of a result that rests on sums of base coverage, which only an acceptance lets in; none without.

    Args:
        counts: Genes x samples; negative where a gene was not counted.
        samples: One a column.
    """
    doubtful = _deep(counts) | _multiplied(counts)
    return (f"{_ACCEPTED}: {_named(samples, doubtful)}",) if doubtful.any() else ()


def is_acceptance(note: str) -> bool:
    """Whether a note of a result says that doubtful values were accepted."""
    return note.startswith(_ACCEPTED)


def _deep(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which samples have more reads than one library has, without their largest gene."""
    if not counts.size:
        return np.zeros(counts.shape[1], dtype=bool)
    seen: NDArray[np.bool_] = (
        counts.clip(0).sum(axis=0, dtype=np.float64) - counts.max(axis=0) > _PLAUSIBLE_READS
    )
    return seen


def _multiplied(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which samples have no count but multiples of one number."""
    found = []
    for reads in (column[column > 0] for column in counts.T):
        few = len(reads) < _ENOUGH or int(np.gcd.reduce(reads[:_ENOUGH])) < _MULTIPLE
        found.append(not few and int(np.gcd.reduce(reads)) >= _MULTIPLE)
    return np.array(found, dtype=bool)


def _named(samples: Sequence[str], which: NDArray[np.bool_]) -> str:
    names = [name for name, is_one in zip(samples, which, strict=True) if is_one]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def total_column(counts: NDArray[np.int64]) -> int | None:
    """The column that holds the sum of all others, if there is one (of at least three columns)."""
    if counts.shape[1] < 3 or counts.shape[0] < 3 or not counts.any():
        return None
    whole = counts.sum(axis=1)
    for position in range(counts.shape[1]):
        if np.array_equal(counts[:, position] * 2, whole) and np.count_nonzero(counts[:, position]) > 2:
            return position
    return None


def judge(findings: Sequence[Finding], name: str, accepted: Collection[str] = ()) -> list[InputNote]:
    """Refuse at the first finding that must be refused and is not accepted; the others become notes.

    Args:
        findings: What was found.
        name: The file, for the refusal.
        accepted: The doubts that are accepted.

    Raises:
        InputError: The values are no counts; the message names what was seen.
    """
    for finding in findings:
        if finding.refused and finding.accept not in accepted:
            raise finding.error(name)
    return [
        InputNote("unit", f"{finding.seen}; accepted as counts" if finding.refused else finding.seen)
        for finding in findings
    ]


def _near(totals: NDArray[np.float64], target: float) -> bool:
    return bool((np.abs(totals - target) <= _NEAR * target).all())


def _range(totals: NDArray[np.float64]) -> str:
    return f"{totals.min():.3g} to {totals.max():.3g}"
