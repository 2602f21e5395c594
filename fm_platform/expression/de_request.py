"""What ``fm de`` is asked to compare, from the words of a command line to a declared contrast.

Belongs here: reading ``VAR,LEVEL,REF``, ``VAR=LEVEL,...`` and ``NAME=WEIGHT`` lists, and the errors of a request. Does
not belong here: planning and running it (``de``), options of the command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fm_platform.errors import InputError
from fm_platform.study.expression import Contrast, SizeFactorsSource

_PART = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"(?P<tail>[^,]*)|(?P<plain>[^,]*))(?P<comma>,?)')
_QUOTED_NAME = re.compile(r'\s*"((?:[^"]|"")*)"\s*=')
_KINDS = "--contrast VAR,LEVEL,REF, --coefficient NAME or --vector NAME=WEIGHT,..."


@dataclass(frozen=True)
class Compared:
    """What is compared; exactly one of the three.

    Attributes:
        pair: ``VARIABLE,LEVEL,REFERENCE``.
        coefficient: A column of the design.
        vector: ``COLUMN=WEIGHT,COLUMN=WEIGHT``.
    """

    pair: str | None = None
    coefficient: str | None = None
    vector: str | None = None


def declared_contrast(compared: Compared, **settings: Any) -> Contrast:
    """The contrast as study.yaml would declare it.

    Args:
        compared: What is compared.
        settings: Further keys of a contrast.

    Raises:
        InputError: Not exactly one kind is given, or a part cannot be read.
    """
    given = [name for name, text in vars(compared).items() if text is not None]
    if len(given) != 1:
        found = " and ".join(f"--{'contrast' if name == 'pair' else name}" for name in given)
        raise InputError(
            f"{found} exclude each other" if given else "nothing says what to compare",
            mend=f"give one of {_KINDS}",
        )
    kind: dict[str, Any] = {}
    if compared.pair is not None:
        kind = dict(zip(("variable", "level", "reference"), _pair(compared.pair), strict=True))
    elif compared.vector is not None:
        kind["vector"] = _vector(compared.vector)
    else:
        kind["coefficient"] = compared.coefficient
    try:
        return Contrast(id="de", **kind, **settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{where}: {message}" if where else message, mend="correct --design, --alpha or what is compared"
        ) from None


def declared_size_factors(wanted: str, control_genes: Path | None) -> SizeFactorsSource:
    """Where size factors are from.

    Args:
        wanted: ``ratio``, ``poscounts``, or a column of the sample sheet.
        control_genes: A file with one gene id or pattern a line, or None.

    Raises:
        InputError: The file cannot be read or is empty, or there is nothing to estimate from it.
    """
    estimate = wanted in ("ratio", "poscounts")
    if control_genes is None:
        return SizeFactorsSource.model_validate({"kind": wanted} if estimate else {"column": wanted})
    if not estimate:
        raise InputError(
            f"--size-factors {wanted} gives the factors, so control genes have nothing to do",
            mend="drop --control-genes, or use ratio or poscounts",
        )
    try:
        lines = control_genes.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "cannot be read as UTF-8 text", file=control_genes, mend="name a file with one gene id a line"
        ) from None
    genes = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not genes:
        raise InputError("names no gene", file=control_genes, mend="write one gene id a line")
    return SizeFactorsSource.model_validate({"kind": wanted, "control_genes": genes})


def _pair(text: str) -> list[str]:
    parts = _parts(text)
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f"contrast {text!r} is not VARIABLE,LEVEL,REFERENCE",
            mend="write e.g. condition,treated,untreated; a level that holds a comma goes into double quotes: "
            "'dose,\"24 h, low\",0 h'",
        )
    return parts


def _vector(text: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in _parts(text):
        name, _, number = part.rpartition("=")
        name = name.strip()
        try:
            weight = float(number)
        except ValueError:
            name = ""
        if not name or name in weights:
            raise InputError(
                f"vector {text!r}: {part!r} is not COLUMN=WEIGHT"
                if not name
                else f"vector {text!r} names {name} twice",
                mend="write e.g. group[T.b]=1,group[T.c]=-1 (double quotes around a column whose name holds a comma)",
            )
        weights[name] = weight
    return weights


def declared_levels(text: str, option: str) -> tuple[str, tuple[str, ...]]:
    """``VARIABLE=LEVEL,LEVEL`` as the variable and its levels.

    What holds a comma, an equals sign or blanks at its ends is quoted, as in ``--contrast``:
    ``dose="24 h, low",0 h`` or ``"a=b"=x``.

    Args:
        text: As given.
        option: The option, for the error.

    Raises:
        InputError: There is no equals sign after the variable.
    """
    named = _QUOTED_NAME.match(text)
    if named:
        return named[1].replace('""', '"'), tuple(_parts(text[named.end() :]))
    whole = text.lstrip().startswith('"')  # the first of the parts is quoted with its variable
    name, sign, rest = (_parts(text)[0] if whole else text).partition("=")
    if not sign or not name.strip():
        raise InputError(
            f"{option} {text}: expected VARIABLE=LEVEL,LEVEL",
            mend=f"write e.g. {option} visit=week_12 or {option} 'dose=\"24 h, low\",0 h'",
        )
    return name.strip(), ((rest, *_parts(text)[1:]) if whole else tuple(_parts(rest)))


def declared_level(text: str, option: str) -> tuple[str, str]:
    """``VARIABLE=LEVEL`` as a pair; the level may be quoted, and needs not where it holds a comma.

    Args:
        text: As given.
        option: The option, for the error.

    Raises:
        InputError: As :func:`declared_levels`.
    """
    name, levels = declared_levels(text, option)
    if len(levels) == 1:
        return name, levels[0]
    return name, text.partition("=")[2]


def _parts(text: str) -> list[str]:
    """Texts between commas without surrounding blanks; a quoted one keeps commas, blanks and doubled quotes."""
    parts, at = [], 0
    while True:
        found = _PART.match(text, at)
        assert found is not None, "a part may be empty"
        quoted = found["quoted"]
        parts.append(
            found["plain"].strip() if quoted is None else quoted.replace('""', '"') + found["tail"].strip()
        )
        at = found.end()
        if not found["comma"]:
            return parts
