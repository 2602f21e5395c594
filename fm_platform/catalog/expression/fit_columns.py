"""The columns of the contrasts' tables in words.

Belongs here: names and meanings. Does not belong here: inputs and lineage (``fits``), types
(``expression.stored``, ``expression.tables``).
"""

from __future__ import annotations

from fm_platform.catalog.asset import columns

RESULT_COLUMNS = columns(
    contrast="The contrast",
    gene_id="The gene",
    base_mean="Mean of counts divided by size factors, over the contrast's samples",
    log2_fold_change="Level over reference, or the coefficient or vector of the contrast, log2",
    lfc_se="Standard error of log2_fold_change",
    stat="Wald statistic, or that of the likelihood-ratio test",
    pvalue="P-value of the test that `expression.contrasts.test` names",
    padj="Benjamini-Hochberg adjusted p-value after independent filtering",
    log2_fold_change_shrunk="Fold change shrunk by apeGLM, where the contrast asks for it",
    na_reason="Why a value is missing: not_counted, all_zero, cooks_outlier, not_converged, not_estimated, "
    "contrast_all_zero, replaced_to_zero, low_mean_filtered or unreplicated",
    na_detail="Which sample is the outlier, or below which mean genes were filtered",
    n_samples="Samples of the contrast",
    engine="What computed it",
    engine_version="Its version",
    fit_notes="What the engine remarked on the fit",
)
FIT_COLUMNS = (
    *RESULT_COLUMNS,
    *columns(
        dispersion_gene_wise="Dispersion of the gene by itself",
        dispersion_trend="The trend at the gene's mean",
        dispersion_prior_variance="Variance of log dispersions around the trend",
        dispersion_map="Dispersion shrunk towards the trend",
        dispersion="The dispersion that is used",
        dispersion_outlier="Whether the gene keeps its own dispersion, being far above the trend",
        cooks_sample="The sample whose count weighs most in the fit",
        cooks_distance="Its Cook's distance",
        cooks_cutoff="A larger distance is suspicious",
        cooks_flagged="Whether the gene has no p-value because of it",
        cooks_replaced="Whether counts beyond the cutoff were replaced and the gene fitted again",
    ),
)
DISPERSIONS = columns(
    contrast="The contrast",
    gene_id="The gene",
    base_mean="Mean of counts divided by size factors",
    gene_wise="Dispersion of the gene by itself",
    trend="The trend at base_mean",
    prior_variance="Variance of log dispersions around the trend: the prior's width, squared",
    map="Dispersion shrunk towards the trend (maximum a posteriori)",
    dispersion="The dispersion that is used",
    outlier="Whether the gene keeps gene_wise, being far above the trend",
)
COOKS = columns(
    contrast="The contrast",
    gene_id="The gene",
    sample_id="The sample whose count weighs most in the fit of the gene",
    distance="Its Cook's distance",
    cutoff="0.99 quantile of F(coefficients, samples - coefficients): a larger distance is suspicious",
    flagged="Whether the gene has no p-value because of a sample (needs three replicates)",
    replaced="Whether suspicious counts were replaced and the gene fitted again (needs seven replicates)",
)
CONTRAST_COLUMNS = columns(
    contrast="The contrast",
    label="How tables and figures call it",
    design="The model formula",
    variable="The compared variable; null for a contrast by coefficient or vector, as are the levels",
    level="The level that is compared",
    reference="The level that it is compared with",
    test="Wald test (of which bound), likelihood-ratio test (against which design), or none",
    subset="The samples it is restricted to",
    status="run, exploratory, descriptive or skipped",
    reason="Why it is not simply run",
    n_samples="Samples used",
    n_level="Samples at the level",
    n_reference="Samples at the reference",
    residual_df="Samples less coefficients",
    alpha="False discovery rate that independent filtering aims at",
    n_genes="Genes in the matrix",
    n_tested="Genes with a p-value",
    n_significant="Genes with padj below alpha",
    n_up="Of these, higher at the level",
    n_down="Of these, lower at the level",
    n_refits="Refits, each without one sample; null without called genes or refits",
    n_stable="Genes with padj below alpha that every refit calls, too, with a fold change of the same sign",
    engine="What computed it",
    engine_version="Its version",
    samples="The samples used",
    size_factors="What their counts were divided by, in that order",
    notes="What the engine remarked on the fit",
)
