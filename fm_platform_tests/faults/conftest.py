"""The fixtures of the end-to-end tests, for homes that are damaged on purpose."""

from fm_platform_tests.e2e.conftest import clinical_study, refreshed, small_study, workspace

__all__ = ["clinical_study", "refreshed", "small_study", "workspace"]
