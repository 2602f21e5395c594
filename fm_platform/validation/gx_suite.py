"""The adapter to Great Expectations 1.x: plain expectations in, counts of unexpected values or a project out.

Belongs here: everything that imports Great Expectations. Does not belong here: which expectations there are
(``expectations``), or what their counts are compared with (``gate``).

Great Expectations works on pandas only (it has no DuckDB or Polars engine), sends usage data and draws
progress bars unless told otherwise, and takes seconds to import; all of that stays in this module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm_platform.validation.expectations import Expectation

if TYPE_CHECKING:
    import pandas as pd

LONG = 20_000
"""Rows from which on a frame is shown in parts."""
FEW = 4
"""Expectations a part."""


@dataclass(frozen=True)
class Counted:
    """What Great Expectations found for one expectation.

    Attributes:
        expectation: The question.
        unexpected: How many values do not meet it; None if it could not be evaluated.
        problem: Why it could not be evaluated.
    """

    expectation: Expectation
    unexpected: int | None
    problem: str = ""


def gx_version() -> str:
    """The installed version, without importing the library."""
    return version("great_expectations")


def count_unexpected(
    suite: Sequence[Expectation], frame: pd.DataFrame, *, name: str = "candidate"
) -> tuple[Counted, ...]:
    """Validate a frame.

    Great Expectations copies the whole frame for each metric that it computes, so that a long frame is shown to it a
    few expectations at a time, with only the columns that they name; each part is one run.

    Args:
        suite: The expectations.
        frame: The typed candidate (``candidate.candidate``).
        name: The suite's name.

    Returns:
        One count per expectation, in their order.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_pandas("fm_platform")
    at_once = len(suite) if len(frame) < LONG else FEW
    counted: list[Counted] = []
    for first in range(0, len(suite), at_once or 1):
        part = suite[first : first + at_once]
        named = dict.fromkeys(column for asked in part for column in _columns(asked))
        shown = frame[[column for column in named if column in frame.columns]]
        asset = source.add_dataframe_asset(f"{name} {first}" if first else name)
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": shown})
        counted += _run(part, batch, name)
    return tuple(counted)


@dataclass(frozen=True)
class Suite:
    """The suite of a source, and its version."""

    expectations: Sequence[Expectation]
    version: str


def write_context(suites: Mapping[str, Suite], folder: Path) -> None:
    """Make a file context with a suite and a validation definition a source, over frames that are handed in.

    Args:
        suites: Source to suite.
        folder: An empty folder; ``get_context(mode="file", project_root_dir=folder)`` opens it.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations import expectations as gxe

    context = gx.get_context(mode="file", project_root_dir=folder)
    context.enable_analytics(False)
    frames = context.data_sources.add_pandas("candidates")
    for source, suite in suites.items():
        asked = [
            getattr(gxe, one.type)(
                **dict(one.arguments), meta={"rules": list(one.rules), "column": one.column}
            )
            for one in suite.expectations
        ]
        meta = {"suite_version": suite.version}
        added = context.suites.add(gx.ExpectationSuite(name=source, expectations=asked, meta=meta))
        whole = frames.add_dataframe_asset(source).add_batch_definition_whole_dataframe("whole")
        context.validation_definitions.add(gx.ValidationDefinition(name=source, data=whole, suite=added))


def _columns(expectation: Expectation) -> list[str]:
    arguments = dict(expectation.arguments)
    return list(arguments["column_list"]) if "column_list" in arguments else [arguments["column"]]


def _run(suite: Sequence[Expectation], batch: Any, name: str) -> list[Counted]:
    import great_expectations as gx
    from great_expectations import expectations as gxe

    asked = [
        getattr(gxe, expectation.type)(**dict(expectation.arguments), meta={"position": position})
        for position, expectation in enumerate(suite)
    ]
    found = batch.validate(gx.ExpectationSuite(name=name, expectations=asked), result_format="SUMMARY")
    by_position = {result.expectation_config.meta["position"]: result for result in found.results}
    return [_counted(expectation, by_position[position]) for position, expectation in enumerate(suite)]


def _counted(expectation: Expectation, result: Any) -> Counted:
    count = result.result.get("unexpected_count")
    if count is not None:
        return Counted(expectation, int(count))
    return Counted(expectation, None, "no count was returned")
