"""The `.yml` files beside the models: descriptions, keys, data tests and declared sources, in dbt's layout.

Belongs here: the shape of those files and the line of everything in them. Does not belong here: SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fm_platform.errors import InputError
from fm_platform.sql.model import ModelTest, Severity, TestKind
from fm_platform.warehouse.records import Column
from fm_platform.yaml_lines import KeyPath, YamlDocument, parse_model, read_yaml

_KINDS: dict[str, TestKind] = {
    "not_null": "not_null",
    "unique": "unique",
    "accepted_values": "accepted_values",
    "relationships": "relationships",
    "unique_combination": "unique_combination",
    "unique_combination_of_columns": "unique_combination",
    "dbt_utils.unique_combination_of_columns": "unique_combination",
}
_REF = re.compile(r"^(ref\(\s*(['\"])\w+\2\s*\)|source\(\s*(['\"])\w+\3\s*,\s*(['\"])\w+\4\s*\))$")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Meta(_Part):
    key: tuple[str, ...] = ()


class _Config(_Part):
    meta: _Meta = _Meta()


class _ColumnMeta(_Part):
    constant: str = ""


class _ColumnDoc(_Part):
    name: str
    description: str = Field(min_length=1)
    data_type: str = ""
    meta: _ColumnMeta = _ColumnMeta()
    data_tests: tuple[str | dict[str, Any], ...] = ()


class _ModelDoc(_Part):
    name: str
    description: str = Field(min_length=1)
    meta: _Meta = _Meta()
    config: _Config = _Config()
    columns: tuple[_ColumnDoc, ...]
    data_tests: tuple[str | dict[str, Any], ...] = ()


class _SourceTable(_Part):
    name: str
    description: str = ""


class _Source(_Part):
    name: str
    description: str = ""
    tables: tuple[_SourceTable, ...]


class _DocFile(_Part):
    version: Literal["2"]
    models: tuple[_ModelDoc, ...] = ()
    sources: tuple[_Source, ...] = ()


@dataclass(frozen=True)
class ModelDocs:
    """What a `.yml` says about one model, with the line of each test."""

    name: str
    description: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    tests: tuple[ModelTest, ...]
    test_lines: tuple[int | None, ...]
    document: YamlDocument = field(repr=False)
    at: KeyPath

    def error(self, message: str, *path: str | int, mend: str) -> InputError:
        """An error that points into the `.yml`."""
        return InputError(
            message, file=self.document.path, line=self.document.line_of(*self.at, *path), mend=mend
        )


def read_docs(path: Path) -> tuple[list[ModelDocs], dict[str, tuple[str, ...]]]:
    """Read one `.yml`.

    Returns:
        The documented models, and the declared sources: schema to table names.

    Raises:
        InputError: With the file and line of what is wrong.
    """
    document = read_yaml(path)
    parsed = parse_model(document, _DocFile)
    models = [_model(document, index, model) for index, model in enumerate(parsed.models)]
    sources = {source.name: tuple(table.name for table in source.tables) for source in parsed.sources}
    return models, sources


def _model(document: YamlDocument, index: int, parsed: _ModelDoc) -> ModelDocs:
    at: KeyPath = ("models", index)
    columns: dict[str, Column] = {}
    tests: list[ModelTest] = []
    places: list[KeyPath] = []
    for position, column in enumerate(parsed.columns):
        here = (*at, "columns", position)
        if column.name in columns:
            raise _error(document, f"column {column.name!r} is described twice", here, "keep one of the two")
        columns[column.name] = Column(
            column.name, column.description, column.data_type, constant=column.meta.constant
        )
        for number, entry in enumerate(column.data_tests):
            places.append((*here, "data_tests", number))
            tests.append(_test(document, places[-1], entry, column.name))
    for number, entry in enumerate(parsed.data_tests):
        places.append((*at, "data_tests", number))
        tests.append(_test(document, places[-1], entry, None))
    key = parsed.meta.key or parsed.config.meta.key
    if not key:
        key = next((test.columns for test in tests if test.kind == "unique_combination"), ())
    lines = tuple(document.line_of(*place) for place in places)
    docs = ModelDocs(parsed.name, parsed.description, columns, key, tuple(tests), lines, document, at)
    if not key:
        raise docs.error(f"model {parsed.name} has no key", mend="add `meta: {key: [column, ...]}`")
    for name in [*key, *(name for test in tests for name in test.columns)]:
        if name not in columns:
            raise docs.error(
                f"key or test column {name!r} of {parsed.name} is not described",
                mend="describe it under `columns:`",
            )
    return docs


def _test(document: YamlDocument, at: KeyPath, entry: str | dict[str, Any], column: str | None) -> ModelTest:
    """One data test: a bare name, or ``name: {arguments}`` (arguments flat or under ``arguments:``)."""
    name, raw = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()), ("", {}))
    if isinstance(entry, dict) and len(entry) != 1:
        raise _error(
            document, "a data test is one name with its arguments", at, "write `- name: {arguments}`"
        )
    kind = _KINDS.get(name)
    if kind is None:
        raise _error(
            document,
            f"unknown data test {name!r}",
            at,
            f"use one of: {', '.join(sorted(set(_KINDS.values())))}",
        )
    arguments = dict(raw or {}) if isinstance(raw, dict) or raw is None else {"": raw}
    arguments.update(arguments.pop("arguments", None) or {})
    config = arguments.pop("config", None) or {}
    severity = str(arguments.pop("severity", config.get("severity", "error"))).upper()
    if severity not in ("ERROR", "WARN"):
        raise _error(document, f"severity {severity.lower()!r} is unknown", at, "use error or warn")
    wanted = {"accepted_values": {"values"}, "relationships": {"to", "field"}}.get(kind, set())
    if kind == "unique_combination":
        wanted = {"combination_of_columns"}
    if set(arguments) != wanted or not all(arguments.values()):
        needs = ", ".join(sorted(wanted)) or "no arguments"
        raise _error(document, f"data test {name} takes {needs}", at, f"give exactly: {needs}")
    if (kind == "unique_combination") != (column is None):
        place = "under the model" if kind == "unique_combination" else "under a column"
        raise _error(document, f"data test {name} stands {place}", at, f"move it {place}")
    return ModelTest(kind, *_arguments(document, at, kind, arguments, column), _severity(severity))


def _arguments(
    document: YamlDocument, at: KeyPath, kind: TestKind, arguments: dict[str, Any], column: str | None
) -> tuple[tuple[str, ...], dict[str, str | tuple[str, ...]]]:
    if column is None:
        return tuple(arguments["combination_of_columns"]), {}
    if kind == "accepted_values":
        return (column,), {"values": tuple(arguments["values"])}
    if kind == "relationships":
        target = str(arguments["to"]).strip()
        if not _REF.match(target):
            raise _error(
                document, f"relationships: to: {target!r} is not a reference", at, "write ref('model')"
            )
        return (column,), {"to": target, "field": str(arguments["field"])}
    return (column,), {}


def _severity(text: str) -> Severity:
    return "WARN" if text == "WARN" else "ERROR"


def _error(document: YamlDocument, message: str, at: KeyPath, mend: str) -> InputError:
    return InputError(message, file=document.path, line=document.line_of(*at), mend=mend)
