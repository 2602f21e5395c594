"""A study with five publications, made once for all tests that look at it."""

from __future__ import annotations

import pytest

from fm_platform_tests.unit.catalog.changing_study import ChangingStudy, five_publications


@pytest.fixture(scope="session")
def changing(tmp_path_factory: pytest.TempPathFactory) -> ChangingStudy:
    """Five publications. Tests must not change them."""
    return five_publications(tmp_path_factory.mktemp("changing"))
