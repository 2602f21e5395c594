"""The libraries behind an import: the distribution it comes from, what that one requires in turn, and Python itself.

Belongs here: names and versions from the metadata of what is installed; nothing is imported. Does not belong here:
which imports count for an asset (``code``), or where the code itself came from (``environment``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

PYTHON = "python"
"""How Python is called among libraries; its version there is the minor one."""

_NAMED_OTHERWISE = {"yaml": "pyyaml"}
"""Imports whose distribution has another name."""

_UNSAID = {"duckdb": ("pyarrow",)}
"""What a distribution needs for what we ask of it and does not list: rows pass from DuckDB to Polars as Arrow."""


@dataclass(frozen=True)
class Library:
    """An installed distribution: its version, and the distributions it requires (not those of its extras)."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


def versions_behind(imports: Iterable[str]) -> dict[str, str]:
    """The version of everything third-party that runs when these modules are imported, and of Python.

    Args:
        imports: Top-level module names. Those of the standard library come with Python; one that is not installed is
            left out until it is.

    Returns:
        Distribution to version, in name order.
    """
    found = {PYTHON: python_version()}
    pending = [distribution_of(name) for name in imports if name not in sys.stdlib_module_names]
    while pending:
        library = installed(pending.pop())
        if library is not None and library.name not in found:
            found[library.name] = library.version
            pending.extend(library.requires)
    return dict(sorted(found.items()))


def python_version() -> str:
    """Python's minor version, as in ``3.11``."""
    return ".".join(str(part) for part in sys.version_info[:2])


@cache
def installed(name: str) -> Library | None:
    """An installed distribution; None where there is none of this name."""
    from importlib import metadata

    try:
        text = metadata.distribution(name).read_text("METADATA") or ""
    except metadata.PackageNotFoundError:
        return None
    head = text.split("\n\n", 1)[0]
    version = re.search(r"^Version: *(\S+)", head, re.MULTILINE)
    needed = re.findall(r"^Requires-Dist: *([\w.-]+)([^\n]*)", head, re.MULTILINE)
    required = {_normal(other) for other, condition in needed if not _of_extra(condition)}
    return Library(
        _normal(name),
        version.group(1) if version else "",
        tuple(sorted({*required, *_UNSAID.get(_normal(name), ())})),
    )


@cache
def distribution_of(module: str) -> str:
    """The distribution that a top-level module comes from, as far as one is installed."""
    from importlib import metadata

    named = _NAMED_OTHERWISE.get(module, _normal(module))
    if installed(named) is None:  # reading every installed file list takes long, so it comes last
        return next(iter(metadata.packages_distributions().get(module, [])), named)
    return named


def _of_extra(condition: str) -> bool:
    return re.search(r";.*\bextra\b", condition) is not None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
