"""Fixtures for every test: an environment without telemetry or personal settings, and the shared data.

Belongs here: what tests of more than one room need. Does not belong here: data or helpers of one room.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Generated examples: the same in every run, so that a red run means changed code, and in the time they take.

    ``HYPOTHESIS_PROFILE=explore`` looks at new examples in every run. Garbage is looked for less often than Python does
    by itself: syntax trees and frames are many objects that live, and looking through them is a share of the time.
    """
    gc.set_threshold(20_000, 20, 20)
    hypothesis.settings.register_profile("fm_platform", deadline=None, derandomize=True)
    hypothesis.settings.register_profile("explore", deadline=None)
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fm_platform"))


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give tests and the processes they start an empty home, no settings of the platform, no telemetry."""
    home = tmp_path_factory.mktemp("home")
    dagster_home = home / "dagster"
    dagster_home.mkdir()
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("FM_", "DAGSTER_", "XDG_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(dagster_home))
        patch.setenv("DAGSTER_TELEMETRY_URL", "http://127.0.0.1:9/")
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("GX_ANALYTICS_ENABLED", "false")
        patch.setenv("MPLBACKEND", "Agg")
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets that may lie beside the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the datasets in ../shared/data, which are not part of the repository")
    return folder
