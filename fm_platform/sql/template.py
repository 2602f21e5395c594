"""dbt's ``{{ ref() }}`` and ``{{ source() }}`` in a model's text.

Belongs here: finding the tags and putting table names in their place, line by line where they stood. Does not
belong
here: what the names mean (the loader decides) and SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fm_platform.errors import InputError

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|\{\{|\{%|\{#", re.DOTALL)
_REF = re.compile(r"""\{\{-?\s*ref\(\s*(['"])([A-Za-z0-9_]+)\1\s*\)\s*-?\}\}""")
_SOURCE = re.compile(
    r"""\{\{-?\s*source\(\s*(['"])([A-Za-z0-9_]+)\1\s*,\s*(['"])([A-Za-z0-9_]+)\3\s*\)\s*-?\}\}"""
)


@dataclass(frozen=True)
class Tag:
    """One reference: ``ref('table')`` (schema None) or ``source('schema', 'table')``, and its line."""

    schema: str | None
    table: str
    line: int


@dataclass(frozen=True)
class Rendered:
    """Plain SQL, and the offsets in it at which table names were put."""

    sql: str
    offsets: frozenset[int]


def find_tags(text: str, file: str) -> list[Tag]:
    """Every reference in a template.

    Raises:
        InputError: A tag that is neither ``ref`` nor ``source``.
    """
    return [_read(match, text, file) for match in _TAG.finditer(text)]


def render(text: str, file: str, resolve: Callable[[Tag], str]) -> Rendered:
    """Replace every reference by its quoted table name.

    Args:
        text: The template.
        file: Its name in errors.
        resolve: Gives the ``schema.table`` of a tag, or raises.

    Returns:
        SQL with the same number of lines, so that a line in it is a line of the file.
    """
    pieces: list[str] = []
    offsets: set[int] = set()
    done = length = 0
    for match in _TAG.finditer(text):
        schema, table = resolve(_read(match, text, file)).split(".", 1)
        before = text[done : match.start()]
        offsets.add(length + len(before))
        name = f'"{schema}"."{table}"' + "\n" * match.group().count("\n")
        pieces += [before, name]
        length += len(before) + len(name)
        done = match.end()
    return Rendered("".join(pieces) + text[done:], frozenset(offsets))


def _read(match: re.Match[str], text: str, file: str) -> Tag:
    line = text.count("\n", 0, match.start()) + 1
    if ref := _REF.fullmatch(match.group()):
        return Tag(None, ref[2], line)
    if source := _SOURCE.fullmatch(match.group()):
        return Tag(source[2], source[4], line)
    shown = " ".join(match.group().split())
    raise InputError(
        f"{shown if len(shown) <= 60 else shown[:57] + '...'} is not understood",
        file=file,
        line=line,
        mend="only {{ ref('model') }} and {{ source('schema', 'table') }} are; write the rest as plain SQL",
    )
