"""``fm de``: differential expression without a study.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from fm_platform.commands.options import FILE, json_option

if TYPE_CHECKING:
    from fm_platform.expression.fit.model import Mode
    from fm_platform.expression.fit.wald import Alternative


@click.command()
@click.argument("counts", type=click.Path(path_type=Path))
@click.argument("samples", type=FILE)
@click.option(
    "--format", "count_format", default="auto", show_default=True, help="How the counts are delivered."
)
@click.option("--gene-id", help="The column of gene ids (default: the first).")
@click.option("--tx2gene", type=FILE, help="kallisto, salmon: a table of transcript and gene ids.")
@click.option(
    "--strand",
    type=click.Choice(["unstranded", "forward", "reverse"]),
    help="STAR: which column (default: the one with most reads).",
)
@click.option("--lengths", type=FILE, help="nf-core's gene_counts: the gene_lengths table beside it.")
@click.option("--row-id", "row_ids", multiple=True, help="Samples in rows: a column that names them.")
@click.option("--layer", help="h5ad: the layer of counts (default: counts, else X).")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(["base-coverage"]),
    help="Go on with counts that look like this, and label the result.",
)
@click.option("--design", required=True, help='A formula, e.g. "~ batch + condition".')
@click.option("--contrast", metavar="VAR,LEVEL,REF", help="Compare: which level against which.")
@click.option(
    "--coefficient", metavar="NAME", help='Or: a column of the design, e.g. "group[T.fm]:week[T.12]".'
)
@click.option(
    "--vector", metavar="NAME=WEIGHT,...", help='Or: weights of columns, e.g. "group[T.b]=1,group[T.c]=-1".'
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="VAR=LEVEL",
    help="The level that a factor's others are coded against (default: that of --contrast, else the first).",
)
@click.option("--alpha", default=0.1, show_default=True, help="Target FDR of independent filtering.")
@click.option(
    "--covariate", "covariates", multiple=True, help="A design variable that is a number, not a factor."
)
@click.option(
    "--sample-id",
    help="The sample sheet's column of sample names (default: the one that matches, else its first).",
)
@click.option(
    "--reconcile",
    type=click.Choice(["affix"]),
    help="affix: match sample names that differ by a common prefix or suffix, one to one; the mapping is printed.",
)
@click.option(
    "--subset", "subsets", multiple=True, metavar="VAR=LEVEL[,LEVEL]", help="Only samples with these levels."
)
@click.option("--shrink", type=click.Choice(["apeglm"]), help="Add log2FoldChange_shrunk.")
@click.option(
    "--mode",
    type=click.Choice(["r_compat", "exact"]),
    default="r_compat",
    show_default=True,
    help="r_compat: DESeq2's rules; exact: the same model at its true optima.",
)
@click.option("--lfc-threshold", default=0.0, show_default=True, help="Test against this log2 fold change.")
@click.option(
    "--alternative",
    type=click.Choice(["greaterAbs", "lessAbs", "greater", "less"]),
    default="greaterAbs",
    show_default=True,
    help="What is claimed about the fold change.",
)
@click.option(
    "--lrt", metavar="REDUCED", help='Likelihood-ratio test against a smaller design, e.g. "~ batch".'
)
@click.option(
    "--size-factors",
    default="ratio",
    show_default=True,
    metavar="ratio|poscounts|COLUMN",
    help="Estimate them, or take a column of the sample sheet.",
)
@click.option(
    "--control-genes", type=FILE, help="Estimate size factors from these: a gene id or pattern a line."
)
@click.option(
    "--details",
    type=FILE,
    help="A second CSV: why a gene lacks a value, its dispersions and its largest Cook's distance.",
)
@click.option("-o", "--output", "out", type=FILE, required=True, help="The CSV to write.")
@json_option
def de(
    counts: Path,
    samples: Path,
    count_format: str,
    gene_id: str | None,
    tx2gene: Path | None,
    strand: Literal["unstranded", "forward", "reverse"] | None,
    lengths: Path | None,
    row_ids: tuple[str, ...],
    layer: str | None,
    accept: tuple[str, ...],
    design: str,
    contrast: str | None,
    coefficient: str | None,
    vector: str | None,
    references: tuple[str, ...],
    alpha: float,
    covariates: tuple[str, ...],
    sample_id: str | None,
    reconcile: str | None,
    subsets: tuple[str, ...],
    shrink: str | None,
    mode: Mode,
    lfc_threshold: float,
    alternative: Alternative,
    lrt: str | None,
    size_factors: str,
    control_genes: Path | None,
    details: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Differential expression of any count matrix, no study needed."""
    from fm_platform.expression.de import run_de
    from fm_platform.expression.de_request import Compared, declared_level, declared_levels
    from fm_platform.sources.counts.matrix import CountOptions
    from fm_platform.terminal import de_as_json, print_de

    summary = run_de(
        counts,
        samples,
        design,
        Compared(contrast, coefficient, vector),
        alpha=alpha,
        out=out,
        format=count_format,
        options=CountOptions(gene_id, tx2gene, strand, lengths, row_ids, layer, accept),
        sample_id=sample_id,
        reconcile=reconcile,
        shrink=shrink,
        subset=dict(declared_levels(text, "--subset") for text in subsets),
        mode=mode,
        lfc_threshold=lfc_threshold,
        alternative=alternative,
        lrt=lrt,
        reference_levels=dict(declared_level(text, "--reference") for text in references),
        size_factors=size_factors,
        control_genes=control_genes,
        details=details,
        covariates=covariates,
        progress=lambda text: click.echo(text, err=True),
    )
    click.echo(de_as_json(summary)) if as_json else print_de(summary)
