"""The columns of the ``report.*`` tables in words.

Belongs here: names and meanings. Does not belong here: what fills them.
"""

from __future__ import annotations

from fm_platform.catalog.asset import columns
from fm_platform.catalog.clinical.analysis_columns import ARMS_COLUMNS as ARM_STATISTICS
from fm_platform.catalog.clinical.statistics import CHANGE_COLUMNS as CHANGE_STATISTICS
from fm_platform.catalog.clinical.statistics import RESPONDER_COLUMNS as RESPONDER_STATISTICS
from fm_platform.warehouse.records import Column


def _described(names: str, known: tuple[Column, ...], **own: str) -> tuple[Column, ...]:
    """Columns by name, described by ``own`` or as the statistics table describes them."""
    texts = {column.name: column.description for column in known} | own
    return columns(**{name: texts[name] for name in names.split()})


CHARACTERISTICS_COLUMNS = columns(
    variable="What is described",
    level="The level of a categorical variable; null for numbers",
    stratum="The stratum; null for all participants",
    position="Order on the page",
    variable_label="How the table calls the variable",
    level_label="How the table calls the level",
    n="Participants described",
    n_missing="Participants without a value",
    value="What the table prints",
    statistic="What is printed, in words",
    median="Median",
    q1="First quartile",
    q3="Third quartile",
    low="Smallest value",
    high="Largest value",
    count="Participants at the level",
    percent="count in percent of n",
)
CHANGE_COLUMNS = _described(
    "outcome visit stratum position outcome_label visit_label family better n n_missing n_zero n_eff improved "
    "unchanged worsened median_baseline median_change hl_estimate hl_low hl_high hl_level p_value "
    "p_floor p_holm holm_floor rank_biserial family_size method note engine_version change_text p_text",
    CHANGE_STATISTICS,
    position="Order on the page",
    outcome_label="How the table calls the outcome",
    visit_label="How the table calls the visit",
    better="Whether lower or higher values are better",
    change_text="The change as printed",
    p_text="The p-value as printed, with its floor",
)
RESPONDER_COLUMNS = _described(
    "responder visit stratum position responder_label visit_label n n_missing responders rate ci_low ci_high ci_level "
    "denominator n_nri rate_nri nri_low nri_high method note engine_version rate_text ci_text nri_text",
    RESPONDER_STATISTICS,
    position="Order on the page",
    responder_label="How the table calls the definition",
    visit_label="How the table calls the visit",
    rate_text="The rate as printed",
    ci_text="The interval as printed",
    nri_text="Rate and interval of everyone expected, as printed",
)
ARMS_COLUMNS = _described(
    "outcome visit arm reference position outcome_label visit_label arm_label reference_label n n_arm n_reference "
    "n_missing family_size median_change_arm median_change_reference shift shift_low shift_high shift_level "
    "superiority p_value p_floor p_holm holm_floor family method note engine_version shift_text p_text",
    ARM_STATISTICS,
    position="Order on the page",
    outcome_label="How the table calls the outcome",
    visit_label="How the table calls the visit",
    arm_label="How the table calls the arm",
    reference_label="How the table calls the reference arm",
    shift_text="The shift as printed",
    p_text="The p-value as printed, with its floor",
)
TOP_GENE_COLUMNS = columns(
    contrast="The contrast",
    rank="Rank by p-value within the contrast, from 1",
    gene_id="The gene",
    base_mean="Mean of counts divided by size factors",
    log2_fold_change="Level over reference, log2",
    lfc_se="Standard error of log2_fold_change",
    pvalue="Two-sided p-value",
    padj="Adjusted p-value",
    status="run or exploratory",
    n_samples="Samples of the contrast",
    engine="What computed it",
    engine_version="Its version",
)
