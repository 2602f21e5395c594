"""The guesses of a drafted study.yaml, as a list to go through.

Belongs here: finding the marked lines. Does not belong here: guessing (``exports``, ``redcap_exports``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"^(?P<line>\s*[^#\s].*?)\s+# guess(: (?P<note>.*))?$")


@dataclass(frozen=True)
class Marked:
    """One guess: its line in study.yaml, what was guessed, and what the mark says of it."""

    line: int
    text: str
    note: str = ""


def guesses_in(text: str) -> list[Marked]:
    """The marked lines of a drafted study.yaml, in order.

    Args:
        text: The draft.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _MARK.match(line)
        if match is not None:
            found.append(Marked(number, match["line"].strip().removeprefix("- "), match["note"] or ""))
    return found
