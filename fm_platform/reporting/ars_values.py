"""How a single statistic of ``stats.ard`` is printed in a reporting event.

Belongs here: which of ``format``'s writings a statistic takes, by its name. Does not belong here: the writings.
"""

from __future__ import annotations

from fm_platform.reporting import format as fmt
from fm_platform.statistics.multiplicity import HOLM_FLOOR

_SHARES = (
    "rate",
    "ci_low",
    "ci_high",
    "wilson",
    "nri_",
    "superiority",
    "rank_biserial",
    "correlation",
    "power",
)
_LEVELS = ("_level", "level")


def printed(stat: str, value: float | None, text: str) -> str:
    """The text of a statistic: p-values as everywhere, levels in percent, shares with three decimals, others with one.

    Args:
        stat: Its name.
        value: The number; None for a text.
        text: The exact text.

    >>> printed("p_value", 0.03125, "0.03125"), printed("n", 6.0, "6"), printed("hl_level", 0.96875, "0.96875")
    ('0.031', '6', '96.9%')
    >>> printed("rate", 2 / 3, "0.6666666666666666"), printed("hl_estimate", -22.25, "-22.25")
    ('0.667', '−22.3')
    """
    if value is None:
        return text
    if text.lstrip("-").isdigit():
        return fmt.count(int(text))
    if (stat.startswith("p_") or stat == HOLM_FLOOR) and 0 <= value <= 1:
        return fmt.p_value(value)
    if stat.endswith(_LEVELS):
        return f"{fmt.short_number(100 * value)}%"
    return fmt.number(value, 3 if stat.startswith(_SHARES) else 1)
