"""Values that several sections of study.yaml are written with.

Belongs here: names, lists of texts, and what all sections have in common. Does not belong here: a section.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict

_SLUG = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def _slug(value: str) -> str:
    if not _SLUG.match(value):
        raise ValueError("use letters, digits, - and _, beginning with a letter")
    return value


def _table_name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("use lower-case letters, digits and _, beginning with a letter")
    return value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Slug = Annotated[str, pydantic.AfterValidator(_slug)]
TableName = Annotated[str, pydantic.AfterValidator(_table_name)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Aggregate = Literal["mean", "median", "last", "first", "min", "max"]


class Section(BaseModel):
    """A section of study.yaml: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
