"""A literal study of three genes in four samples, and bringing a home up to date without Dagster.

It has no clinical half and no contrasts, so that a whole refresh loads no heavy library.
"""

from __future__ import annotations

from pathlib import Path

from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.session import StepResult, open_session
from fm_platform.warehouse.home import Home

STUDY = """\
study: {id: tiny, title: Three genes}
expression:
  counts: {path: counts.csv, gene_id: gene}
  samples: {path: samples.csv, id: sample}
schedule: {cron: "30 3 * * *", timezone: Europe/Vienna}
"""
COUNTS = "gene,s1,s2,s3,s4\ng1,1,2,3,4\ng2,10,20,30,40\ng3,0,0,5,6\n"
SAMPLES = "sample,group,remark\ns1,a,Zq7-patient-Zq7\ns2,a,\ns3,b,\ns4,b,\n"
IN_ORDER = [
    "raw.counts",
    "raw.samples",
    "expression.input_notes",
    "raw.count_columns",
    "expression.counts",
    "expression.samples",
    "expression.genes",
    "expression.library_sizes",
    "expression.outliers",
    "expression.pca",
    "expression.sample_distances",
    "expression.size_factors",
    "files.report",
    "expression.sex_genes",
    "files.site",
    "publish.warehouse",
]

QUALITY = {
    "expression.library_sizes",
    "expression.outliers",
    "expression.pca",
    "expression.sample_distances",
    "expression.sex_genes",
    "expression.size_factors",
}
"""Tables about samples: they read the counts and the sheet."""


def write_tiny_study(folder: Path) -> Path:
    """The study's three files."""
    folder.mkdir()
    for name, text in (("study.yaml", STUDY), ("counts.csv", COUNTS), ("samples.csv", SAMPLES)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def bring_up_to_date(catalog: Catalog, home: Home, run_id: str = "run") -> list[StepResult]:
    """Materialize what is stale."""
    with open_session(catalog, home, run_id) as session:
        return [session.materialize(table) for table in session.plan().stale]


def up_to_date(folder: Path, path: Path) -> tuple[Catalog, Home]:
    """The tiny study in a folder, in a home in which everything was made."""
    catalog, home = build_catalog(write_tiny_study(folder)), Home(path)
    bring_up_to_date(catalog, home)
    return catalog, home
