"""The table ``study.parameters``: the analysis parameters of a study, with their ADaM codes.

Belongs here: codes and order of parameters. Does not belong here: values of subjects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.instruments.model import Instrument
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study

PARAMETER_COLUMNS = columns(
    paramcd="Parameter code, at most eight capital letters and digits",
    param="The parameter in words",
    paramn="Order, from 1",
    score_id="The instrument score it is, if it is one",
    variable="The plain column it is (source.column), if it is one",
)
LONGEST_CODE = 8


def parameters_asset() -> Asset:
    """The asset of ``study.parameters``; its columns come from study.yaml and the instrument files."""
    return Asset(
        table="study.parameters",
        description="Analysis parameters: every score of the instruments, and the plain outcome columns.",
        group="study",
        kinds=("yaml", "duckdb"),
        half="clinical",
        key=("paramcd",),
        study_keys=("instruments", "outcomes"),
        code_version=code_version(build_parameters),
        build=build_parameters,
        lineage={column.name: () for column in PARAMETER_COLUMNS},
        columns=PARAMETER_COLUMNS,
    )


def build_parameters(step: Step) -> Built:
    """``study.parameters``."""
    return Built(rows=parameters(step.study, step.instruments))


def parameters(study: Study, instruments: Sequence[Instrument]) -> pl.DataFrame:
    """One row a parameter, in the order of the instruments' scores and then of the outcomes."""
    taken: set[str] = set()
    rows: list[tuple[object, ...]] = []
    for number, (code, wanted, param, score_id, variable) in enumerate(_found(study, instruments), start=1):
        paramcd = code if code and code not in taken else _unused(wanted, taken)
        taken.add(paramcd)
        rows.append((paramcd, param, number, score_id, variable))
    schema: dict[str, Any] = {
        "paramcd": pl.String,
        "param": pl.String,
        "paramn": pl.Int32,
        "score_id": pl.String,
        "variable": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _found(
    study: Study, instruments: Sequence[Instrument]
) -> Iterator[tuple[str | None, str, str, str | None, str | None]]:
    """Declared code, text to make one from, words, score, variable."""
    for instrument in instruments:
        for score in instrument.scores:
            yield (
                score.paramcd,
                f"{instrument.id}{score.id}",
                score.label,
                f"{instrument.id}.{score.id}",
                None,
            )
    seen: set[str] = set()
    for outcome in study.outcomes:
        if outcome.column is not None and outcome.column not in seen:
            seen.add(outcome.column)
            yield None, outcome.id, outcome.label or outcome.id, None, outcome.column


def _unused(text: str, taken: set[str]) -> str:
    """Capital letters and digits of a text, shortened, numbered where that code is taken."""
    plain = re.sub(r"[^A-Z0-9]", "", text.upper())
    code, number = plain[:LONGEST_CODE], 1
    while code in taken:
        number += 1
        code = f"{plain[: LONGEST_CODE - len(str(number))]}{number}"
    return code
