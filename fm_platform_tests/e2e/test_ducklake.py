"""A DuckLake catalog in place of the work file: the same commands, the same content."""

from __future__ import annotations

import json

import pytest

from fm_platform_tests.e2e.conftest import Workspace


def test_a_ducklake_catalog_holds_the_same_content_as_a_file(refreshed, tmp_path, monkeypatch):
    pytest.importorskip("duckdb_extension_ducklake", reason="needs the package duckdb-extension-ducklake")
    lake = Workspace(refreshed.study, tmp_path / "home")
    lake.home.mkdir()
    monkeypatch.setenv("FM_WAREHOUSE", f"ducklake:{lake.home}/catalog.ducklake")
    assert lake.fm("refresh", "--select", "+stats.symptom_change").code == 0
    assert lake.fm("verify").code == 0
    assert json.loads(lake.fm("refresh", "--select", "+stats.symptom_change", "--json").out)["computed"] == []
    sql = "SELECT table_name, value_digest FROM audit.tables WHERE table_name LIKE 'stats.symptom%'"
    digest = lake.fm("query", sql, "--json").out
    monkeypatch.delenv("FM_WAREHOUSE")
    assert digest == refreshed.fm("query", sql, "--json").out


def test_a_missing_extension_is_named_with_the_package_to_install(refreshed, tmp_path, monkeypatch):
    monkeypatch.setenv("FM_WAREHOUSE", "ducklake:mysql:host=localhost")
    monkeypatch.setattr("fm_platform.warehouse.extensions.util.find_spec", lambda _: None)
    outcome = Workspace(refreshed.study, tmp_path / "home").fm("refresh")
    assert outcome.code == 3
    assert "pip install duckdb-extension-ducklake" in outcome.err
