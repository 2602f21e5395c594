"""Which size factors a contrast is fitted with: from what study.yaml or a command says to the engine's options.

Belongs here: factors given in the sample sheet, control genes by name, the factors of one contrast's samples. Does not
belong here: estimating (``size_factors``), transcript lengths (``offsets``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.designs.variables import column_of
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.model import Options
from fm_platform.expression.fit.size_factors import size_factors as estimated
from fm_platform.expression.quality.qc_normalize import size_factors as ratio_else_poscounts
from fm_platform.study.expression import SizeFactorsSource
from fm_platform.study.model import Study

_SHOWN = 10


def sizing(
    wanted: SizeFactorsSource,
    samples: pl.DataFrame,
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    n_columns: int,
) -> Options:
    """Engine options with the size factors of a contrast.

    Args:
        wanted: How they come about.
        samples: ``expression.samples``.
        gene_ids: One per row of the matrix.
        plan: The contrast.
        n_columns: Samples of the matrix.

    Returns:
        ``factors`` over all samples of the matrix, NaN where the contrast has no sample.

    Raises:
        InputError: The sheet's column is unknown or has no positive number for a sample of the contrast, or a control
            gene is not in the matrix.
    """
    if wanted.column is not None:
        return Options(factors=_given(wanted.column, samples, plan, n_columns))
    control = control_genes(wanted.control_genes, gene_ids) if wanted.control_genes else None
    return Options(size_factor_kind=wanted.kind, control_genes=control)


def study_sizing(
    study: Study, samples: pl.DataFrame, gene_ids: Sequence[str], plan: ContrastPlan, n_columns: int
) -> Options:
    """:func:`sizing` as study.yaml declares it; an error points at its line."""
    assert study.expression is not None, "the study has no expression half"
    try:
        return sizing(study.expression.size_factors, samples, gene_ids, plan, n_columns)
    except InputError as error:
        raise _located(study, error) from None


def check_size_factors(study: Study, samples: pl.DataFrame) -> None:
    """Refuse ``size_factors: {column:}`` that is no column of the sample sheet.

    Raises:
        InputError: It is none; the message names the line of study.yaml.
    """
    assert study.expression is not None, "the study has no expression half"
    column = study.expression.size_factors.column
    if column is None:
        return
    try:
        column_of(samples, column)
    except InputError as error:
        raise _located(study, error) from None


def _located(study: Study, error: InputError) -> InputError:
    return study.error(
        f"size_factors: {error.message}", "expression", "size_factors", mend=error.mend or "correct it"
    )


def control_genes(names: Sequence[str], gene_ids: Sequence[str]) -> NDArray[np.bool_]:
    """Per gene, whether it is a control gene.

    Args:
        names: Gene ids, or patterns with ``*``.
        gene_ids: Of the matrix.

    Raises:
        InputError: A name or pattern fits no gene.
    """
    place = {gene: index for index, gene in enumerate(gene_ids)}
    chosen = np.zeros(len(gene_ids), dtype=bool)
    unknown = []
    for name in names:
        found = [place[name]] if name in place else []
        if not found and any(mark in name for mark in "*?["):
            found = [index for index, gene in enumerate(gene_ids) if fnmatchcase(gene, name)]
        if not found:
            unknown.append(name)
        chosen[found] = True
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise InputError(
            f"control gene {', '.join(unknown[:_SHOWN])}{more} is not in the count matrix",
            mend=f"write ids as the matrix does (its first is {gene_ids[0]!r}), or a pattern such as ERCC-*",
        )
    return chosen


def sample_factors(
    values: NDArray[np.int64] | Floats,
    counted: NDArray[np.bool_],
    columns: Sequence[int],
    options: Options,
    *,
    ratio_or_poscounts: bool = False,
) -> Floats:
    """The size factors of a contrast's samples.

    Args:
        values: Genes x samples: counts, possibly over length factors, of the counted genes and these columns.
        counted: Per gene of the matrix, whether it is among them.
        columns: 0-based columns of the matrix.
        options: With the factors, or how to estimate them.
        ratio_or_poscounts: Take poscounts where ratio is asked for, but every gene has a zero.
    """
    if options.factors is not None:
        return np.asarray(options.factors[list(columns)], dtype=np.float64)
    control = None if options.control_genes is None else options.control_genes[counted]
    if ratio_or_poscounts and control is None and options.size_factor_kind == "ratio":
        return ratio_else_poscounts(values.astype(np.float64)).factors
    return estimated(values, options.size_factor_kind, control)


def _given(column: str, samples: pl.DataFrame, plan: ContrastPlan, n_columns: int) -> Floats:
    name = column_of(samples, column)
    texts = dict(zip(samples["sample_id"], samples[name].cast(pl.String), strict=True))
    factors = np.full(n_columns, np.nan)
    wrong = []
    for sample, place in zip(plan.samples, plan.matrix_columns, strict=True):
        factors[place] = _number(texts[sample])
        if not (math.isfinite(factors[place]) and factors[place] > 0):
            wrong.append(f"{sample} ({texts[sample] or 'empty'})")
    if wrong:
        raise InputError(
            f"column {column!r} has no positive size factor for sample {', '.join(wrong[:_SHOWN])}",
            mend="correct the sample sheet, or leave these samples out with `subset:`",
        )
    return factors


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
