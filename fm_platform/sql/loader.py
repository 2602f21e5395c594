"""A folder of models read into :class:`SqlModel` values, in the order in which they can be built.

Belongs here: finding files, resolving references, joining SQL with its docs, ordering. Does not belong here:
what SQL is refused (rules.py), the `.yml` layout (docs.py), running anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlglot import exp

from fm_platform.errors import InputError
from fm_platform.sql.cache import Cache
from fm_platform.sql.docs import ModelDocs, read_docs
from fm_platform.sql.model import (
    GeneratedModel,
    ModelTest,
    SqlModel,
    leftmost_select,
    line_of,
    table_name,
)
from fm_platform.sql.references import References, nearest
from fm_platform.sql.template import Tag, find_tags, render
from fm_platform.sql.texts import checked_text
from fm_platform.warehouse.records import Column


def load_models(
    folder: Path, generated: Sequence[GeneratedModel] = (), cache: Cache | None = None
) -> tuple[SqlModel, ...]:
    """Read every model of a folder.

    Args:
        folder: Holds one folder a schema (``staging/``, ``marts/``), each with ``.sql`` files and ``.yml``
        docs.
        generated: Models that the platform writes; files may refer to them by table name.
        cache: Where earlier findings are: a text that was read and checked before is not parsed again.

    Returns:
        All models, file and generated, each after those it reads; ties in order of name.

    Raises:
        InputError: With the file and line of the first thing that is wrong.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder of models", file=folder, mend="name the folder with the .sql files"
        )
    paths = sorted(folder.glob("*/*.sql"))
    docs, sources = _read_all_docs(folder)
    names = References(_model_names(paths, generated), sources)
    cache = cache or Cache()
    models = [_load_generated(model, names, cache) for model in generated]
    for path in paths:
        models.append(_load_file(path, docs.pop((path.parent, path.stem), None), names, cache))
    for leftover in docs.values():
        raise leftover.error(
            f"there is no model {leftover.name}.sql beside this file",
            "name",
            mend="correct the name, or remove it",
        )
    return _ordered(models)


def _read_all_docs(folder: Path) -> tuple[dict[tuple[Path, str], ModelDocs], dict[str, tuple[str, ...]]]:
    docs: dict[tuple[Path, str], ModelDocs] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*/*.yml")]):
        models, declared = read_docs(path)
        for model in models:
            if (path.parent, model.name) in docs:
                raise model.error(f"model {model.name} is described twice", mend="keep one of the two")
            docs[path.parent, model.name] = model
        for schema, tables in declared.items():
            sources[schema] = (*sources.get(schema, ()), *tables)
    return docs, sources


def _model_names(paths: Sequence[Path], generated: Sequence[GeneratedModel]) -> dict[str, str]:
    """Table name to ``schema.table``. A file's name wins: a study may call one of its sources the same."""
    names: dict[str, str] = {}
    for path in paths:
        if path.stem in names:
            raise InputError(
                f"a second model is called {path.stem} (the first is {names[path.stem]})",
                file=path,
                mend="rename it",
            )
        names[path.stem] = f"{path.parent.name}.{path.stem}"
        if any(model.name == names[path.stem] for model in generated):
            raise InputError(
                f"{names[path.stem]} is a table that the platform generates",
                file=path,
                mend="rename the file",
            )
    return {**{model.name.split(".")[1]: model.name for model in generated}, **names}


def _load_file(path: Path, docs: ModelDocs | None, names: References, cache: Cache) -> SqlModel:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("not a UTF-8 text file", file=path, mend="save it as UTF-8 text") from None
    rendered = render(text, str(path), lambda tag: names.resolve(tag, str(path)))
    found = checked_text(rendered, str(path), cache, plain_names=False)
    if docs is None:
        raise InputError(
            f"model {path.stem} is not described", file=path, line=1, mend="describe it in a .yml beside it"
        )
    model = SqlModel(
        name=f"{path.parent.name}.{path.stem}",
        path=path,
        template=text,
        refs=found.refs,
        description=docs.description,
        columns=_in_output_order(found.outputs, docs.columns),
        key=docs.key,
        tests=_resolved_tests(docs, names, found.refs),
        code_version=found.code_version,
        sql=found.sql,
        parse=found.parse,
    )
    _check_described(
        model, docs.columns, f"add `- name: ...` with a description to {docs.document.path.name}"
    )
    for position, name in enumerate(docs.columns):
        if name not in model.columns:
            raise docs.error(
                f"{model.name} has no column {name!r}",
                "columns",
                position,
                mend=nearest(name, found.outputs),
            )
    return model


def _load_generated(source: GeneratedModel, names: References, cache: Cache) -> SqlModel:
    file = f"generated model {source.name}"
    rendered = render(source.sql, file, lambda tag: _resolve_loosely(tag, names, file))
    found = checked_text(rendered, file, cache, plain_names=True)
    columns = {
        name: Column(name, text, constant=source.constants.get(name, ""))
        for name, text in source.columns.items()
    }
    model = SqlModel(
        name=source.name,
        path=None,
        template=source.sql,
        refs=found.refs,
        description=source.description,
        columns=_in_output_order(found.outputs, columns),
        key=tuple(source.key),
        tests=(ModelTest("unique_combination", tuple(source.key)),) if source.key else (),
        code_version=found.code_version,
        sql=found.sql,
        parse=found.parse,
    )
    _check_described(model, columns, "describe it where the model is generated")
    for name in [*columns, *source.key]:
        if name not in model.columns:
            raise model.error(f"there is no output column {name!r}", mend=nearest(name, found.outputs))
    return model


def _resolve_loosely(tag: Tag, names: References, file: str) -> str:
    """Generated models know their sources: any ``source()`` is taken as it stands."""
    return names.resolve(tag, file) if tag.schema is None else f"{tag.schema}.{tag.table}"


def _in_output_order(outputs: Sequence[str], columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: columns.get(name, Column(name, "")) for name in outputs}


def _check_described(model: SqlModel, described: Mapping[str, Column], mend: str) -> None:
    if model.columns.keys() <= described.keys():
        return
    for projection in leftmost_select(model.tree).expressions:
        if projection.alias_or_name not in described:
            raise InputError(
                f"output column {projection.alias_or_name!r} is not described",
                file=model.display,
                line=line_of(projection),
                mend=mend,
            )


def _resolved_tests(docs: ModelDocs, names: References, refs: tuple[str, ...]) -> tuple[ModelTest, ...]:
    """The tests, with ``schema.table`` names in place of the references of ``relationships``."""
    file = str(docs.document.path)
    tests = []
    for test, line in zip(docs.tests, docs.test_lines, strict=True):
        if test.kind != "relationships":
            tests.append(test)
            continue
        tag = find_tags(f"{{{{ {test.arguments['to']} }}}}", file)[0]
        target = names.resolve(replace(tag, line=line or 1), file)
        if target not in refs:
            raise InputError(
                f"relationships: {docs.name} does not read {target}, which may not have been built yet",
                file=file,
                line=line,
                mend=f"name one of the tables that it reads: {', '.join(refs)}",
            )
        tests.append(replace(test, arguments={**test.arguments, "to": target}))
    return tuple(tests)


def _ordered(models: Sequence[SqlModel]) -> tuple[SqlModel, ...]:
    by_name = {model.name: model for model in models}
    waiting = {model.name: {ref for ref in model.refs if ref in by_name} for model in models}
    done: list[SqlModel] = []
    while waiting:
        ready = sorted(name for name, needs in waiting.items() if not needs & waiting.keys())
        if not ready:
            raise _cycle(by_name, waiting)
        for name in ready:
            done.append(by_name[name])
            del waiting[name]
    return tuple(done)


def _cycle(by_name: Mapping[str, SqlModel], waiting: Mapping[str, set[str]]) -> InputError:
    path = [min(waiting)]
    while path[-1] not in path[:-1]:
        path.append(min(waiting[path[-1]] & waiting.keys()))
    ring = path[path.index(path[-1]) :]
    start = ring.index(min(ring))
    ring = [*ring[start:-1], *ring[: start + 1]] if start else ring
    first = by_name[ring[0]]
    node = next(
        table for table in first.tree.find_all(exp.Table) if table.db and table_name(table) == ring[1]
    )
    return first.error(
        f"the models form a ring: {' -> '.join(ring)}", node=node, mend="take one of these references out"
    )
