"""Subjects that gave samples at both levels of a contrast, and those that did not.

Belongs here: finding pairs and orphans, and saying what each way to treat orphans loses. Does not belong here: building
designs, choosing for the study.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from fm_platform.errors import InputError

_SHOWN = 5


@dataclass(frozen=True)
class Pairing:
    """Subjects by what they gave.

    Attributes:
        pairs: Subjects with samples at both levels.
        orphans: Subjects with samples at one of them only.
        n_orphan_samples: Samples of the orphans, and samples without a subject.
    """

    pairs: tuple[str, ...]
    orphans: tuple[str, ...]
    n_orphan_samples: int


def find_pairs(kept: pl.DataFrame, column: str, level: str, reference: str) -> Pairing:
    """Pairs and orphans among the samples at the two levels.

    Args:
        kept: The contrast's samples, with subject_id.
        column: The compared variable's column.
        level: Tested level.
        reference: Reference level.
    """
    compared = kept.filter(pl.col(column).is_in([level, reference]))
    known = compared.filter(pl.col("subject_id").is_not_null())
    levels = known.group_by("subject_id").agg(pl.col(column).n_unique()).sort("subject_id")
    pairs = tuple(levels.filter(pl.col(column) == 2)["subject_id"])
    orphans = tuple(levels.filter(pl.col(column) < 2)["subject_id"])
    return Pairing(
        pairs, orphans, compared.filter(~pl.col("subject_id").is_in(pairs).fill_null(False)).height
    )


def complete_pairs(kept: pl.DataFrame, column: str, level: str, reference: str) -> pl.DataFrame:
    """The samples at the two levels of subjects that have both.

    Raises:
        InputError: No subject has both, or the samples have no subjects.
    """
    pairing = find_pairs(kept, column, level, reference)
    if not pairing.pairs:
        raise InputError(
            f"complete_pairs: no subject has samples at both {level!r} and {reference!r}",
            mend="declare `subject:` for the sample sheet, or drop complete_pairs",
        )
    return kept.filter(pl.col(column).is_in([level, reference]), pl.col("subject_id").is_in(pairing.pairs))


def advice(pairing: Pairing, *, subject_in_design: bool) -> str | None:
    """What the pairing means for the design and what each choice loses; None where there is nothing to choose."""
    if not pairing.pairs or not pairing.orphans:
        return None
    shown = ", ".join(pairing.orphans[:_SHOWN]) + (" and others" if len(pairing.orphans) > _SHOWN else "")
    found = (
        f"{len(pairing.pairs)} subjects have both levels, {len(pairing.orphans)} only one ({shown}; "
        f"{pairing.n_orphan_samples} samples)"
    )
    if subject_in_design:
        return (
            f"{found}: with the subject in the design these samples add to dispersions, not to the difference; "
            "complete_pairs leaves them out; a design without the subject uses them, but then takes the samples of a "
            "pair for independent"
        )
    return (
        f"{found}: without the subject in the design the pairing is lost and samples of one subject count as "
        f"independent; with it, or with complete_pairs, the {pairing.n_orphan_samples} other samples say nothing about "
        "the difference"
    )
