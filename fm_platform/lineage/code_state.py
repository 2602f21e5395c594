"""The state of the code at one time as a ledger record: which files and libraries each asset's version covers.

Belongs here: making that record, and reading an asset's part of it back. Does not belong here: computing versions
(``code``).

The record lists every file once, with the first digits of its digest, and every asset's files by position: one record
says for some fifty assets what would otherwise be said fifty times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fm_platform.lineage.code import CodeVersion
    from fm_platform.lineage.graph import Node

_DIGITS = 16


@dataclass(frozen=True)
class CodeOf:
    """What one asset's code version covers: files with their digests, libraries with their versions."""

    files: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)


def code_state(nodes: Iterable[Node]) -> dict[str, Any]:
    """The body of the record."""
    from fm_platform.lineage.code import CodeVersion

    versions = {node.table: node.code_version for node in nodes if isinstance(node.code_version, CodeVersion)}
    files: dict[str, str] = {}
    libraries: dict[str, str] = {}
    for version in versions.values():
        files.update(version.files)
        libraries.update(version.libraries)
    names = sorted(files)
    position = {name: index for index, name in enumerate(names)}
    return {
        "files": [[name, _short(files[name])] for name in names],
        "libraries": dict(sorted(libraries.items())),
        "assets": {
            table: {
                "files": sorted(position[name] for name in version.files),
                "libraries": sorted(version.libraries),
            }
            for table, version in sorted(versions.items())
        },
    }


def code_of(table: str, body: Mapping[str, Any] | None) -> CodeOf | None:
    """What a record says of one asset; None when it says nothing."""
    entry = (body or {}).get("assets", {}).get(table)
    if body is None or entry is None:
        return None
    files = body["files"]
    return CodeOf(
        {files[index][0]: files[index][1] for index in entry["files"]},
        {name: body["libraries"][name] for name in entry["libraries"]},
    )


def code_of_version(version: CodeVersion) -> CodeOf:
    """What a version covers, in the form of the record."""
    return CodeOf({name: _short(digest) for name, digest in version.files.items()}, dict(version.libraries))


def _short(digest: str) -> str:
    return digest[:_DIGITS]
