"""The typed tables of delivered files, their numbers as wide as this delivery writes them.

Belongs here: looking at the delivery before its generated model runs. Does not belong here: the model
(``validation.staging_models``), or how many digits are looked for (``validation.number_scales``).
"""

from __future__ import annotations

from fm_platform.catalog.asset import Built, Step
from fm_platform.catalog.models import build_model
from fm_platform.sql.model import SqlModel
from fm_platform.sql.widening import widened
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import NUMBER
from fm_platform.validation.number_scales import number_types
from fm_platform.validation.raw_source import RawSource
from fm_platform.warehouse.names import relation


def build_typed(step: Step, model: SqlModel) -> Built:
    """Compile ``staging.<source>`` with types that hold every accepted number of ``raw.<source>``."""
    name = model.name.removeprefix("staging.")
    source = RawSource(step.study, declared_columns(step.study, step.instruments), name, relation)
    types = number_types(step.warehouse.connection, source)
    return build_model(step, widened(model, NUMBER, types))
