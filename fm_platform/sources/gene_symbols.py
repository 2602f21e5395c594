"""Gene symbols that a spreadsheet turned into dates or numbers, and what they were.

Belongs here: recognising the damage. Does not belong here: repairing it (two symbols can become one date).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAY_FIRST = re.compile(r"^(\d{1,2})-([A-Za-z]{3})[a-z]*(?:-\d{2,4})?$")
_MONTH_FIRST = re.compile(r"^([A-Za-z]{3})[a-z]*-(\d{1,2})$")
_ISO = re.compile(r"^\d{4}-(\d\d)-(\d\d)(?:[ T]00:00:00)?$")
_SCIENTIFIC = re.compile(r"^\d\.\d{1,2}E\+\d{2}$", re.IGNORECASE)

_SYMBOLS = {
    "mar": ("MARCHF{n} (MARCH{n})", "MTARC{n} (MARC{n})"),
    "sep": ("SEPTIN{n} (SEPT{n})",),
    "dec": ("DELEC{n} (DEC{n})",),
    "oct": ("an OCT{n} alias",),
    "feb": ("a FEB{n} alias",),
    "apr": ("an APR{n} alias",),
    "nov": ("a NOV{n} alias",),
}


def damage(text: str) -> str | None:
    """What a text probably was before a spreadsheet changed it; None when it looks whole.

    ``1-Mar``, ``Mar-01`` and ``2001-03-01`` may have been MARCHF1 or MTARC1, ``2-Sep`` SEPTIN2;
    ``2.31E+13`` was a RIKEN clone id such as 2310009E13.
    """
    text = text.strip()
    if _SCIENTIFIC.match(text):
        return "a clone id such as 2310009E13"
    month, number = _date(text)
    if month is None:
        return None
    named = _SYMBOLS.get(month, ("a symbol that reads as a date",))
    return " or ".join(form.format(n=number) for form in named)


def damaged(texts: Iterable[str]) -> dict[str, str]:
    """The damaged ones among texts, each with what it probably was."""
    return {text: was for text in texts if (was := damage(text)) is not None}


def _date(text: str) -> tuple[str | None, int]:
    day_first, month_first, iso = _DAY_FIRST.match(text), _MONTH_FIRST.match(text), _ISO.match(text)
    if day_first and day_first[2].casefold() in _MONTHS:
        return day_first[2].casefold(), int(day_first[1])
    if month_first and month_first[1].casefold() in _MONTHS:
        return month_first[1].casefold(), int(month_first[2])
    if iso and 1 <= int(iso[1]) <= 12:
        return _MONTHS[int(iso[1]) - 1], int(iso[2])
    return None, 0
