"""Reads a design formula: which variables it names and how its terms combine. Never runs what it reads.

Belongs here: the grammar (names, ``+ - : * / ^``, parentheses, 0 and 1) and its errors. Does not belong here:
data, levels, model matrices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fm_platform.errors import InputError

_TOKEN = re.compile(
    r"\s*(?:(?P<quoted>`[^`]+`)|(?P<name>[^\W\d][\w.]*)|(?P<number>\d+)|(?P<mark>[~+\-:*/^()|]))"
)
_EXAMPLE = "write it like `~ batch + condition`; names with spaces go into backticks"


@dataclass(frozen=True)
class Formula:
    """A design formula.

    Attributes:
        text: As written.
        variables: The names in it, in order of appearance.
        neutral: The same formula with the i-th variable written ``vi``, for the model-matrix library.
    """

    text: str
    variables: tuple[str, ...]
    neutral: str


def parse_formula(text: str) -> Formula:
    """Read a design formula.

    Raises:
        InputError: It does not begin with ``~``, or contains anything but names, numbers and the operators
            above.
    """
    stripped = text.strip()
    if not stripped.startswith("~"):
        raise InputError(f"design {text!r} does not begin with ~", mend=_EXAMPLE)
    variables: list[str] = []
    parts: list[str] = []
    position = 1
    while position < len(stripped):
        found = _TOKEN.match(stripped, position)
        if found is None:
            if not stripped[position:].strip():
                break
            raise InputError(f"design {text!r}: cannot read {stripped[position:].strip()!r}", mend=_EXAMPLE)
        position = found.end()
        name = (found["quoted"] or "").strip("`") or found["name"]
        if name:
            _refuse_call(text, name, stripped[position:])
            if name not in variables:
                variables.append(name)
            parts.append(f"v{variables.index(name)}")
        elif found["mark"] in ("~", "|"):
            _refuse_mark(text, found["mark"])
        else:
            parts.append(found["number"] or found["mark"])
    if not variables:
        raise InputError(f"design {text!r} names no variable", mend=_EXAMPLE)
    return Formula(text=stripped, variables=tuple(variables), neutral="~ " + " ".join(parts))


def _refuse_call(text: str, name: str, rest: str) -> None:
    if rest.lstrip().startswith("("):
        raise InputError(
            f"design {text!r}: functions such as {name}() are not available",
            mend="variables are factors unless listed as covariates; put computed columns into the sheet",
        )


def _refuse_mark(text: str, mark: str) -> None:
    if mark == "|":
        raise InputError(
            f"design {text!r}: random effects are not available",
            mend="use a fixed effect, e.g. `~ subject + group`",
        )
    raise InputError(f"design {text!r} has a second ~", mend=_EXAMPLE)
