"""The report's sections, in order, and the figures they show.

Belongs here: which section holds what, and the sentences that belong to a whole section. Does not belong
here: single tables (clinical_section, expression_section), HTML.
"""

from __future__ import annotations

from fm_platform.reporting.clinical_section import arms, clinical_tables
from fm_platform.reporting.expression_section import (
    accepted,
    contrast_table,
    contrast_title,
    contrasts_in_order,
    direction,
    gap_table,
    is_exploratory,
    top_gene_table,
)
from fm_platform.reporting.figures import symptom_caption, symptom_figure, volcano
from fm_platform.reporting.page import FigureView, Half, Head, ReportInput, RowGroup, Section, TableView

NOT_A_PUBLISHED_RESULT = (
    "Every number here was computed by this platform from the files listed under Provenance. None of it is "
    "a published result of the paper that the symptom panels follow (Tang et al. 2023), or of any other "
    "paper."
)
SINGLE_ARM = (
    "A single-arm, open-label series cannot separate an effect of treatment from regression to the mean "
    "(people join a study when their symptoms are at their worst) and placebo response."
)
SEVERAL_ARMS = (
    "Changes are tested within participants against baseline and pooled over the study's arms: they compare "
    "visits, not arms, and so cannot separate an effect of treatment from regression to the mean and "
    "placebo response."
)
ARMS_COMPARED = "Arms are compared in the table of change from baseline, arm against arm, and only there."
EXPLORATORY = (
    "A contrast marked exploratory has too little replication for a finding: it ranks genes for a later "
    "study and supports no claim about any of them."
)
IDENTIFYING = (
    "Figures show single participants under their study id. In a small series that can identify a person "
    "even without a name: treat this report as study data."
)


def report_figures(report: ReportInput) -> tuple[FigureView, ...]:
    """Draw the report's figures: the symptom panels, then one volcano plot per contrast that was run.

    Args:
        report: Figures whose tables are absent or empty are left out.
    """
    figures = []
    scores, people, outcomes = (
        report.table(name) for name in ("marts.symptom_scores", "marts.participants", "study.outcomes")
    )
    if report.study.has_clinical and scores is not None and people is not None and outcomes is not None:
        caption = symptom_caption(scores, people, outcomes, report.study)
        names = ", ".join(outcomes.sort("position")["label"].fill_null("").to_list())
        figures.append(
            FigureView(
                "symptom_panels",
                symptom_figure(scores, people, outcomes, report.study),
                f"Symptom course. {caption}",
                f"One panel per outcome ({names}) with one line per participant over the visits. {caption} "
                "The numbers are in the table of change from baseline.",
            )
        )
    results = report.table("expression.de_results")
    if results is None:
        return tuple(figures)
    for row in contrasts_in_order(report):
        if row["status"] in ("skipped", "descriptive"):
            continue
        title, exploratory = contrast_title(row), is_exploratory(row)
        figures.append(
            FigureView(
                f"volcano_{row['contrast']}",
                volcano(
                    results,
                    row["contrast"],
                    row["alpha"],
                    title,
                    exploratory=exploratory,
                    synthetic=report.study.study.synthetic,
                ),
                f"Volcano plot, {title}{' (exploratory)' if exploratory else ''}: log2 fold change against "
                f"p for every tested gene; the dashed line is where the adjusted p-value passes {row['alpha']:g}."
                f"{direction(row)}{''.join(f' {said}' for said in accepted(row))}",
                f"Scatter of log2 fold change against minus log10 p for {title}. The leading genes are in "
                "the table of genes with the smallest p-values.",
            )
        )
    return tuple(figures)


def report_sections(report: ReportInput, figures: tuple[FigureView, ...]) -> tuple[Section, ...]:
    """All sections of the report; those of a half that the study does not have are absent."""
    sections = []
    if report.study.has_clinical:
        sections.append(_clinical(report, figures))
    if report.study.has_expression:
        sections.append(_expression(report, figures))
    if report.gate:
        sections.append(_data_quality(report))
    sections.append(_reading(report))
    sections.append(_provenance(report))
    return tuple(sections)


def _clinical(report: ReportInput, figures: tuple[FigureView, ...]) -> Section:
    tables = clinical_tables(report)
    first = ("report.characteristics", "marts.symptom_scores")
    blocks: list[TableView | FigureView] = [tables[name] for name in first if name in tables]
    blocks += [figure for figure in figures if figure.name == "symptom_panels"]
    blocks += [view for name, view in tables.items() if name not in first]
    several = arms(report.study, report.table("marts.participants")) > 1
    sentence = SEVERAL_ARMS if several else SINGLE_ARM
    compared = (ARMS_COMPARED,) if "report.between_arms" in tables else ()
    return _section(report, "clinical", "Symptoms", blocks, (sentence, *compared))


def _expression(report: ReportInput, figures: tuple[FigureView, ...]) -> Section:
    blocks: list[TableView | FigureView] = [
        table for table in (contrast_table(report), gap_table(report)) if table is not None
    ]
    for row in contrasts_in_order(report):
        blocks += [figure for figure in figures if figure.name == f"volcano_{row['contrast']}"]
        genes = top_gene_table(report, row)
        blocks += [genes] if genes else []
    return _section(report, "expression", "Gene expression", blocks, (EXPLORATORY,))


def _section(
    report: ReportInput,
    half: Half,
    heading: str,
    blocks: list[TableView | FigureView],
    paragraphs: tuple[str, ...],
) -> Section:
    """A half's section; where the gate blocked its newest delivery, it says so above everything else."""
    state = next((state for state in report.halves if state.half == half), None)
    warning = ""
    if state is not None and state.blocked:
        shown = (
            f"What follows is the earlier state of {state.as_of}."
            if state.as_of
            else "There is no earlier state."
        )
        reason = state.reason.rstrip(".")
        because = f": {reason}." if reason else "."
        warning = f"Blocked: the newest delivery of this half did not pass the gate{because} {shown}"
    if not blocks:
        paragraphs = ("No results yet.",)
    return Section(half, heading, tuple(blocks), warning, paragraphs)


def _data_quality(report: ReportInput) -> Section:
    rows = tuple(
        (
            line.source,
            *(f"{n:,}" for n in (line.rows_read, line.rows_accepted, line.rows_set_aside, line.cells_nulled)),
        )
        for line in report.gate
    )
    heads = (
        Head("Source", numeric=False),
        *(Head(text) for text in ("Rows read", "Rows accepted", "Rows set aside", "Cells emptied")),
    )
    notes = (
        "Rows read = accepted + set aside. A set-aside row takes no part in any result; an emptied cell "
        "counts as missing. Each has its rule and reason in the quarantine tables.",
    )
    return Section(
        "quality", "Data quality", (TableView("What the gate did", heads, (RowGroup(rows),), notes),)
    )


def _reading(report: ReportInput) -> Section:
    sentences = [NOT_A_PUBLISHED_RESULT]
    if report.study.has_clinical:
        sentences.append(IDENTIFYING)
    return Section("reading", "How to read this report", (), paragraphs=tuple(sentences))


def _provenance(report: ReportInput) -> Section:
    blocks: list[TableView | FigureView] = []
    if report.sources:
        files = tuple((line.name, line.source, f"{line.size:,}", line.sha256) for line in report.sources)
        blocks.append(_code_table("Source files", ("File", "Source", "Bytes", "SHA-256"), files))
    if report.run.code_versions:
        versions = tuple(sorted(report.run.code_versions.items()))
        blocks.append(_code_table("Code that made each table", ("Table", "Code version"), versions))
    listed = ", ".join(f"{name} {version}" for name, version in sorted(report.run.libraries.items()))
    made_with = (*report.run.environment.items(), *((("libraries", listed),) if listed else ()))
    if made_with:
        blocks.append(_code_table("What these tables were made with", ("What", "As recorded"), made_with))
    sentences = (
        *_publication(report.run.publication),
        f"Ledger head when this report was made: {report.head_hash}, the last record before the report's own. "
        "The steward's site, every snapshot and `fm verify` name the last record of their own moment: another "
        "link of the same chain. `fm verify --head` with any of them tells whether anything recorded up to "
        "there was altered since; `fm explain` traces any number of a table to its source lines.",
    )
    return Section("provenance", "Provenance", tuple(blocks), paragraphs=sentences)


def _publication(number: int) -> tuple[str, ...]:
    """Which publication the report belongs to."""
    if not number:
        return ()
    return (
        f"This report was made for publication {number}, and stands in later ones for as long as nothing that it "
        "shows is made again; `fm snapshots` lists them.",
    )


def _code_table(caption: str, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> TableView:
    return TableView(
        caption, tuple(Head(text, numeric=text == "Bytes") for text in heads), (RowGroup(rows),), code=True
    )
