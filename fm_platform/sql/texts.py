"""A model's text, read and checked once: parsed when it is new, remembered when it is not.

Belongs here: what the loader needs to know of a text, and the parsing put off until the tree is asked for. Does not
belong here: what is refused (parsing.py, rules.py), files and docs (loader.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from fm_platform.errors import FmError
from fm_platform.sql.cache import Cache
from fm_platform.sql.model import output_columns
from fm_platform.sql.parsing import code_version, parse_model_sql, refs_of
from fm_platform.sql.template import Rendered


@dataclass(frozen=True)
class CheckedText:
    """A model's text, checked: what it reads and gives, and how its tree is made."""

    refs: tuple[str, ...]
    outputs: tuple[str, ...]
    code_version: str
    sql: str
    parse: Callable[[], exp.Query]


def checked_text(rendered: Rendered, file: str, cache: Cache, *, plain_names: bool) -> CheckedText:
    """A model's text, parsed unless it was before."""
    parse = partial(parse_model_sql, rendered, file, plain_names=plain_names)
    name = cache.name_of("text", rendered.sql, sorted(rendered.offsets), plain_names)
    kept = cache.get(name)
    if kept is not None:
        found = CheckedText(
            tuple(kept["refs"]), tuple(kept["outputs"]), kept["code_version"], rendered.sql, parse
        )
        return replace(found, parse=partial(_parsed_as_kept, found, file))
    tree = parse()
    found = CheckedText(
        refs_of(tree), tuple(output_columns(tree)), code_version(tree), rendered.sql, lambda: tree
    )
    cache.put(name, {"refs": found.refs, "outputs": found.outputs, "code_version": found.code_version})
    return found


def _parsed_as_kept(kept: CheckedText, file: str) -> exp.Query:
    """The tree of a text that the cache vouched for, if it is what the cache said."""
    tree = kept.parse()
    found = (code_version(tree), refs_of(tree), tuple(output_columns(tree)))
    if found != (kept.code_version, kept.refs, kept.outputs):
        raise FmError(
            "the cache of models says something else about this text",
            file=file,
            mend="delete the cache folder",
        )
    return tree
