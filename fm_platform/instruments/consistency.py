"""Checks of an instrument file against itself: references, order of scores, whole-number scales, band order.

Belongs here: what pydantic cannot see because it spans several keys. Does not belong here: anything about a
study.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from fractions import Fraction

from fm_platform.errors import InputError
from fm_platform.instruments.model import Instrument, Score

Complain = Callable[..., InputError]
"""``complain(message, *key_path, mend=...)`` makes an error that points at a key of the file."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A mend for an unknown name: the nearest known one, else all of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(names) or 'none known'}"


def least_answered(score: Score, n_items: int) -> int:
    """How many of a sum's items must be answered for it to have a value."""
    return max(1, math.ceil(score.min_answered * n_items))


def check_instrument(instrument: Instrument, complain: Complain) -> None:
    """Refuse an instrument that contradicts itself.

    Raises:
        InputError: The first contradiction, with its line.
    """
    for section, ids in (
        ("items", [item.id for item in instrument.items]),
        ("scores", [score.id for score in instrument.scores]),
    ):
        if not ids:
            raise complain(f"{section} is empty", section, mend="list at least one")
        counts = Counter(ids)
        for index, name in enumerate(ids):
            if counts[name] > 1:
                raise complain(
                    f"{section}: {name} appears twice", section, index, "id", mend="rename one of them"
                )
    for index, score in enumerate(instrument.scores):
        _check_references(instrument, index, score, complain)
        if score.rule == "sum":
            _check_scale(instrument, index, score, complain)
    _check_bands(instrument, complain)
    known = {score.id for score in instrument.scores}
    for index, mcid in enumerate(instrument.mcid):
        _known(mcid.score, known, "score", ("mcid", index, "score"), complain)
    for index, composite in enumerate(instrument.composites):
        for place, criterion in enumerate(composite.criteria):
            for name in criterion.scores:
                _known(name, known, "score", ("composites", index, "criteria", place, "scores"), complain)


def _known(
    name: str, known: Iterable[str], kind: str, path: tuple[str | int, ...], complain: Complain
) -> None:
    names = set(known)
    if name not in names:
        raise complain(f"no {kind} named {name!r}", *path, mend=nearest(name, names))


def _check_references(instrument: Instrument, index: int, score: Score, complain: Complain) -> None:
    items = {item.id: item for item in instrument.items}
    named = [("item", score.item)] if score.item else []
    named += [("items", item) for item in score.items]
    named += [("groups", item) for group in score.groups.values() for item in group]
    for key, item in named:
        _known(str(item), items, "item", ("scores", index, key), complain)
    for domain in score.domains:
        _known(domain, instrument.domains, "domain", ("scores", index, "domains"), complain)
    above = {earlier.id for earlier in instrument.scores[:index]}
    for part in score.of:
        if part not in above and part in {other.id for other in instrument.scores}:
            raise complain(
                f"score {score.id} adds {part}, which stands below it",
                "scores",
                index,
                "of",
                mend="list the parts first",
            )
        _known(part, above, "score", ("scores", index, "of"), complain)
    for item in instrument.items_of(score):
        if items[item].optional:
            raise complain(
                f"score {score.id} uses the optional item {item}",
                "scores",
                index,
                mend="drop `optional` or the use",
            )


def _check_scale(instrument: Instrument, index: int, score: Score, complain: Complain) -> None:
    """Every value a sum can take must be a whole number over its scale."""
    if (score.weight * score.scale).denominator != 1:
        raise complain(
            f"score {score.id}: weight {score.weight} is not a whole number over scale {score.scale}",
            "scores",
            index,
            "scale",
            mend=f"use a multiple of {score.weight.denominator}",
        )
    if score.prorated_scale is None:
        return
    n_items = len(instrument.items_of(score))
    shares = [Fraction(score.weight * n_items, n) for n in range(least_answered(score, n_items), n_items)]
    needed = math.lcm(score.scale, *(share.denominator for share in shares))
    if score.prorated_scale % needed:
        raise complain(
            f"score {score.id}: prorated values are not whole numbers over {score.prorated_scale}",
            "scores",
            index,
            "prorated_scale",
            mend=f"use a multiple of {needed}",
        )


def _check_bands(instrument: Instrument, complain: Complain) -> None:
    known = {score.id for score in instrument.scores}
    seen: set[tuple[str, str]] = set()
    for index, scheme in enumerate(instrument.bands):
        _known(scheme.score, known, "score", ("bands", index, "score"), complain)
        if (scheme.score, scheme.scheme) in seen:
            raise complain(
                f"bands: {scheme.scheme} appears twice", "bands", index, "scheme", mend="rename one of them"
            )
        seen.add((scheme.score, scheme.scheme))
        uppers = [band.upper for band in scheme.bands]
        if not uppers or uppers != sorted(set(uppers)):
            raise complain(
                f"bands {scheme.scheme}: uppers must rise", "bands", index, "bands", mend="order them"
            )
        if uppers[-1] < instrument.range_of(scheme.score)[1]:
            raise complain(
                f"bands {scheme.scheme}: the last one ends below the score's maximum",
                "bands",
                index,
                "bands",
                mend=f"let it end at {instrument.range_of(scheme.score)[1]}",
            )
