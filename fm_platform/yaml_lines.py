"""YAML files whose every key remembers its line, so that errors can point at it.

Belongs here: reading a YAML file into plain text values plus a map from key path to line, and turning pydantic's
complaints into :class:`~fm_platform.errors.InputError`. Does not belong here: what the keys mean.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from fm_platform.errors import InputError

KeyPath = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)


@dataclass(frozen=True)
class YamlDocument:
    """A parsed file: scalars are text exactly as written (``no`` stays ``no``, ``010`` stays ``010``)."""

    path: Path
    text: str
    data: Any
    lines: dict[KeyPath, int]

    def line_of(self, *key_path: str | int) -> int | None:
        """The 1-based line of a key, or of its nearest ancestor that has one."""
        for length in range(len(key_path), -1, -1):
            line = self.lines.get(tuple(key_path[:length]))
            if line is not None:
                return line
        return None


def read_yaml(path: Path, *, display: str | None = None) -> YamlDocument:
    """Read one YAML file.

    Args:
        path: The file.
        display: The name that error messages use (default: the path).

    Raises:
        InputError: The file is missing, is not text, is not YAML, or repeats a key.
    """
    name = display or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            "file not found", file=name, mend="create it, or name the folder that has it"
        ) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise InputError("not a UTF-8 text file", file=name, mend="save it as UTF-8 text") from None
    return parse_yaml(text, path, display=name)


def parse_yaml(text: str, path: Path, *, display: str | None = None) -> YamlDocument:
    """Read the text of a YAML file.

    Args:
        text: What the file says.
        path: The file.
        display: The name that error messages use (default: the path).

    Raises:
        InputError: The text is not YAML, or repeats a key.
    """
    name = display or str(path)
    try:
        node = _composed(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read as YAML"
        raise InputError(
            f"not valid YAML: {problem}",
            file=name,
            line=mark.line + 1 if mark is not None else None,
            mend="correct the indentation or quoting near that line",
        ) from None
    lines: dict[KeyPath, int] = {}
    try:
        data = None if node is None else _convert(node, (), lines, name)
    except RecursionError:
        raise InputError("an anchor contains itself", file=name, mend="write the value out in full") from None
    return YamlDocument(path=path, text=text, data=data, lines=lines)


def _composed(text: str) -> yaml.Node | None:
    """The tree of a document; libyaml reads it where PyYAML has it, and PyYAML itself words the complaints."""
    if yaml.__with_libyaml__:
        with contextlib.suppress(yaml.YAMLError):
            return yaml.compose(text, Loader=yaml.CBaseLoader)
    return yaml.compose(text, Loader=yaml.BaseLoader)


def _convert(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in mapping:
                raise InputError(
                    f"key {key!r} appears twice", file=name, line=line, mend="keep one of the two"
                )
            lines[(*path, key)] = line
            mapping[key] = _convert(value_node, (*path, key), lines, name)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_convert(child, (*path, index), lines, name) for index, child in enumerate(node.value)]
    if not getattr(node, "style", None) and node.value in ("null", "~", ""):
        return None
    return str(node.value)


def parse_model(document: YamlDocument, model: type[ModelT], *, display: str | None = None) -> ModelT:
    """Check a document against a pydantic model.

    Raises:
        InputError: The first complaint, with its line and, for an unknown key, the nearest known one.
    """
    name = display or str(document.path)
    if not isinstance(document.data, dict):
        raise InputError(
            "expected a mapping of keys", file=name, line=1, mend="begin with `key: value` lines"
        )
    try:
        return model.model_validate(document.data)
    except pydantic.ValidationError as error:
        raise _as_input_error(error, document, model, name) from None


def _as_input_error(
    error: pydantic.ValidationError, document: YamlDocument, model: type[pydantic.BaseModel], name: str
) -> InputError:
    complaints = error.errors(include_url=False)
    first = complaints[0]
    if first["type"] == "missing":  # more often misspelt beside its place than left out
        beside = [
            c for c in complaints if c["type"] == "extra_forbidden" and c["loc"][:-1] == first["loc"][:-1]
        ]
        first = beside[0] if beside else first
    location = tuple(part for part in first["loc"])
    line = document.line_of(*location)
    dotted = ".".join(str(part) for part in location) or "(top)"
    if first["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, location[:-1]))
        near = get_close_matches(str(location[-1]), known, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"known keys here: {', '.join(known) or 'none'}"
        return InputError(f"unknown key {dotted!r}", file=name, line=line, mend=mend)
    if first["type"] == "missing":
        return InputError(
            f"key {dotted!r} is missing", file=name, line=line, mend=f"add `{location[-1]}:` there"
        )
    message = first["msg"].removeprefix("Value error, ")
    found = first.get("input")
    shown = f" (found {found!r})" if isinstance(found, str) else ""
    return InputError(f"{dotted}: {message}{shown}", file=name, line=line, mend="correct this value")


def _known_keys(model: type[pydantic.BaseModel], location: KeyPath) -> set[str]:
    """The keys that the model knows at a place in the document."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, pydantic.BaseModel):
            fields = {field.alias or key: field for key, field in current.model_fields.items()}
            if part not in fields:
                return set()
            current = fields[str(part)].annotation
        else:
            current = _member(current)
    if not isinstance(current, type):
        current = _member(current)
    if isinstance(current, type) and issubclass(current, pydantic.BaseModel):
        return {field.alias or key for key, field in current.model_fields.items()}
    return set()


def _member(annotation: Any) -> Any:
    """The model inside ``X | None``, ``tuple[X, ...]`` and ``dict[str, X]``."""
    for argument in reversed(getattr(annotation, "__args__", ())):
        candidate = argument if isinstance(argument, type) else _member(argument)
        if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
            return candidate
    return annotation
