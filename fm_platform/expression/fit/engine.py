"""The differential-expression engine: contrasts in, results out.

Belongs here: running planned contrasts on a count matrix, one fit for neighbours that can share it, and the
choice between the platform's own engine and PyDESeq2. Does not belong here: which samples (``contrasts``),
fitting (``model``, ``stock``), result columns (``results``), files.

Method: Love, Huber and Anders 2014, doi 10.1186/s13059-014-0550-8 (Wald test, Cook's distance, independent
filtering); Zhu, Ibrahim and Love 2019, doi 10.1093/bioinformatics/bty895 (apeGLM).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.designs.contrasts import ContrastPlan, silent_where_compared
from fm_platform.expression.fit.checks import check_reads, check_request, thin_libraries
from fm_platform.expression.fit.column_units import Fitted
from fm_platform.expression.fit.compare import Hypothesis, compare
from fm_platform.expression.fit.fit_facts import fit_facts
from fm_platform.expression.fit.gaps import Gaps
from fm_platform.expression.fit.model import Model, Options, fit_model
from fm_platform.expression.fit.results import SHRUNK, DeResult, assemble
from fm_platform.expression.fit.stock import StockFit, fit_stock, test_stock

if TYPE_CHECKING:
    from pydeseq2.inference import Inference

OnStage = Callable[[str], None]

ENGINE = "fm-deseq"
ENGINE_VERSION = "1.2"
"""Changes whenever results may."""


@dataclass(eq=False)
class DeEngine:
    """Runs contrasts one after the other; neighbours with the same samples and design share one fit.

    Attributes:
        inference: None: the platform's own engine. An instance of ``pydeseq2.inference.Inference``: PyDESeq2
            with that inference.
        on_stage: Told the name of each stage as it begins.
        options: Of the own engine: mode, size factors, workers. ``factors`` and ``control_genes`` there are
            for all genes and samples of the matrix.
    """

    inference: Inference | None = None
    on_stage: OnStage | None = None
    options: Options = field(default_factory=Options)
    _latest: tuple[str, Model | StockFit] | None = field(default=None, repr=False)

    def run(
        self,
        counts: NDArray[np.int64],
        gene_ids: Sequence[str],
        plan: ContrastPlan,
        *,
        shrink: str | None = None,
        hypothesis: Hypothesis | None = None,
    ) -> DeResult:
        """Test one contrast.

        Args:
            counts: Genes x samples (all samples of the study), raw counts,
                :data:`~fm_platform.expression.counts.NOT_COUNTED` where there is none.
            gene_ids: One per row.
            plan: Not a skipped one.
            shrink: ``apeglm`` adds log2_fold_change_shrunk.
            hypothesis: What is tested; default: what the contrast declares.

        Raises:
            InputError: A sample has no reads, or the engine cannot do what is asked.
        """
        assert plan.design is not None, "a skipped contrast has nothing to run"
        hypothesis = hypothesis or planned_hypothesis(plan)
        coefficient = check_request(hypothesis, shrink, plan, self.options, stock=self.inference is not None)
        chosen = np.ascontiguousarray(counts[:, plan.matrix_columns])
        counted: NDArray[np.bool_] = (chosen != NOT_COUNTED).all(axis=1)
        chosen = chosen[counted]
        check_reads(chosen, plan)
        fit = self._fit(chosen, counted, plan)
        if isinstance(fit, StockFit):
            return test_stock(fit, chosen, counted, gene_ids, plan, coefficient, self._stage)
        return _own_result(fit, chosen, counted, gene_ids, plan, hypothesis, shrink is not None, self._stage)

    def _fit(
        self, chosen: NDArray[np.int64], counted: NDArray[np.bool_], plan: ContrastPlan
    ) -> Model | StockFit:
        assert plan.design is not None
        options = _for_samples(self.options, plan, counted)
        key = _fit_key(chosen, plan, options, self.inference)
        if self._latest is None or self._latest[0] != key:
            self._latest = None
            fit: Model | StockFit
            if self.inference is not None:
                fit = fit_stock(chosen, plan, self.inference, self._stage)
            else:
                fit = fit_model(chosen, plan.design.matrix, options, self._stage)
            self._latest = (key, fit)
        return self._latest[1]

    def _stage(self, name: str) -> None:
        if self.on_stage is not None:
            self.on_stage(name)


def planned_hypothesis(plan: ContrastPlan) -> Hypothesis:
    """What a contrast declares to be tested."""
    contrast = plan.contrast
    return Hypothesis(contrast.lfc_threshold, contrast.alternative, plan.reduced)


def _own_result(
    model: Model,
    chosen: NDArray[np.int64],
    counted: NDArray[np.bool_],
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    hypothesis: Hypothesis,
    shrink: bool,
    on_stage: OnStage,
) -> DeResult:
    assert plan.design is not None
    assert plan.vector is not None
    silent = silent_where_compared(chosen, plan)
    alpha = plan.contrast.alpha
    tested = compare(
        model, chosen, plan.vector, silent, hypothesis, alpha=alpha, shrink=shrink, on_stage=on_stage
    )
    values = {
        "base_mean": model.base_mean,
        "log2_fold_change": tested.estimate,
        "lfc_se": tested.se,
        "stat": tested.stat,
        "pvalue": tested.p,
        "padj": tested.padj,
    }
    if tested.shrunk is not None:
        values[SHRUNK] = tested.shrunk
    notes = [*plan.design.notes, *thin_libraries(chosen, plan)]
    notes += [*_unit_notes(plan.design.columns, model.fitted_as), *tested.notes]
    if not counted.all():
        notes.append(f"{int((~counted).sum())} genes are not in the file of every sample and were left out")
    return DeResult(
        frame=assemble(gene_ids, values, counted, _gaps(model, plan, silent, tested.threshold)),
        alpha=alpha,
        size_factors=tuple(float(value) for value in model.size_factors),
        notes=tuple(dict.fromkeys(notes)),
        engine=f"{ENGINE} {model.options.mode}",
        engine_version=ENGINE_VERSION,
        mode=model.options.mode,
        facts=fit_facts(model, plan.samples, gene_ids, counted),
    )


def _unit_notes(columns: Sequence[str], fitted: Fitted) -> list[str]:
    """Which columns were fitted in another unit or from another zero than declared, and why."""
    notes = []
    for column, unit, centre in zip(columns, fitted.units, fitted.centres, strict=True):
        if centre:
            notes.append(
                f"{column} is so far from 0 (mean {centre:.10g}) that the ridge of the fit would pull on it: it was "
                "counted from its mean; fold changes are per unit as declared"
            )
        if unit != 1:
            size, harm = (
                ("small", "the ridge of the fit would pull its coefficient to 0")
                if unit > 1
                else ("large", "the fit would lose digits")
            )
            notes.append(
                f"{column} is so {size} that {harm}: it was fitted in units of {1 / unit:g}; fold changes are per unit "
                "as declared"
            )
    return notes


def _gaps(model: Model, plan: ContrastPlan, silent: NDArray[np.bool_], threshold: float) -> Gaps:
    """What the model knows about values that it does not give."""
    sample = np.where(model.silenced, model.worst, model.culprit)
    return Gaps(
        outlier=model.outlier | model.silenced,
        silent=silent,
        unsettled=~model.converged & np.isfinite(model.dispersion),
        samples=[plan.samples[index] if index >= 0 else None for index in sample],
        distances=np.where(model.silenced, model.distance, model.max_cooks),
        emptied=model.silenced,
        threshold=threshold,
    )


def _for_samples(options: Options, plan: ContrastPlan, counted: NDArray[np.bool_]) -> Options:
    """The options, their factors and control genes cut to the samples and genes of a contrast."""
    factors, control = options.factors, options.control_genes
    if factors is not None:
        factors = factors[..., plan.matrix_columns]
        factors = factors[counted] if factors.ndim == 2 else factors
    if control is not None:
        control = control[counted]
    return replace(options, factors=factors, control_genes=control)


def _fit_key(
    chosen: NDArray[np.int64], plan: ContrastPlan, options: Options, inference: Inference | None
) -> str:
    assert plan.design is not None
    columns, matrix = plan.design.key
    shape = (plan.samples, columns, chosen.shape, id(inference), options.mode, options.size_factor_kind)
    digest = hashlib.sha256(repr((shape, options.replace_outliers)).encode())
    for part in (options.factors, options.control_genes):
        digest.update(b"none" if part is None else np.ascontiguousarray(part).tobytes())
    digest.update(matrix)
    digest.update(np.ascontiguousarray(chosen).tobytes())
    return digest.hexdigest()
