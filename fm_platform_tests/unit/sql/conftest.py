"""Helpers of the SQL tests: a folder of models written from texts, stand-ins for generated models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fm_platform.sql.model import GeneratedModel

STAGING = {
    "stg_subjects": ("subject_id sex age arm site stratum in_population", "subject_id"),
    "stg_visits": ("source subject_id visit_id visit_date missing_reason", "source subject_id visit_id"),
    "stg_measures": ("subject_id visit_id variable value seq", "subject_id visit_id variable"),
}

WriteModels = Callable[[dict[str, str]], Path]


@pytest.fixture
def write_models(tmp_path: Path) -> WriteModels:
    """Writes files (name to text) below one folder and gives the folder."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "models" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "models"

    return write


@pytest.fixture
def staging_models() -> list[GeneratedModel]:
    """Staging tables copied column by column from raw tables of the same name."""
    return [
        GeneratedModel(
            name=f"staging.{table}",
            sql=f"select {', '.join(columns.split())} from raw.{table}",
            description="A stand-in.",
            columns=dict.fromkeys(columns.split(), "A column."),
            key=tuple(key.split()),
        )
        for table, (columns, key) in STAGING.items()
    ]
