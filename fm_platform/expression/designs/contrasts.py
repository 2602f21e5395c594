"""Plans: which samples a contrast uses, with which design, and whether its result may be called a finding.

Belongs here: replicate counts, the verdict run / exploratory / descriptive / skipped. Does not belong here: choosing
samples by subset and level (``choice``), fitting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.choice import SeenLevel, choose_samples, coded_against
from fm_platform.expression.designs.design import Design, build_design
from fm_platform.expression.designs.pairing import advice, find_pairs
from fm_platform.expression.designs.variables import column_of
from fm_platform.expression.designs.weights import contrast_weights, resting_on
from fm_platform.expression.designs.withdrawn import withdrawn_samples
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.reduced import reduced_design
from fm_platform.study.expression import Contrast, LevelPair
from fm_platform.study.model import Study

Status = Literal["run", "exploratory", "descriptive", "skipped"]
MIN_RESIDUAL_DF = 3
"""Fewer residual degrees of freedom make a contrast exploratory."""
UNREPLICATED = "one sample against one: fold changes without a test"


@dataclass(frozen=True, eq=False)
class ContrastPlan:
    """What will be done for one contrast.

    Attributes:
        contrast: As declared.
        status: ``run``; ``exploratory`` (tested, but too little replication to call it a finding);
            ``descriptive`` (one sample against one: fold changes, no test); ``skipped``.
        reason: Why it is not simply run.
        samples: Ids of the samples used, in matrix order.
        positions: Their 1-based positions in ``expression.counts.counts``.
        design: None when skipped.
        vector: Weight of each design column in the tested difference; None when skipped.
        level_samples: Which samples (0-based within ``samples``) are at the tested level; none without a level pair.
        reference_samples: Which are at the reference level.
        compared: Samples without whose reads a gene says nothing; none where there is no such rule.
        reduced: The smaller design of a likelihood-ratio test, or None.
    """

    contrast: Contrast
    status: Status
    reason: str | None = None
    samples: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    design: Design | None = None
    vector: NDArray[np.float64] | None = None
    level_samples: tuple[int, ...] = ()
    reference_samples: tuple[int, ...] = ()
    compared: tuple[int, ...] = ()
    reduced: Floats | None = None

    @property
    def n_level(self) -> int:
        """Samples at the tested level."""
        return len(self.level_samples)

    @property
    def n_reference(self) -> int:
        """Samples at the reference level."""
        return len(self.reference_samples)

    @property
    def residual_df(self) -> int | None:
        """Samples minus design columns."""
        return self.design.residual_df if self.design is not None else None

    @property
    def matrix_columns(self) -> list[int]:
        """0-based columns of the genes x samples array."""
        return [position - 1 for position in self.positions]


def plan_contrast(
    samples: pl.DataFrame, contrast: Contrast, *, seen_levels: Collection[SeenLevel] = ()
) -> ContrastPlan:
    """Choose the samples of a contrast, build its design and judge it.

    Args:
        samples: ``expression.samples``; rows without a position take no part.
        contrast: The declaration.
        seen_levels: Levels that earlier deliveries had (see
            :func:`~fm_platform.expression.designs.choice.levels_seen`): when such a level is gone, the contrast is
            skipped with a reason instead of refused.

    Raises:
        InputError: A column or level is unknown, or the design is refused (see
            :func:`~fm_platform.expression.designs.design.build_design`).
    """
    choice = choose_samples(samples, contrast, seen_levels=seen_levels)
    if choice.gone is not None:
        return ContrastPlan(contrast, "skipped", reason=choice.gone)
    kept, pair, column = choice.kept, contrast.pair, choice.column
    if pair is None or column is None:
        return _with_notes(_plan_weights(kept, contrast), choice.notes)
    found = kept[column].to_list()
    at_level = tuple(index for index, value in enumerate(found) if value == pair.level)
    at_reference = tuple(index for index, value in enumerate(found) if value == pair.reference)
    unreplicated = len(at_level) == len(at_reference) == 1
    try:
        design = build_design(
            kept,
            contrast.design,
            reference=coded_against(contrast),
            covariates=contrast.covariates,
            replicated=not unreplicated,
        )
    except InputError as error:
        raise _with_orphans(error, kept, pair, column) from None
    design = _with_pairing_advice(design, kept, pair, column)
    reasons = [UNREPLICATED] if unreplicated else _doubts(kept, design)
    if not unreplicated and 1 in (len(at_level), len(at_reference)):
        reasons.append("a level has a single sample")
    made = _plan(
        kept, contrast, design, design.vector(*pair), "descriptive" if unreplicated else None, reasons
    )
    made = replace(
        made, level_samples=at_level, reference_samples=at_reference, compared=(*at_level, *at_reference)
    )
    return _with_notes(made, choice.notes)


def _with_notes(plan: ContrastPlan, notes: tuple[str, ...]) -> ContrastPlan:
    if plan.design is None or not notes:
        return plan
    return replace(plan, design=replace(plan.design, notes=(*notes, *plan.design.notes)))


def _plan_weights(kept: pl.DataFrame, contrast: Contrast) -> ContrastPlan:
    """The plan of a contrast by coefficient or by vector."""
    design = build_design(
        kept, contrast.design, reference=coded_against(contrast), covariates=contrast.covariates
    )
    vector = contrast_weights(design, contrast)
    if contrast.label:
        design = replace(design, notes=(*design.notes, f"compared: {contrast.compares}"))
    single = [kept["sample_id"][place] for place in resting_on(design.matrix, vector)]
    reasons = _doubts(kept, design)
    if single:
        reasons.append(f"what is compared rests on a single sample ({', '.join(single[:3])})")
    made = _plan(kept, contrast, design, vector, None, reasons)
    return replace(made, compared=_weighed(design.matrix, vector))


def _plan(
    kept: pl.DataFrame,
    contrast: Contrast,
    design: Design,
    vector: Floats,
    status: Status | None,
    reasons: Sequence[str],
) -> ContrastPlan:
    reduced = None
    if contrast.reduced is not None:
        reduced = reduced_design(kept, design, contrast.reduced)
        df = design.matrix.shape[1] - reduced.shape[1]
        freedom = f"{df} degree{'s' * (df > 1)} of freedom"
        said = f"p-values are of a {contrast.test} ({freedom}); fold changes are of the contrast"
        design = replace(design, notes=(*design.notes, said))
    return ContrastPlan(
        contrast=contrast,
        status=status or ("exploratory" if reasons else "run"),
        reason="; ".join(reasons) or None,
        samples=tuple(kept["sample_id"]),
        positions=tuple(kept["position"]),
        design=design,
        vector=vector,
        reduced=reduced,
    )


def _weighed(matrix: Floats, vector: Floats) -> tuple[int, ...]:
    """Samples that the weighed columns touch, for weights of both signs; none otherwise (DESeq2's rule)."""
    if (vector >= 0).all() or (vector <= 0).all():
        return ()
    return tuple(int(place) for place in np.flatnonzero(matrix @ (vector != 0)))


def plan_contrasts(
    samples: pl.DataFrame,
    study: Study,
    *,
    only: str | None = None,
    seen_levels: Collection[SeenLevel] = (),
) -> tuple[ContrastPlan, ...]:
    """Plan the contrasts of a study; an error points at the contrast's line in study.yaml.

    Args:
        samples: ``expression.samples``.
        study: With contrasts.
        only: The id of one; None plans all.
        seen_levels: See :func:`plan_contrast`.

    A contrast that only withdrawals make impossible is skipped with a reason.

    Raises:
        InputError: As :func:`plan_contrast`.
    """
    plans = []
    for index, contrast in enumerate(study.contrasts):
        if only not in (None, contrast.id):
            continue
        try:
            plans.append(plan_contrast(samples, contrast, seen_levels=seen_levels))
        except InputError as error:
            if _possible_without_withdrawals(samples, contrast):
                said = f"withdrawals leave too few samples: {error.message}"
                plans.append(ContrastPlan(contrast, "skipped", reason=said))
                continue
            raise contrast_error(study, index, error) from error
    return tuple(plans)


def contrast_error(study: Study, index: int, error: InputError) -> InputError:
    """What is wrong with a contrast, pointing at its line in study.yaml."""
    return study.error(
        f"contrast {study.contrasts[index].id}: {error.message}",
        "contrasts",
        index,
        mend=error.mend or "correct this contrast",
    )


def _possible_without_withdrawals(samples: pl.DataFrame, contrast: Contrast) -> bool:
    """Whether a contrast could be planned if nobody had withdrawn."""
    out = withdrawn_samples(samples)
    if not out.any():
        return False
    everyone = samples.with_columns(
        position=pl.when(out).then(pl.lit(samples.height, pl.Int32)).otherwise(pl.col("position"))
    )
    try:
        plan_contrast(everyone, contrast)
    except InputError:
        return False
    return True


def silent_where_compared(chosen: NDArray[np.int64], plan: ContrastPlan) -> NDArray[np.bool_]:
    """Genes with reads, but none in the compared samples: the data say nothing about their fold change."""
    if not plan.compared:
        return np.zeros(len(chosen), dtype=bool)
    silent: NDArray[np.bool_] = (chosen[:, plan.compared] == 0).all(axis=1) & (chosen > 0).any(axis=1)
    return silent


def _doubts(kept: pl.DataFrame, design: Design) -> list[str]:
    """Why the result of a contrast should not be called a finding."""
    reasons = []
    if design.residual_df < MIN_RESIDUAL_DF:
        reasons.append(f"{design.residual_df} residual degree{'s' * (design.residual_df > 1)} of freedom")
    repeated = _repeated_subjects(kept, design)
    if repeated:
        reasons.append(
            f"subject {', '.join(repeated[:3])}{' and others' * (len(repeated) > 3)} gave several samples, "
            "which the design treats as independent"
        )
    return reasons


def _with_pairing_advice(design: Design, kept: pl.DataFrame, pair: LevelPair, column: str) -> Design:
    """The design with a note on subjects that have only one of the two levels."""
    pairing = find_pairs(kept, column, pair.level, pair.reference)
    said = advice(pairing, subject_in_design=not _repeated_subjects(kept, design))
    return design if said is None else replace(design, notes=(*design.notes, said))


def _with_orphans(error: InputError, kept: pl.DataFrame, pair: LevelPair, column: str) -> InputError:
    """The refusal of a design, with who lacks a pair where the samples are pairs in part."""
    said = advice(find_pairs(kept, column, pair.level, pair.reference), subject_in_design=True)
    if said is None:
        return error
    return InputError(error.message, file=error.file, line=error.line, mend=f"{error.mend}. {said}")


def _repeated_subjects(kept: pl.DataFrame, design: Design) -> list[str]:
    """Subjects with several samples, unless a term of factors in the design tells the subjects apart."""
    known = kept.filter(pl.col("subject_id").is_not_null())
    repeated = known.group_by("subject_id").len().filter(pl.col("len") > 1)["subject_id"].sort().to_list()
    if not repeated:
        return []
    subjects = known["subject_id"].n_unique()
    for term in design.terms:
        columns = [column_of(kept, variable) for variable in term if variable in design.levels]
        cells = known.select(columns).n_unique() if columns else 0
        if known.select("subject_id", *columns).n_unique() == subjects == cells:
            return []
    return repeated
