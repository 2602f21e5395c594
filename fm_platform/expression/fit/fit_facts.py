"""What a fit found of every gene besides the test: its dispersions and the count that weighs most.

Belongs here: these facts as a frame, one row a fitted gene. Does not belong here: fitting (``model``), the tables over
several contrasts (``fit_table``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.expression.fit import cooks
from fm_platform.expression.fit.model import Model

FACT_TYPES: Mapping[str, pl.DataType] = {
    "dispersion_gene_wise": pl.Float64(),
    "dispersion_trend": pl.Float64(),
    "dispersion_prior_variance": pl.Float64(),
    "dispersion_map": pl.Float64(),
    "dispersion": pl.Float64(),
    "dispersion_outlier": pl.Boolean(),
    "cooks_sample": pl.String(),
    "cooks_distance": pl.Float64(),
    "cooks_cutoff": pl.Float64(),
    "cooks_flagged": pl.Boolean(),
    "cooks_replaced": pl.Boolean(),
}
"""The columns; all are null for a gene that was not fitted."""


def fit_facts(
    model: Model, samples: Sequence[str], gene_ids: Sequence[str], counted: NDArray[np.bool_]
) -> pl.DataFrame:
    """One row per gene with reads: gene_id and the columns of :data:`FACT_TYPES`.

    Args:
        model: Fitted on the counted genes.
        samples: Names of its samples.
        gene_ids: All genes.
        counted: Per gene, whether it was among the fitted.

    Returns:
        Dispersions are those of the counts after replacement of outliers. Cook's distance is the largest over all
        samples for the counts as delivered; ``cooks_flagged``: no p-value because of it (only samples with three
        replicates can flag a gene); ``cooks_replaced``: the gene was fitted again with the count replaced.
    """
    fitted = np.flatnonzero(np.isfinite(model.distance))
    genes = np.flatnonzero(counted)[fitted]
    n_samples, n_columns = model.setting.normal.shape
    columns = {
        "gene_id": [gene_ids[gene] for gene in genes],
        "dispersion_gene_wise": model.gene_wise[fitted],
        "dispersion_trend": model.trend_values[fitted],
        "dispersion_prior_variance": np.full(len(fitted), model.prior.variance),
        "dispersion_map": model.shrunken[fitted],
        "dispersion": model.dispersion[fitted],
        "dispersion_outlier": model.dispersion_outlier[fitted],
        "cooks_sample": [samples[index] for index in model.worst[fitted]],
        "cooks_distance": model.distance[fitted],
        "cooks_cutoff": np.full(len(fitted), cooks.cutoff(n_samples, n_columns)),
        "cooks_flagged": (model.outlier | (model.silenced & model.setting.exact))[fitted],
        "cooks_replaced": (model.replaced | model.silenced)[fitted],
    }
    frame = pl.DataFrame(columns, schema={"gene_id": pl.String(), **FACT_TYPES})
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
