"""Texts of a sample sheet that say "no value", and spellings of one level that software would take for two.

Belongs here: what counts as missing, which texts a reader would hold to be one, and where in the sheet they stand. Does
not belong here: which variables and samples are looked at (``variables``, ``choice``, ``samples``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.delimited import LINE
from fm_platform.validation.spellings import LOOK_ALIKES, shown

MISSING = frozenset(
    {
        *("", "NA", "na", "N/A", "n/a", "NaN", "nan", "NAN", "<NA>", "n.a.", "N.A.", ".", "?"),
        *("#N/A", "#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!"),
    }
)
"""Texts that stand for no value: R's, those of SAS and Stata, of people, and what a spreadsheet shows for an error.

R's ``read.csv`` reads the first two of them so, and DESeq2 refuses such samples.
"""

_NUMBER = re.compile(r"[+-]?\d+([.,]\d*)?(e[+-]?\d{1,3})?")
_GAP = re.compile(r"(?<!\d)[\s_]+|[\s_]+(?!\d)")
"""Blanks and underscores in what is read as one (``24 h``, ``day_1``); between digits they part numbers."""

_QUOTES = "'\"`\u2018\u2019\u201c\u201d"
_CYRILLIC = {sign: latin for sign, latin in LOOK_ALIKES.items() if 0x400 <= sign < 0x530}
"""Of Greek letters, a mu is no m: 5 µM are not 5 mM."""

_SHOWN = 10


def is_missing(text: str | None) -> bool:
    """Whether a cell holds no value: empty, blanks only, or a text such as ``NA``."""
    return text is None or _visible(text) in MISSING


def places(samples: pl.DataFrame, at: Sequence[int]) -> str:
    """Samples by name, and by their lines where these are known: ``s4 (line 5), s7 (line 8)``."""
    names = samples["sample_id"].to_list()
    lines = samples[LINE].to_list() if LINE in samples.columns else None
    shown = [f"{names[place]} (line {lines[place]})" if lines else str(names[place]) for place in at[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else "")


def refuse_spellings(samples: pl.DataFrame, column: str, variable: str, *, what: str = "level") -> None:
    """Refuse a column in which one value is spelled in several ways.

    Args:
        samples: With ``sample_id``, and ``_line`` where it is known.
        column: The column to look at.
        variable: What to call it.
        what: What its values are: a level, a subject, a visit.

    Raises:
        InputError: Two texts differ in blanks, dashes, quotes, letter case, invisible characters or the way a number
            is written only. The message shows every
            spelling, with the samples and their lines.
    """
    texts = samples[column].cast(pl.String).to_list()
    groups: dict[str, list[str]] = {}
    for text in sorted({text for text in texts if text and not is_missing(text)}):
        groups.setdefault(plain(text), []).append(text)
    doubtful = [spellings for spellings in groups.values() if len(spellings) > 1]
    if not doubtful:
        return
    told = " and ".join(
        f"{_told(text)} of {places(samples, [at for at, other in enumerate(texts) if other == text])}"
        for text in doubtful[0]
    )
    more = f" (and {len(doubtful) - 1} more such)" if len(doubtful) > 1 else ""
    raise InputError(
        f"{variable!r} spells one {what} in several ways: {told}{more}; they differ in blanks, underscores, dashes, "
        f"letter case, script, invisible characters or form of a number only, and would be taken for different {what}s",
        mend=f"write it alike everywhere in the sample sheet; if they are different {what}s, give them different names",
    )


def _told(text: str) -> str:
    """A text in quotes, letters of another script and what cannot be seen by their codes."""
    named = shown(text)
    return named if "<U+" in named and text.isprintable() else repr(text)


def plain(text: str) -> str:
    """What a reader takes a text for: no quotes, blanks between digits alone, no letter case, a number as its value."""
    bare = _GAP.sub("", " ".join(_visible(text).strip(_QUOTES).split())).casefold().translate(_CYRILLIC)
    if _NUMBER.fullmatch(bare):
        return str(Decimal(bare.replace(",", ".")).normalize())
    return bare


def _visible(text: str) -> str:
    """A text without characters that nobody sees, of one form, its dashes one dash."""
    kinds = ((char, unicodedata.category(char)) for char in unicodedata.normalize("NFKC", text))
    return "".join("-" if kind == "Pd" else char for char, kind in kinds if kind != "Cf").strip()
