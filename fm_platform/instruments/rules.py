"""The score language on a matrix of answers: whole-number arithmetic, one function a rule.

Belongs here: arrays in, arrays out, nothing rounded. Does not belong here: data frames, keys, row ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_platform.instruments.consistency import least_answered
from fm_platform.instruments.model import Instrument, Score

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AnswerMatrix:
    """Answers of one instrument.

    Attributes:
        items: Item ids, one a column.
        values: Answers, shape (visits, items); 0 where there is none.
        known: Whether there is an answer, same shape.
    """

    items: tuple[str, ...]
    values: npt.NDArray[np.int32]
    known: Bools

    def part(self, items: Sequence[str]) -> tuple[npt.NDArray[np.int32], Bools]:
        """Values and known of some items."""
        at = [self.items.index(item) for item in items]
        return self.values[:, at], self.known[:, at]


@dataclass(frozen=True)
class Scored:
    """One score of every visit; all arrays have one element a visit.

    Attributes:
        exact: The value times its scale; 0 where there is no value.
        scale: The denominator.
        valid: Whether there is a value.
        prorated: Whether missing items were weighted up.
        n_items: How many items the score uses.
        n_missing: How many of them have no answer.
        why: Index into ``whys``: the reason for having no value (0: there is one).
        whys: The reasons.
    """

    exact: Ints
    scale: Ints
    valid: Bools
    prorated: Bools
    n_items: int
    n_missing: Ints
    why: Ints
    whys: tuple[str, ...]


def score_matrix(instrument: Instrument, answers: AnswerMatrix) -> dict[str, Scored]:
    """Compute every score of an instrument, in its order."""
    done: dict[str, Scored] = {}
    for score in instrument.scores:
        items = instrument.items_of(score)
        if score.rule == "item":
            done[score.id] = _item(answers, items)
        elif score.rule == "groups":
            done[score.id] = _groups(score, answers, items)
        elif score.rule == "total":
            done[score.id] = _total(score, done, answers, items)
        else:
            done[score.id] = _sum(score, instrument, answers, items)
    return done


def _item(answers: AnswerMatrix, items: tuple[str, ...]) -> Scored:
    values, known = answers.part(items)
    valid = known[:, 0]
    return _scored(values[:, 0], 1, valid, items, known, why=~valid, whys=("", "not answered"))


def _sum(score: Score, instrument: Instrument, answers: AnswerMatrix, items: tuple[str, ...]) -> Scored:
    values, known = answers.part(items)
    n_items, n_missing = len(items), (~known).sum(axis=1)
    total = values.sum(axis=1, where=known, dtype=np.int64)
    whole = int(score.weight * score.scale)
    if score.missing in ("lowest", "highest"):
        ends = [
            getattr(instrument.item(item), "min" if score.missing == "lowest" else "max") for item in items
        ]
        filled = np.where(known, values, np.asarray(ends, dtype=np.int32)).sum(axis=1, dtype=np.int64)
        return _scored(filled * whole, score.scale, np.ones(len(total), dtype=bool), items, known)
    if score.prorated_scale is None:
        whys = ("", *(f"{n} of {n_items} items not answered" for n in range(1, n_items + 1)))
        return _scored(total * whole, score.scale, n_missing == 0, items, known, why=n_missing, whys=whys)
    least = least_answered(score, n_items)
    shares = [Fraction(score.weight * n_items * score.prorated_scale, n) for n in range(least, n_items + 1)]
    factors = np.array([0] * least + [int(share) for share in shares], dtype=np.int64)
    answered = n_items - n_missing
    prorated = (n_missing > 0) & (answered >= least)
    return _scored(
        total * np.where(prorated, factors[answered], whole),
        np.where(prorated, score.prorated_scale, score.scale),
        answered >= least,
        items,
        known,
        prorated=prorated,
        why=np.where(answered >= least, 0, answered + 1),
        whys=("", *(f"{n} of {n_items} items answered, {least} needed" for n in range(least))),
    )


def _groups(score: Score, answers: AnswerMatrix, items: tuple[str, ...]) -> Scored:
    _, known = answers.part(items)
    low = np.zeros(len(known), dtype=np.int64)
    high = np.zeros(len(known), dtype=np.int64)
    for group in score.groups.values():
        values, answered = answers.part(group)
        low += (answered & (values > 0)).any(axis=1)
        high += (~answered | (values > 0)).any(axis=1)
    if score.missing == "refuse":
        valid = low == high
        return _scored(
            low, 1, valid, items, known, why=~valid, whys=("", "the unanswered items would decide it")
        )
    return _scored(
        low if score.missing == "lowest" else high, 1, np.ones(len(known), dtype=bool), items, known
    )


def _total(score: Score, done: Mapping[str, Scored], answers: AnswerMatrix, items: tuple[str, ...]) -> Scored:
    parts = [done[part] for part in score.of]
    _, known = answers.part(items)
    scale = np.ones(len(known), dtype=np.int64)
    for part in parts:
        scale = np.lcm(scale, part.scale)
    exact = sum((part.exact * (scale // part.scale) for part in parts), np.zeros(len(known), dtype=np.int64))
    valid = np.logical_and.reduce([part.valid for part in parts])
    without = sum(
        (~part.valid * (1 << at) for at, part in enumerate(parts)), np.zeros(len(known), dtype=np.int64)
    )
    combinations, why = np.unique(np.append(0, without), return_inverse=True)
    whys = [
        ", ".join(part for at, part in enumerate(score.of) if int(which) >> at & 1) for which in combinations
    ]
    return _scored(
        exact,
        scale,
        valid,
        items,
        known,
        prorated=np.logical_or.reduce([part.prorated for part in parts]) & valid,
        why=why[1:],
        whys=tuple(f"no value for {names}" if names else "" for names in whys),
    )


def _scored(
    exact: npt.NDArray[Any],
    scale: npt.NDArray[Any] | int,
    valid: Bools,
    items: tuple[str, ...],
    known: Bools,
    *,
    prorated: Bools | None = None,
    why: npt.NDArray[Any] | None = None,
    whys: tuple[str, ...] = ("",),
) -> Scored:
    length = len(valid)
    return Scored(
        exact=np.where(valid, exact, 0).astype(np.int64),
        scale=np.broadcast_to(np.asarray(scale, dtype=np.int64), (length,)),
        valid=valid,
        prorated=np.zeros(length, dtype=bool) if prorated is None else prorated,
        n_items=len(items),
        n_missing=(~known).sum(axis=1).astype(np.int64),
        why=np.zeros(length, dtype=np.int64) if why is None else why.astype(np.int64),
        whys=whys,
    )
