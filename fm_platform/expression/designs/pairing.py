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
        lacking: The level that each orphan lacks.
        n_pair_samples: Samples of the pairs.
        n_orphan_samples: Samples of the orphans, and samples without a subject.
    """

    pairs: tuple[str, ...]
    orphans: tuple[str, ...]
    lacking: tuple[str, ...]
    n_pair_samples: int
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
    levels = known.group_by("subject_id").agg(pl.col(column).unique()).sort("subject_id")
    pairs = tuple(levels.filter(pl.col(column).list.len() == 2)["subject_id"])
    single = levels.filter(pl.col(column).list.len() < 2)
    n_pair_samples = known.filter(pl.col("subject_id").is_in(pairs)).height
    return Pairing(
        pairs=pairs,
        orphans=tuple(single["subject_id"]),
        lacking=tuple(reference if have[0] == level else level for have in single[column].to_list()),
        n_pair_samples=n_pair_samples,
        n_orphan_samples=compared.height - n_pair_samples,
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
    found = (
        f"{len(pairing.pairs)} subjects have both levels, {len(pairing.orphans)} only one ({_orphans(pairing)}; "
        f"{pairing.n_orphan_samples} samples)"
    )
    kept = f"complete_pairs keeps the {pairing.n_pair_samples} samples of pairs"
    if subject_in_design:
        return (
            f"{found}: with the subject in the design these samples add to dispersions, not to the difference; "
            f"{kept} and leaves them out; a design without the subject uses all, but then takes the samples of a "
            "pair for independent"
        )
    return (
        f"{found}: without the subject in the design the pairing is lost and samples of one subject count as "
        f"independent; with it the {pairing.n_orphan_samples} other samples say nothing about the difference; {kept}"
    )


def _orphans(pairing: Pairing) -> str:
    """Who lacks what."""
    said = []
    for level in sorted(set(pairing.lacking)):
        names = [name for name, lacks in zip(pairing.orphans, pairing.lacking, strict=True) if lacks == level]
        others = " and others" if len(names) > _SHOWN else ""
        verb = "lacks" if len(names) == 1 else "lack"
        said.append(f"{', '.join(names[:_SHOWN])}{others} {verb} {level}")
    return "; ".join(said)
