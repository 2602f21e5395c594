"""``fm de``: the engine on any matrix and sample sheet, no study needed.

Belongs here: one run from two files to one CSV, and its summary. Does not belong here: argument parsing and
printing (``cli``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fm_platform.errors import InputError
from fm_platform.expression.de_files import check_place, write_details, write_results
from fm_platform.expression.de_request import Compared, declared_contrast, declared_size_factors
from fm_platform.expression.designs.choice import require_subset
from fm_platform.expression.designs.contrasts import plan_contrast
from fm_platform.expression.designs.samples import resolve_samples
from fm_platform.expression.designs.sizing import sizing
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.model import Mode
from fm_platform.expression.fit.wald import Alternative
from fm_platform.expression.run import run_plan
from fm_platform.expression.tables import UNTESTED
from fm_platform.sources.counts.matrix import CountOptions
from fm_platform.sources.counts.reading import CountMatrix, read_counts
from fm_platform.sources.delimited import TextTable, read_text_table, with_lines
from fm_platform.study.expression import SamplesSource

DEFAULT_ALPHA = 0.1
"""DESeq2's default."""

NO_OPTIONS = CountOptions()


@dataclass(frozen=True)
class DeSummary:
    """What a run did, for printing.

    Attributes:
        out: The CSV written.
        details: The second CSV, if one was asked for.
        design: The formula.
        columns: The design matrix's columns.
        contrast: E.g. ``condition: treated vs untreated``, or a coefficient, or a vector.
        test: Which test was made.
        status: ``run``, ``exploratory`` or ``descriptive`` (one sample against one: no test).
        reason: Why it is not simply run.
        residual_df: Samples minus design columns.
        n_genes: Rows written.
        n_samples: Samples used.
        n_level: Samples at the tested level; None for a coefficient or a vector.
        n_reference: Samples at the reference level.
        n_tested: Genes with a p-value.
        n_up: Genes with padj < alpha that go up.
        n_down: Genes with padj < alpha that go down.
        alpha: The level.
        size_factors: Per sample id.
        id_column: The sheet's column that was matched with the matrix.
        id_rule: How ids were matched.
        id_mapping: (sheet id, matrix id) of every sample.
        na_reasons: How many genes lack a value, by reason.
        notes: Warnings, in plain words.
        engine: Name, mode and version.
    """

    out: str
    details: str | None
    design: str
    columns: tuple[str, ...]
    contrast: str
    test: str
    status: str
    reason: str | None
    residual_df: int
    n_genes: int
    n_samples: int
    n_level: int | None
    n_reference: int | None
    n_tested: int
    n_up: int
    n_down: int
    alpha: float
    size_factors: Mapping[str, float]
    id_column: str
    id_rule: str
    id_mapping: tuple[tuple[str, str], ...]
    na_reasons: Mapping[str, int]
    notes: tuple[str, ...]
    engine: str

    def as_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        return asdict(self)


def run_de(
    counts: Path,
    samples: Path,
    design: str,
    contrast: str | Compared,
    *,
    out: Path,
    alpha: float = DEFAULT_ALPHA,
    sample_id: str | None = None,
    reconcile: str | None = None,
    subset: Mapping[str, Sequence[str]] | None = None,
    covariates: Sequence[str] = (),
    shrink: str | None = None,
    format: str = "auto",
    options: CountOptions = NO_OPTIONS,
    mode: Mode = "r_compat",
    lfc_threshold: float = 0.0,
    alternative: Alternative = "greaterAbs",
    lrt: str | None = None,
    reference_levels: Mapping[str, str] | None = None,
    size_factors: str = "ratio",
    control_genes: Path | None = None,
    details: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> DeSummary:
    """Test one contrast on a count matrix and write DESeq2's columns as CSV, genes in the matrix's order.

    Args:
        counts: The delivery of counts: a file or folder in one of the formats of docs/expression-inputs.md.
        samples: The sample sheet.
        design: E.g. ``~ type + condition``.
        contrast: ``VARIABLE,LEVEL,REFERENCE``, or exactly one of the three kinds.
        out: The CSV; replaced as a whole, or not at all.
        alpha: Level that independent filtering is tuned for.
        sample_id: The sheet's column with the matrix's sample names. Default: the one whose values are
            exactly those names, otherwise the first column.
        reconcile: See :func:`~fm_platform.expression.designs.reconcile.match_ids`.
        subset: Column to the values that take part.
        covariates: Variables of the design that are numbers.
        shrink: ``apeglm`` adds the column log2FoldChange_shrunk.
        format: ``auto``, or one of ``fm_platform.sources.counts.FORMATS``.
        options: What some formats need besides (tx2gene, strand, lengths, ...).
        mode: ``r_compat`` (DESeq2's rules) or ``exact`` (the same model at its true optima).
        lfc_threshold: Log2 fold change that bounds the null hypothesis.
        alternative: ``greaterAbs``, ``lessAbs``, ``greater`` or ``less``.
        lrt: A smaller design, e.g. ``~ type``: test by likelihood ratio what the rest explains.
        reference_levels: Variable to the level that its others are coded against.
        size_factors: ``ratio``, ``poscounts``, or the sheet's column that gives them.
        control_genes: A file with one gene id or pattern a line: size factors are estimated from these only.
        details: A second CSV, with the reason of every gap, dispersions and Cook's distances of every gene.
        progress: Told what is being done.

    Raises:
        InputError: A file, the design or the contrast is wrong.
        EnvironmentFailure: The CSV cannot be written.
    """
    tell = progress or (lambda _: None)
    for path in (out, details):
        if path is not None:
            check_place(path)
    if details is not None and details.resolve() == out.resolve():
        raise InputError("--details and --output name the same file", mend="name two files")
    declared = declared_contrast(
        Compared(pair=contrast) if isinstance(contrast, str) else contrast,
        design=design,
        alpha=alpha,
        subset={name: tuple(values) for name, values in (subset or {}).items()},
        covariates=tuple(covariates),
        reference_levels=dict(reference_levels or {}),
        lfc_threshold=lfc_threshold,
        alternative=alternative,
        reduced=lrt,
    )
    sized = declared_size_factors(size_factors, control_genes)
    tell(f"reading {counts.name} and {samples.name}")
    matrix = read_counts(counts, name=counts.name, format=format, **vars(options))
    sheet = read_text_table("samples", samples, name=samples.name, row_names=sample_id or "sample")
    id_column = sample_id or _id_column(sheet, matrix)
    source = SamplesSource(path=samples.name, id=id_column)
    resolved = resolve_samples(
        with_lines(sheet),
        source,
        matrix.count_ids,
        reconcile=reconcile,
        gene_ids=matrix.gene_ids,
        file=samples.name,
    )
    require_subset(resolved.frame, declared)
    plan = plan_contrast(resolved.frame, declared)
    result = run_plan(
        matrix.counts,
        matrix.lengths,
        matrix.gene_ids,
        plan,
        engine=DeEngine(on_stage=tell),
        shrink=shrink,
        options=replace(
            sizing(sized, resolved.frame, matrix.gene_ids, plan, matrix.counts.shape[1]), mode=mode
        ),
    )
    tell(f"writing {out}")
    write_results(result.frame, out)
    if details is not None:
        write_details(result, details)
    assert plan.design is not None, "only a contrast known from earlier deliveries is ever skipped"
    reasons = result.frame["na_reason"].drop_nulls().value_counts(sort=True)
    return DeSummary(
        out=str(out),
        details=str(details) if details is not None else None,
        design=plan.design.formula,
        columns=plan.design.columns,
        contrast=declared.compares,
        test=UNTESTED if plan.status == "descriptive" else declared.test,
        status=plan.status,
        reason=plan.reason,
        residual_df=plan.design.residual_df,
        n_genes=result.frame.height,
        n_samples=len(plan.samples),
        n_level=plan.n_level if declared.pair else None,
        n_reference=plan.n_reference if declared.pair else None,
        n_tested=result.n_tested,
        n_up=result.n_up,
        n_down=result.n_down,
        alpha=alpha,
        size_factors=dict(zip(plan.samples, result.size_factors, strict=True)),
        id_column=id_column,
        id_rule=resolved.mapping.rule,
        id_mapping=tuple((pair.sheet_id, pair.count_id) for pair in resolved.mapping.matches),
        na_reasons=dict(reasons.iter_rows()),
        notes=(*_remarks(matrix), *(f"{samples.name}: {note}" for note in sheet.notes), *result.notes),
        engine=f"{result.engine} {result.engine_version}",
    )


def _remarks(matrix: CountMatrix) -> tuple[str, ...]:
    """What the reader of the counts remarked; rows set aside and damaged ids in one line each kind."""
    listed: dict[str, list[str]] = {}
    for note in matrix.notes:
        listed.setdefault(note.text, []).extend([note.item] if note.item else [])
    remarks = [f"{text}: {', '.join(items[:10])}" if items else text for text, items in listed.items()]
    return tuple(remarks)


def _id_column(sheet: TextTable, matrix: CountMatrix) -> str:
    wanted = set(matrix.count_ids)
    exact = [name for name in sheet.columns if set(sheet.frame[name]) == wanted]
    return exact[0] if exact else sheet.columns[0]
