"""Patterns of dates and times that exist, written without reading a calendar.

Belongs here: regular expressions that DuckDB and Python read alike, matched as a whole. Does not belong here: which
column follows which.
"""

from __future__ import annotations

from collections.abc import Sequence

_YEAR = "(?:19|20|21)[0-9]{2}"
_LEAP_YEAR = "(?:(?:19|20|21)(?:0[48]|[2468][048]|[13579][26])|2000)"
_DAYS_AND_MONTHS = (
    ("0?[1-9]|1[0-9]|2[0-8]", "0?[1-9]|1[0-2]", _YEAR),
    ("29|30", "0?[13-9]|1[0-2]", _YEAR),
    ("31", "0?[13578]|1[02]", _YEAR),
    ("29", "0?2", _LEAP_YEAR),
)
_LAYOUTS = {"ymd": "{y}-(?:{m})-(?:{d})", "dmy": "(?:{d})-(?:{m})-{y}", "mdy": "(?:{m})-(?:{d})-{y}"}

_HOUR, _SIXTIETH = "(?:[01]?[0-9]|2[0-3])", "[0-5][0-9]"
TIMES = {
    "time": f"{_HOUR}:{_SIXTIETH}(?::{_SIXTIETH})?",
    "time_hh_mm_ss": f"{_HOUR}:{_SIXTIETH}:{_SIXTIETH}",
    "time_mm_ss": f"[0-5]?[0-9]:{_SIXTIETH}",
}
"""REDCap's validation types of times."""


def dates(orders: Sequence[str]) -> str:
    """The pattern of the dates of 1900 to 2199 that exist.

    Args:
        orders: ``ymd``, ``compact``, ``dmy`` or ``mdy``.
    """
    written = []
    for order in orders:
        for days, months, years in _DAYS_AND_MONTHS:
            if order == "compact":
                two_digits = [part.replace("0?", "0") for part in (months, days)]
                written.append(f"{years}(?:{two_digits[0]})(?:{two_digits[1]})")
            else:
                written.append(_LAYOUTS[order].format(y=years, m=months, d=days))
    return f"(?:{'|'.join(written)})"


def moment(validation: str) -> str:
    """The pattern of a REDCap field that holds a time, or a date and time; empty for any other.

    REDCap exports the date year first, whatever order the field shows.

    Args:
        validation: The field's validation type: ``time``, ``datetime_dmy``, ``datetime_seconds_mdy`` and so on.
    """
    if validation.startswith("datetime"):
        time = TIMES["time_hh_mm_ss" if validation.startswith("datetime_seconds") else "time"]
        return f"{dates(['ymd'])} {time}"
    return TIMES.get(validation, "")
