"""What ``ref()`` and ``source()`` in models mean.

Belongs here: the names that may be referred to, and the error for one that does not exist. Does not belong
here: finding the tags in a text (template.py), reading files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from fm_platform.errors import InputError
from fm_platform.sql.template import Tag

SCHEMAS_OF_THE_STUDY = ("raw", "quarantine")
"""Schemas whose tables differ from study to study: a ``source()`` in them need not be declared."""


@dataclass(frozen=True)
class References:
    """What references may mean: models by table name, and the declared sources."""

    models: Mapping[str, str]
    sources: Mapping[str, tuple[str, ...]]

    def resolve(self, tag: Tag, file: str) -> str:
        """``schema.table`` of a reference.

        Raises:
            InputError: There is no such model or source; the nearest is named.
        """
        if tag.schema is None:
            if tag.table in self.models:
                return self.models[tag.table]
            raise InputError(
                f"ref({tag.table!r}): no such model",
                file=file,
                line=tag.line,
                mend=nearest(tag.table, self.models),
            )
        name = f"{tag.schema}.{tag.table}"
        if name in self.models.values():
            raise InputError(
                f"source({tag.schema!r}, {tag.table!r}) is a model",
                file=file,
                line=tag.line,
                mend=f"write {{{{ ref({tag.table!r}) }}}}",
            )
        if tag.schema in SCHEMAS_OF_THE_STUDY or tag.table in self.sources.get(tag.schema, ()):
            return name
        declared = [f"{schema}.{table}" for schema, tables in self.sources.items() for table in tables]
        raise InputError(
            f"source({tag.schema!r}, {tag.table!r}) is not declared",
            file=file,
            line=tag.line,
            mend=nearest(name, declared) + "; sources are declared in a .yml of the folder",
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """A mend that names the known name most like a wrong one."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices) or 'none'}"
