"""Libraries behind an asset: what its code imports and what that requires, by rule; a new version makes it stale."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest

import fm_platform
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.lineage.libraries import distribution_of, installed, python_version, versions_behind

PACKAGE = Path(fm_platform.__file__).parent
DEMO = PACKAGE.parent / "data" / "demo"
BEHIND_ALL = {"python", "duckdb", "polars", "polars-runtime-32", "pyarrow", "numpy", "pydantic", "pyyaml"}
WRITTEN_LIKE_A_MODEL = "staging.stg_instrument_scores"
"""Scored in Python, but beside the SQL that scores it a second time."""

Fake = Callable[..., None]


def forget() -> None:
    """Have versions read again."""
    installed.cache_clear()
    distribution_of.cache_clear()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Put metadata of another version of a distribution before the installed one's."""

    def put(name: str, version: str, *requires: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        listed = "".join(f"Requires-Dist: {other}\n" for other in requires)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{listed}\nText"
        )
        monkeypatch.syspath_prepend(tmp_path)
        forget()

    yield put
    monkeypatch.undo()
    forget()


@pytest.fixture(scope="module")
def now() -> Catalog:
    """The demo's catalog with what is installed."""
    return build_catalog(DEMO)


def libraries_of(catalog: Catalog) -> dict[str, Mapping[str, str]]:
    return {table: asset.code_version.libraries for table, asset in catalog.assets.items()}


def stale_against(before: Catalog) -> set[str]:
    """Assets whose code version is another one than before."""
    after = build_catalog(DEMO).assets
    return {
        table for table, asset in before.assets.items() if asset.code_version != after[table].code_version
    }


def test_python_and_what_reads_writes_and_configures_a_table_is_behind_every_asset(now):
    for table, libraries in libraries_of(now).items():
        assert set(libraries) >= BEHIND_ALL, table
        assert libraries["duckdb"] == metadata.version("duckdb")


def test_statistics_have_scipy_and_fits_what_pydeseq2_brings(now):
    libraries = libraries_of(now)
    assert "scipy" in libraries["stats.responders"]
    assert {"pydeseq2", "scikit-learn", "formulaic", "anndata"} <= set(
        libraries["expression.fit_fm_vs_healthy"]
    )
    assert "great-expectations" in libraries["quarantine.visits"]
    assert not {"scipy", "sqlglot", "matplotlib"} & set(libraries["stats.symptom_change"])


@pytest.mark.parametrize("library", ["duckdb", "polars", "pyarrow"])
def test_another_version_of_what_every_table_passes_through_makes_all_stale(now, fake, library):
    fake(library, "99.0.0", "polars-runtime-32")
    assert stale_against(now) == set(now.assets)


def test_another_version_of_python_makes_all_stale(now, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 99, 0, "final", 0))
    assert stale_against(now) == set(now.assets)


def test_another_version_of_sqlglot_makes_what_it_compiles_stale_and_nothing_else(now, fake):
    fake("sqlglot", "99.0.0")
    models = {table for table, asset in now.assets.items() if asset.model is not None}
    assert stale_against(now) == models | {WRITTEN_LIKE_A_MODEL}


def test_another_version_of_a_library_that_a_library_requires_makes_what_is_behind_it_stale(now, fake):
    fake("scikit-learn", "99.0.0", "numpy", "scipy")
    stale = stale_against(now)
    assert "expression.fit_fm_vs_healthy" in stale
    assert not stale & {"stats.responders", "quarantine.visits", "marts.symptom_scores", "files.report"}


def test_requirements_of_extras_and_what_is_not_installed_do_not_count(fake):
    fake("narwhals", "99.0.0", "tqdm (>=4)", 'pandas>=2; extra == "pandas"', "nowhere-to-be-found")
    assert versions_behind(["narwhals", "no_such_module", "json"]) == {
        "narwhals": "99.0.0",
        "python": python_version(),
        "tqdm": metadata.version("tqdm"),
    }


def test_every_import_of_the_package_leads_to_the_distribution_that_holds_it():
    imported = {
        name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name.split(".")[0] for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module.split(".")[0]]
            if isinstance(node, ast.ImportFrom) and node.module
            else []
        )
        if name not in sys.stdlib_module_names
    }
    holders = metadata.packages_distributions()
    odd = {
        name: distribution_of(name)
        for name in imported - {"fm_platform"}
        if name in holders
        and distribution_of(name) not in {h.lower().replace("_", "-") for h in holders[name]}
    }
    assert odd == {}
    assert {"duckdb", "polars", "pydeseq2"} <= imported


def test_reading_versions_imports_none_of_the_libraries():
    ask = (
        "import sys; from pathlib import Path; from fm_platform.catalog.graph import build_catalog; "
        f"build_catalog(Path({str(DEMO)!r})); print(sorted(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    heavy = {"great_expectations", "pydeseq2", "scipy", "matplotlib", "pandas", "anndata", "packaging"}
    assert not heavy & set(ast.literal_eval(finished.stdout))
