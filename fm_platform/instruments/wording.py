"""How a score is computed, in words, read off the questionnaire's own file.

Belongs here: the score language as sentences. Does not belong here: computing (``scoring``).
"""

from __future__ import annotations

from fractions import Fraction

from fm_platform.instruments.model import Instrument, Score

_MISSING = {
    "refuse": "No value where an item is missing, unless every possible answer gives the same one.",
    "prorate": "Where items are missing, the answered ones stand for all, if {least} of them are answered.",
    "lowest": "A missing item counts as its smallest answer.",
    "highest": "A missing item counts as its largest answer.",
}


def in_words(instrument: Instrument, score: Score) -> str:
    """The rule of a score."""
    items = ", ".join(instrument.items_of(score))
    if score.rule == "item":
        return f"The answer to item {items}."
    if score.rule == "total":
        return f"The sum of the scores {', '.join(score.of)}."
    missing = _MISSING[score.missing].format(least=_share(score.min_answered))
    if score.rule == "groups":
        groups = "; ".join(f"{name}: {', '.join(own)}" for name, own in score.groups.items())
        return f"How many of these groups have an item above zero: {groups}. {missing}"
    weight = "The" if score.weight == 1 else f"{score.weight} times the"
    return f"{weight} sum of the items {items}. {missing}"


def _share(share: Fraction) -> str:
    return "all" if share == 1 else f"at least {share}"
