"""Which columns of ``expression.samples`` the contrasts of a study read, for the lineage of what they give.

Belongs here: the columns by name, as far as study.yaml tells and as the table has them. Does not belong here: reading
them (``expression.designs``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import polars as pl

from fm_platform.errors import InputError
from fm_platform.expression.designs.formula import parse_formula
from fm_platform.expression.designs.samples import PLATFORM_COLUMNS, SHEET_PREFIX
from fm_platform.expression.designs.variables import column_of
from fm_platform.study.expression import Contrast
from fm_platform.study.model import Study
from fm_platform.warehouse.records import ColumnInput
from fm_platform.warehouse.table import direct, indirect

SAMPLES = "expression.samples"


def design_inputs(
    study: Study, contrast: Contrast, samples: pl.DataFrame | None = None
) -> tuple[ColumnInput, ...]:
    """What decides about the samples of a contrast and their groups.

    Args:
        study: The study.
        contrast: One of its contrasts.
        samples: ``expression.samples``; without it, columns go by the names that they have unless they clash.
    """
    numbers = [_column(name, samples) for name in contrast.covariates]
    factors = [_column(name, samples) for name in _variables(contrast)]
    if contrast.complete_pairs and subject_inputs(study):
        factors.append("subject_id")
    return (
        *direct(SAMPLES, *numbers),
        *indirect(SAMPLES, *(name for name in dict.fromkeys(factors) if name not in numbers), how="GROUP_BY"),
        *indirect(SAMPLES, "position"),
    )


def subject_inputs(study: Study) -> tuple[ColumnInput, ...]:
    """The samples' subjects, which say what is paired or repeated, where the sheet names them."""
    assert study.expression is not None
    named = study.expression.samples.subject is not None
    return indirect(SAMPLES, "subject_id", how="GROUP_BY") if named else ()


def size_factor_inputs(study: Study, samples: pl.DataFrame | None = None) -> tuple[ColumnInput, ...]:
    """The column that gives size factors, where one does, or what control genes are found by."""
    assert study.expression is not None
    wanted = study.expression.size_factors
    given = direct(SAMPLES, _column(wanted.column, samples)) if wanted.column is not None else ()
    return (*given, *(indirect("expression.counts", "gene_id") if wanted.control_genes else ()))


def columns_read(study: Study) -> tuple[str, ...]:
    """Every column of the sample sheet that a contrast or the size factors read, by its expected name."""
    assert study.expression is not None
    names = [name for contrast in study.contrasts for name in (*_variables(contrast), *contrast.covariates)]
    wanted = study.expression.size_factors.column
    own = [_column(name, None) for name in (*names, *([wanted] if wanted is not None else []))]
    return tuple(dict.fromkeys(own))


def _variables(contrast: Contrast) -> Iterator[str]:
    """The variables of the design, and those that choose samples."""
    with suppress(InputError):  # refused with its line when the contrast is planned
        yield from parse_formula(contrast.design).variables
    yield from contrast.subset


def _column(name: str, samples: pl.DataFrame | None) -> str:
    if samples is not None:
        return column_of(samples, name)
    return SHEET_PREFIX + name if name.casefold() in PLATFORM_COLUMNS else name
