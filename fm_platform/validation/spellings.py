"""Texts that people take for one and computers for two: ``S1`` and ``s1``, ``P07`` and ``P7``, a tab at the end.

Belongs here: the form in which ids and levels are compared, how a text is shown with what cannot be seen, and finding
texts that fall together. Does not belong here: reading a cell (``expressions``), or refusing (``readings``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal

ONLY_IN = "only in case, blanks, zeros, script or what cannot be seen"
"""How texts of one :func:`canonical` form differ."""
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
LOOK_ALIKES = str.maketrans("авекмнорстухіјѕαβεζηικνορτυχ", "abekmhopctyxijsabezhiknoptyx")
r"""Small letters of Cyrillic and Greek whose capitals look like Latin ones (Unicode TR 39, confusables).

A small mu is none of them: it stands for micro, and 5 \u00b5M is not 5 mM.
"""
_CAPITAL_MU = "\u039c"
_EXPONENT = re.compile(r"^[0-9]+([.,][0-9]+)?e[+]?[0-9]{1,2}$")
_WHOLE = re.compile(r"^[0-9]+[.]0+$")
_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")


def canonical(text: str) -> str:
    r"""A text without what people do not see or mean: width, case, blanks, dashes, scripts, zeros, exponents.

    >>> canonical("S2\t"), canonical("1E+05"), canonical("p007"), canonical("\u0420007")
    ('s2', '100000', 'p7', 'p7')
    """
    plain = unicodedata.normalize("NFKC", text).replace(_CAPITAL_MU, "M").casefold()
    plain = plain.translate(_DASHES).translate(LOOK_ALIKES)
    plain = "".join(sign for sign in plain if unicodedata.category(sign)[0] not in "CZ")
    if _EXPONENT.match(plain) or _WHOLE.match(plain):
        number = Decimal(plain.replace(",", "."))
        plain = str(int(number)) if number == number.to_integral_value() else plain
    return _ZEROS.sub("", plain)


def is_odd(text: str) -> bool:
    """Whether a text is the less plain one of two that are the same: unseen or unusual signs, or an exponent."""
    return not text.isascii() or not text.isprintable() or bool(_EXPONENT.match(text.casefold()))


def shown(text: str) -> str:
    r"""A text in quotes in which every character that cannot be seen, or told from a Latin letter, is named.

    >>> shown("S2\t"), shown("\u042502")
    ("'S2<U+0009>'", "'<U+0425>02'")
    """
    mixed = any(sign.isascii() and sign.isalnum() for sign in text)
    signs = [
        f"<U+{ord(sign):04X}>"
        if _is_unseen(sign) or (mixed and (sign == _CAPITAL_MU or ord(sign.lower()[0]) in LOOK_ALIKES))
        else sign
        for sign in text
    ]
    return f"'{''.join(signs)}'"


def _is_unseen(sign: str) -> bool:
    return sign != " " and unicodedata.category(sign)[0] in "CZ"


def spelled_twice(texts: Iterable[str], apart: Iterable[str] = ()) -> list[tuple[str, ...]]:
    """The groups of different texts that are the same in :func:`canonical` form, sorted.

    Args:
        texts: The texts, in any order and number.
        apart: Texts that are known to be what they are.
    """
    groups: dict[str, set[str]] = {}
    for text in set(texts) - set(apart):
        groups.setdefault(canonical(text), set()).add(text)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
