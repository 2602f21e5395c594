"""The differential-expression engine: PyDESeq2 behind one function.

Belongs here: fitting, testing, shrinkage and what is put right around PyDESeq2. Does not belong here: which
samples (``contrasts``), result columns (``results``), files.

Method: Love, Huber and Anders 2014, doi 10.1186/s13059-014-0550-8 (Wald test, Cook's distance, independent
filtering); Zhu, Ibrahim and Love 2019, doi 10.1093/bioinformatics/bty895 (apeGLM).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.contrasts import ContrastPlan
from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.results import DESEQ2_NAMES, SHRUNK, DeResult, assemble

if TYPE_CHECKING:
    from pydeseq2.inference import Inference

OnStage = Callable[[str], None]

FEW_GENES = 2000
"""Up to this many genes one process is faster than starting several."""

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
class _Fit:
    """A fitted ``DeseqDataSet`` and what it said while fitting."""

    key: str
    dataset: Any
    notes: tuple[str, ...]


@dataclass(eq=False)
class DeEngine:
    """Runs contrasts one after the other; neighbours with the same samples and design share one fit.

    Attributes:
        inference: An instance of ``pydeseq2.inference.Inference``; None: PyDESeq2's own on all available
            cores.
        on_stage: Told the name of each stage as it begins.
    """

    inference: Inference | None = None
    on_stage: OnStage | None = None
    _latest: _Fit | None = field(default=None, repr=False)

    def run(
        self,
        counts: NDArray[np.int64],
        gene_ids: Sequence[str],
        plan: ContrastPlan,
        *,
        shrink: str | None = None,
    ) -> DeResult:
        """Test one contrast.

        Args:
            counts: Genes x samples (all samples of the study), raw counts,
                :data:`~fm_platform.expression.counts.NOT_COUNTED` where there is none.
            gene_ids: One per row.
            plan: Not a skipped one.
            shrink: ``apeglm`` adds log2_fold_change_shrunk.

        Raises:
            InputError: A sample has no reads, or the contrast cannot be shrunk.
        """
        assert plan.design is not None, "a skipped contrast has nothing to run"
        coefficient = _single_coefficient(plan, shrink)
        chosen = np.ascontiguousarray(counts[:, plan.matrix_columns])
        counted: NDArray[np.bool_] = (chosen != NOT_COUNTED).all(axis=1)
        chosen = chosen[counted]
        _check_reads(chosen, plan)
        key = _fit_key(chosen, plan)
        if self._latest is None or self._latest.key != key:
            self._latest = None
            self._latest = _fit(key, chosen, plan, self._inference(len(chosen)), self._stage)
        return _test(self._latest, chosen, counted, gene_ids, plan, coefficient, self._stage)

    def _stage(self, name: str) -> None:
        if self.on_stage is not None:
            self.on_stage(name)

    def _inference(self, n_genes: int) -> Inference:
        if self.inference is not None:
            return self.inference
        from pydeseq2.default_inference import DefaultInference

        return DefaultInference(n_cpus=1 if n_genes <= FEW_GENES else available_cpus())


def run_contrast(
    counts: NDArray[np.int64],
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    *,
    inference: Inference | None = None,
    shrink: str | None = None,
    on_stage: OnStage | None = None,
) -> DeResult:
    """Test one contrast on its own. See :meth:`DeEngine.run`."""
    return DeEngine(inference=inference, on_stage=on_stage).run(counts, gene_ids, plan, shrink=shrink)


def run_contrasts(
    counts: NDArray[np.int64],
    gene_ids: Sequence[str],
    plans: Sequence[ContrastPlan],
    *,
    inference: Inference | None = None,
    on_stage: OnStage | None = None,
) -> dict[str, DeResult]:
    """Test every planned contrast that is not skipped.

    Contrasts that share samples and design are run side by side, so dispersions are fitted once for them.

    Args:
        counts: As in :meth:`DeEngine.run`.
        gene_ids: One per row of counts.
        plans: In the order of study.yaml.
        inference: As in :class:`DeEngine`.
        on_stage: Told ``<contrast>: <stage>``.

    Returns:
        Results by contrast id, in the order of the plans.

    Raises:
        InputError: As :meth:`DeEngine.run`.
    """
    runnable = [plan for plan in plans if plan.design is not None]
    together: dict[Any, list[ContrastPlan]] = {}
    for plan in runnable:
        together.setdefault((plan.positions, plan.design.key if plan.design else None), []).append(plan)
    engine = DeEngine(inference=inference)
    results: dict[str, DeResult] = {}
    for group in together.values():
        for plan in group:
            name = plan.contrast.id
            engine.on_stage = _prefixed(on_stage, name)
            results[name] = engine.run(counts, gene_ids, plan)
    return {plan.contrast.id: results[plan.contrast.id] for plan in runnable}


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _prefixed(on_stage: OnStage | None, name: str) -> OnStage | None:
    return None if on_stage is None else lambda stage: on_stage(f"{name}: {stage}")


def _fit_key(chosen: NDArray[np.int64], plan: ContrastPlan) -> str:
    assert plan.design is not None
    columns, matrix = plan.design.key
    digest = hashlib.sha256(repr((plan.samples, columns, chosen.shape)).encode())
    digest.update(matrix)
    digest.update(chosen.tobytes())
    return digest.hexdigest()


def _check_reads(chosen: NDArray[np.int64], plan: ContrastPlan) -> None:
    if not len(chosen):
        raise InputError(
            f"no gene has a count for every sample of contrast {plan.contrast.id}",
            mend="check that the files use the same gene ids, or choose one file's samples with `subset:`",
        )
    totals = chosen.sum(axis=0)
    empty = [name for name, total in zip(plan.samples, totals, strict=True) if total == 0]
    if empty:
        raise InputError(
            f"sample {', '.join(empty)} has no reads at all",
            mend="check its column in the count matrix, or leave it out with `subset:`",
        )


def _single_coefficient(plan: ContrastPlan, shrink: str | None) -> int | None:
    """The design column that apeGLM is to shrink."""
    if shrink is None:
        return None
    assert plan.design is not None
    assert plan.vector is not None
    if shrink != "apeglm":
        raise InputError(f"unknown shrinkage {shrink!r}", mend="use apeglm, or leave it out")
    used = np.flatnonzero(plan.vector)
    if len(used) != 1 or plan.vector[used[0]] != 1.0:
        raise InputError(
            f"apeglm shrinks one coefficient, but this contrast combines {len(used)} of the design "
            f"{plan.design.formula!r}",
            mend="keep the intercept in the design (no `0 +`), or leave shrinkage out",
        )
    return int(used[0])


def _fit(
    key: str, chosen: NDArray[np.int64], plan: ContrastPlan, inference: Inference, on_stage: OnStage
) -> _Fit:
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
    return _Fit(key, dataset, tuple(notes))


def _test(
    fit: _Fit,
    chosen: NDArray[np.int64],
    counted: NDArray[np.bool_],
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    coefficient: int | None,
    on_stage: OnStage,
) -> DeResult:
    import pydeseq2
    from pydeseq2.ds import DeseqStats

    assert plan.design is not None
    notes = [*plan.design.notes, *fit.notes]
    silent = _silent_in_both(chosen, plan)
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
            f"{int(silent.sum())} genes have no reads in both levels: fold change 0, p 1 (DESeq2's rule)"
        )
    if not counted.all():
        notes.append(f"{int((~counted).sum())} genes are not in the file of every sample and were left out")
    cooks = fit.dataset.var["_pvalue_cooks_outlier"].to_numpy(dtype=bool)
    return DeResult(
        frame=assemble(gene_ids, values, counted, cooks),
        alpha=plan.contrast.alpha,
        size_factors=tuple(float(value) for value in fit.dataset.obs["size_factors"]),
        notes=tuple(dict.fromkeys(notes)),
        engine="pydeseq2",
        engine_version=pydeseq2.__version__,
    )


def _silent_in_both(chosen: NDArray[np.int64], plan: ContrastPlan) -> NDArray[np.bool_]:
    """Genes with reads, but none in either compared level: the data say nothing about their fold change."""
    compared = [*plan.level_samples, *plan.reference_samples]
    silent: NDArray[np.bool_] = (chosen[:, compared] == 0).all(axis=1) & (chosen > 0).any(axis=1)
    return silent


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
