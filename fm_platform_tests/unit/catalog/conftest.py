"""A study with six publications, made once for all tests that look at it."""

from __future__ import annotations

import pytest

from fm_platform_tests.unit.catalog.changing_study import ChangingStudy, six_publications


@pytest.fixture(scope="session")
def changing(tmp_path_factory: pytest.TempPathFactory) -> ChangingStudy:
    """Six publications. Tests must not change them."""
    return six_publications(tmp_path_factory.mktemp("changing"))
