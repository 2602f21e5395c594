"""PyDESeq2 as the engine: its stages, around any ``Inference``, into the room's result.

Belongs here: fitting and testing by PyDESeq2's ``DeseqDataSet`` and ``DeseqStats``, and what is put right
around them. Does not belong here: the platform's own engine (``model``).
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.designs.contrasts import ContrastPlan, silent_where_compared
from fm_platform.expression.fit.gaps import Gaps
from fm_platform.expression.fit.results import DESEQ2_NAMES, SHRUNK, DeResult, assemble

if TYPE_CHECKING:
    from pydeseq2.inference import Inference

OnStage = Callable[[str], None]

_STAGES: tuple[tuple[str, str], ...] = (
    ("size factors", "fit_size_factors"),
    ("gene-wise dispersions", "fit_genewise_dispersions"),
    ("dispersion trend", "fit_dispersion_trend"),
    ("dispersion prior", "fit_dispersion_prior"),
    ("shrunken dispersions", "fit_MAP_dispersions"),
    ("log fold changes", "fit_LFC"),
    ("Cook's distances", "calculate_cooks"),
    ("outlier replacement", "refit"),
    ("outlier flags", "cooks_outlier"),
)


@dataclass(frozen=True, eq=False)
class StockFit:
    """A fitted ``DeseqDataSet`` and what it said while fitting."""

    dataset: Any
    notes: tuple[str, ...]


def fit_stock(
    chosen: NDArray[np.int64], plan: ContrastPlan, inference: Inference, on_stage: OnStage
) -> StockFit:
    """Fit by PyDESeq2's stages.

    Args:
        chosen: Genes x samples of the contrast.
        plan: The contrast.
        inference: What computes.
        on_stage: Told the name of each stage.
    """
    import pandas as pd
    from pydeseq2.dds import DeseqDataSet

    assert plan.design is not None
    names = list(plan.samples)
    notes: list[str] = []
    with _quiet(notes):
        dataset = DeseqDataSet(
            counts=pd.DataFrame(chosen.T, index=names, columns=[str(i) for i in range(len(chosen))]),
            metadata=pd.DataFrame(index=names),
            design=pd.DataFrame(plan.design.matrix, index=names, columns=list(plan.design.columns)),
            refit_cooks=True,
            inference=inference,
            quiet=True,
        )
    for name, method in _STAGES:
        on_stage(name)
        with _quiet(notes):
            getattr(dataset, method)()
    return StockFit(dataset, tuple(notes))


def test_stock(
    fit: StockFit,
    chosen: NDArray[np.int64],
    counted: NDArray[np.bool_],
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    coefficient: int | None,
    on_stage: OnStage,
) -> DeResult:
    """Test by PyDESeq2.

    Args:
        fit: Of :func:`fit_stock`.
        chosen: Genes x samples, as fitted.
        counted: Per gene of the matrix, whether it is among ``chosen``.
        gene_ids: All genes.
        plan: The contrast.
        coefficient: The design column that apeGLM shrinks, or None.
        on_stage: Told the name of each stage.
    """
    import pydeseq2
    from pydeseq2.ds import DeseqStats

    assert plan.design is not None
    notes = [*plan.design.notes, *fit.notes]
    silent = silent_where_compared(chosen, plan)
    on_stage("Wald tests")
    with _quiet(notes):
        stats = DeseqStats(
            fit.dataset,
            contrast=plan.vector,
            alpha=plan.contrast.alpha,
            inference=fit.dataset.inference,
            quiet=True,
        )
        stats.run_wald_test()
        stats.statistics[silent] = 0.0
        stats.p_values[silent] = 1.0
    on_stage("independent filtering")
    with _quiet(notes):
        stats.summary()
    values = {ours: stats.results_df[theirs].to_numpy(np.float64) for ours, theirs in DESEQ2_NAMES.items()}
    values["log2_fold_change"] = np.where(silent, 0.0, values["log2_fold_change"])
    if coefficient is not None:
        on_stage("apeGLM shrinkage")
        with _quiet(notes):
            stats.lfc_shrink(coeff=plan.design.columns[coefficient])
        values[SHRUNK] = stats.LFC.iloc[:, coefficient].to_numpy(np.float64) / np.log(2)
    if silent.any():
        notes.append(
            f"{int(silent.sum())} genes have no reads in the compared samples: fold change 0, p 1 (DESeq2's rule)"
        )
    if not counted.all():
        notes.append(f"{int((~counted).sum())} genes are not in the file of every sample and were left out")
    cooks = fit.dataset.var["_pvalue_cooks_outlier"].to_numpy(dtype=bool)
    return DeResult(
        frame=assemble(gene_ids, values, counted, Gaps(outlier=cooks, silent=silent)),
        alpha=plan.contrast.alpha,
        size_factors=tuple(float(value) for value in fit.dataset.obs["size_factors"]),
        notes=tuple(dict.fromkeys(notes)),
        engine="pydeseq2",
        engine_version=pydeseq2.__version__,
    )


@contextlib.contextmanager
def _quiet(notes: list[str]) -> Iterator[None]:
    """Keep the library off the terminal; what it warns about goes to the notes."""
    said = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
    ):
        warnings.simplefilter("always")
        yield
    notes += [" ".join(str(entry.message).split()) for entry in caught if entry.category is UserWarning]
    notes += [line.strip() for line in said.getvalue().splitlines() if line.strip()]
