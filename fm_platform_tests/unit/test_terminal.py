"""What a refresh says at its end.

Belongs here: lines from literal facts. Does not belong here: whole commands (``e2e``).
"""

from __future__ import annotations

from fm_platform.terminal import analysed_lines


def counted(outcome: str, **visits: int) -> list[dict]:
    return [{"outcome": outcome, "visit": visit, "n": n, "n_expected": 12} for visit, n in visits.items()]


def test_outcomes_with_the_same_numbers_share_a_line():
    rows = [*counted("pain", v2=12, v3=7), *counted("sleep", v2=12, v3=12), *counted("sss", v2=12, v3=7)]
    assert analysed_lines(rows) == [
        "analysed   v2 12, v3 7 of 12 subjects: pain, sss",
        "           v2 12, v3 12 of 12 subjects: sleep",
    ]


def test_a_refresh_that_counted_nothing_says_nothing():
    assert analysed_lines([]) == []
