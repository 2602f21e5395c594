"""How a score is computed, in words: against the published scoring rules of the FIQR and the 2016 criteria."""

from __future__ import annotations

import pytest

from fm_platform.instruments.registry import load_instrument
from fm_platform.instruments.wording import in_words


@pytest.mark.parametrize(
    ("instrument", "score", "words"),
    [
        ("fiqr", "pain", "The answer to item fiqr_12_pain."),
        ("fiqr", "total", "The sum of the scores function, overall, symptoms."),
        (
            "fiqr",
            "overall",
            "The sum of the items fiqr_10_goals_prevented, fiqr_11_overwhelmed. Where items are missing, the answered "
            "ones stand for all, if at least 1/2 of them are answered.",
        ),
    ],
)
def test_the_rule_of_a_score_in_words(instrument: str, score: str, words: str) -> None:
    loaded = load_instrument(instrument)
    assert in_words(loaded, loaded.score(score)) == words


def test_a_weighted_sum_says_its_weight_and_bounds_say_what_a_missing_item_counts() -> None:
    fiqr, criteria = load_instrument("fiqr"), load_instrument("acr2016")
    assert in_words(fiqr, fiqr.score("symptoms")).startswith("1/2 times the sum of the items fiqr_12_pain, ")
    assert in_words(criteria, criteria.score("wpi_min")).endswith(
        "A missing item counts as its smallest answer."
    )
    regions = in_words(criteria, criteria.score("n_regions_max"))
    assert "axial: neck, upper_back, lower_back. A missing item counts as its largest answer." in regions
