"""Code versions from syntax trees: a comment or a reformat changes nothing, a real edit changes what it reaches.

Belongs here: the digest of a function with every ``fm_platform`` module it reaches and the libraries that those import.
Does not belong here: SQL models (their version comes from the SQL tree), or which distribution an import comes from
(``libraries``).
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fm_platform.lineage.libraries import versions_behind
from fm_platform.sql.cache import Cache
from fm_platform.warehouse.ledger import canonical, sha256_text

PACKAGE = "fm_platform"
RESOURCE_SUFFIXES = (".yaml", ".j2", ".css", ".csv")
_ROOT = Path(__file__).resolve().parents[1]


class CodeVersion(str):
    """A digest of code that still knows what it was computed from.

    Attributes:
        files: Each file (or generated model, or a file's part that a function leads to) it covers, with the digest of
            what counts in it.
        libraries: Distributions that count, with their versions; Python among them.
    """

    files: Mapping[str, str]
    libraries: Mapping[str, str]

    def __new__(
        cls, digest: str, files: Mapping[str, str] | None = None, libraries: Mapping[str, str] | None = None
    ) -> CodeVersion:
        """A version with its parts."""
        version = super().__new__(cls, digest)
        version.files = dict(files or {})
        version.libraries = dict(libraries or {})
        return version

    def as_part_of(self, text: str, files: Mapping[str, str] | None = None) -> CodeVersion:
        """The version of something larger: the digest of a text that contains this one, and its further files."""
        return CodeVersion(sha256_text(text), {**self.files, **(files or {})}, self.libraries)


def united(*versions: CodeVersion) -> CodeVersion:
    """The version of what several functions make together."""
    files = {name: digest for version in versions for name, digest in version.files.items()}
    libraries = {name: held for version in versions for name, held in version.libraries.items()}
    return CodeVersion(sha256_text(canonical(list(versions))), files, libraries)


def code_version(function: Callable[..., Any]) -> CodeVersion:
    """The version of a function: of all code it reaches, of every library that this code imports, and of Python.

    Args:
        function: A plain function; names it uses are followed through its own module and into other
            ``fm_platform`` modules.
    """
    reach = _reach(function)
    libraries = versions_behind(reach.imports)
    parts: dict[str, Any] = {
        "function": reach.local,
        "modules": {
            name: module.digest if (module := _module(name)) is not None else ""
            for name in sorted(reach.modules)
        },
        "libraries": libraries,
    }
    files = {_file_name(name): digest for name, digest in parts["modules"].items()}
    own = f"{_file_name(function.__module__)} ({function.__name__})"  # each builder covers its own part of a file
    files[own] = sha256_text(canonical(reach.local))
    return CodeVersion(sha256_text(canonical(parts)), files, libraries)


def _file_name(module: str) -> str:
    path = _module_path(module)
    return path.relative_to(_ROOT.parent).as_posix() if path is not None else module


@dataclass(frozen=True)
class _Reach:
    """What a function leads to.

    Attributes:
        local: Digests of the definitions it uses in its own module.
        modules: Our other modules that those lead to.
        imports: Top-level names of what is imported on the way and is not ours.
    """

    local: Mapping[str, str]
    modules: frozenset[str]
    imports: frozenset[str]


@cache
def _reach(function: Callable[..., Any]) -> _Reach:
    home = _module(function.__module__)
    assert home is not None
    pending = [function.__name__]
    local: dict[str, str] = {}
    first: set[str] = set()
    while pending:
        name = pending.pop()
        if name in local or name not in home.definitions:
            continue
        definition = home.definitions[name]
        local[name] = definition.digest
        first.update(definition.imports)
        for used in definition.names:
            pending.append(used)
            first.update(home.bound.get(used, ()))
    reached = _closure(first)
    ours = {name for name in reached if _is_ours(name)}
    others = frozenset(name.split(".")[0] for name in reached - ours)
    return _Reach(local, frozenset(ours - {function.__module__}), others)


@dataclass(frozen=True)
class _Definition:
    """A top-level function, class or constant.

    Attributes:
        digest: Of its tree.
        names: What it uses.
        imports: The modules that it imports itself.
    """

    digest: str
    names: Sequence[str]
    imports: Sequence[str]


@dataclass(frozen=True)
class _Module:
    """One of our modules.

    Attributes:
        digest: Of its tree and of the data files of its package (instruments, templates).
        imports: The modules that it imports, wherever it does.
        bound: What each name bound by a top-level import leads to.
        definitions: By name.
    """

    digest: str
    imports: Sequence[str]
    bound: Mapping[str, Sequence[str]]
    definitions: Mapping[str, _Definition]


@cache
def _module(name: str) -> _Module | None:
    """A module by name, read from its tree when its text is new and remembered when it is not."""
    path = _module_path(name)
    if path is None:
        return None
    text, resources = path.read_bytes(), _resources(path)
    entry = _memory().name_of("module", name, _sha256(text), _sha256(resources))
    kept = _memory().get(entry)
    if kept is None:
        module = _read_module(text, resources)
        _memory().put(entry, asdict(module))
        return module
    definitions = {known: _Definition(**facts) for known, facts in kept.pop("definitions").items()}
    return _Module(**kept, definitions=definitions)


@cache
def _memory() -> Cache:
    """What was read of modules by this code, with this Python, while there were these modules."""
    names = sorted(path.relative_to(_ROOT).as_posix() for path in _ROOT.rglob("*.py"))
    return Cache.of_user(sha256_text(canonical([names, sys.version, _sha256(Path(__file__).read_bytes())])))


def _read_module(text: bytes, resources: bytes) -> _Module:
    tree = ast.parse(text)
    imports = tuple(sorted(set(_imported(tree))))
    definitions = {
        name: _Definition(
            sha256_text(_dump(statement)),
            tuple(sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)})),
            tuple(sorted(set(_imported(statement)))),
        )
        for name, statement in _definitions(tree).items()
    }
    return _Module(_sha256(_dump(tree).encode() + resources), imports, _import_targets(tree), definitions)


def _resources(path: Path) -> bytes:
    """Names and contents of the data files beside a module and below; those of a package further in are its own."""
    if path.name == "__init__.py" or path.parent == _ROOT:
        return b""
    return _resources_below(path.parent)


@cache
def _resources_below(folder: Path) -> bytes:
    inner = [package.parent for package in folder.glob("*/**/__init__.py")]
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in RESOURCE_SUFFIXES and path.is_file() and not set(inner) & set(path.parents)
    )
    return b"".join(resource.name.encode() + b"\0" + resource.read_bytes() for resource in found)


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Top-level functions, classes and constants by name."""
    found: dict[str, ast.stmt] = {}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            found.update({t.id: statement for t in statement.targets if isinstance(t, ast.Name)})
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = statement
    return found


def _import_targets(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """What each name bound by a top-level import leads to."""
    targets: dict[str, tuple[str, ...]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            for alias in statement.names:
                targets[alias.asname or alias.name] = (_source_of(statement.module, alias.name),)
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                targets[(alias.asname or alias.name).split(".")[0]] = (alias.name,)
    return targets


def _source_of(module: str, name: str) -> str:
    """The module that ``from module import name`` takes a name from, or that it names."""
    child = f"{module}.{name}"
    return child if _is_ours(module) and _module_path(child) is not None else module


def _closure(first: Iterable[str]) -> set[str]:
    """Modules, and through those that are ours what they import in turn."""
    seen: set[str] = set()
    pending = list(first)
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if _is_ours(name) and (module := _module(name)) is not None:
            pending.extend(module.imports)
    return seen


@cache
def _module_path(name: str) -> Path | None:
    """The file of one of our modules, found without importing it."""
    base = _ROOT.joinpath(*name.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imported(tree: ast.AST) -> Iterable[str]:
    """The modules that a tree imports; not those of ``if TYPE_CHECKING``, which nothing runs."""
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (_source_of(node.module, alias.name) for alias in node.names)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those for the type checker alone."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(PACKAGE + ".")


def _dump(tree: ast.AST) -> str:
    """The tree as text, without docstrings and positions. Every body begins with ``pass`` in their place."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body[0] = ast.Pass()
        elif not isinstance(first, ast.Pass):
            node.body.insert(0, ast.Pass())
    return ast.dump(tree, annotate_fields=False)
