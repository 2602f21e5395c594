"""The cache of loaded models: it saves parsing, and is never believed when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fm_platform.errors import FmError, InputError
from fm_platform.sql.cache import Cache
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel
from fm_platform.sql.tracing import trace_models
from fm_platform_tests.unit.sql.conftest import WriteModels

YML = """
version: 2
models:
  - name: pains
    description: Pains.
    meta: {key: [subject]}
    columns:
      - {name: subject, description: The subject.}
      - {name: worst, description: The worst pain.}
"""
SQL = "select v.subject, max(v.pain) as worst from {{ source('raw', 'visits') }} as v group by v.subject"
FILES = {"marts/pains.sql": SQL, "marts/models.yml": YML}


def files_of(cache: Cache) -> list[Path]:
    assert cache.folder is not None
    return sorted(path for path in cache.folder.glob("*/*") if path.is_file())


def load(folder: Path, cache: Cache) -> tuple[object, ...]:
    models = load_models(
        folder, [GeneratedModel("staging.s", "select 1 as n", "S.", {"n": "N."}, ("n",))], cache
    )
    return models, [model.code_version for model in models], trace_models(models, {}, cache)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", "1")


def test_a_second_load_finds_what_the_first_found(write_models: WriteModels, cache: Cache) -> None:
    folder = write_models(FILES)
    assert load(folder, cache) == load(folder, cache) == load(folder, Cache())


def test_models_are_not_parsed_again(
    write_models: WriteModels, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_models(FILES)
    first = load(folder, cache)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("sqlglot.parse", refuse)
    assert load(folder, cache) == first


def test_an_edited_model_is_read_anew(write_models: WriteModels, cache: Cache) -> None:
    load(write_models(FILES), cache)
    folder = write_models({**FILES, "marts/pains.sql": SQL.replace("max(", "min(")})
    assert load(folder, cache) == load(folder, Cache())
    with pytest.raises(InputError, match=r"pains\.sql:1: SELECT \* is not allowed"):
        load(write_models({**FILES, "marts/pains.sql": "select * from {{ source('raw', 'visits') }}"}), cache)


def test_columns_of_the_tables_read_belong_to_the_name_of_an_entry(
    write_models: WriteModels, cache: Cache
) -> None:
    folder = write_models(FILES)
    models = load_models(folder, (), cache)
    trace_models(models, {"raw.visits": ("subject", "pain")}, cache)
    with pytest.raises(InputError, match="pain"):
        trace_models(models, {"raw.visits": ("subject", "fatigue")}, cache)


@pytest.mark.parametrize("damage", ["", "{}", "deadbeef\n{}", "\x00\xff"])
def test_damaged_entries_are_found_out_and_replaced(
    write_models: WriteModels, cache: Cache, damage: str
) -> None:
    folder = write_models(FILES)
    first = load(folder, cache)
    whole = {path: path.read_bytes() for path in files_of(cache)}
    for path in whole:
        path.write_bytes(damage.encode("latin-1"))
    assert load(folder, cache) == first
    assert {path: path.read_bytes() for path in files_of(cache)} == whole


def test_an_entry_under_another_name_is_not_believed(write_models: WriteModels, cache: Cache) -> None:
    folder = write_models(FILES)
    first = load(folder, cache)
    paths = files_of(cache)
    contents = [path.read_bytes() for path in paths]
    for path, other in zip(paths, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(other)
    assert load(folder, cache) == first


def test_a_code_version_that_was_made_up_is_refused_before_the_model_is_built(
    write_models: WriteModels, cache: Cache
) -> None:
    folder = write_models(FILES)
    load(folder, cache)
    rendered = '"raw"."visits"'
    name = cache.name_of(
        "text", SQL.replace("{{ source('raw', 'visits') }}", rendered), [SQL.index("{{")], False
    )
    kept = cache.get(name)
    assert kept is not None
    cache.put(name, {**kept, "code_version": "0" * 64})
    model = next(model for model in load_models(folder, (), cache) if model.name == "marts.pains")
    with pytest.raises(FmError, match="the cache of models says something else about this text"):
        _ = model.tree


def test_a_cache_that_cannot_be_written_is_done_without(write_models: WriteModels, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = write_models(FILES)
    assert load(folder, Cache(tmp_path / "file")) == load(folder, Cache())


def test_the_users_cache_is_where_xdg_or_fm_cache_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache.of_user("1").folder == tmp_path / "xdg" / "fm_platform" / "models"
    monkeypatch.setenv("FM_CACHE", str(tmp_path / "own"))
    assert Cache.of_user("1").folder == tmp_path / "own"
    monkeypatch.setenv("FM_CACHE", "")
    assert Cache.of_user("1").folder is None


def test_too_many_entries_lose_the_older_half(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fm_platform.sql.cache.MOST_ENTRIES", 4)
    for number in range(6):
        cache.put(cache.name_of(number), number)
    cache.prune()
    assert len(files_of(cache)) == 3
