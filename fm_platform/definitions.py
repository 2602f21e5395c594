"""Dagster's entry point: the definitions of the study and home that ``FM_STUDY`` and ``FM_HOME`` name."""

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.places import home_of, study_folder
from fm_platform.defs.build import build_definitions

_folder = study_folder()
_catalog = build_catalog(_folder)

defs = build_definitions(_catalog, home_of(_catalog.study))
