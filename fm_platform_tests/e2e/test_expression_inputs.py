"""A study whose counts are a folder of STAR files, with annotation and gene sets: read, kept, traced, looked at."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from fm_platform_tests.e2e.conftest import Workspace

STUDY = """\
study: {id: star-study, title: Counts of STAR, synthetic: true}
expression:
  counts: {path: star, strand: reverse}
  samples: {path: samples.csv, id: sample_id, count_id: count_column, subject: subject}
  genes: {path: genes.gtf}
contrasts:
  - {id: fm, design: "~ group", variable: group, level: fibromyalgia, reference: healthy, subset: {week: "0"}}
gene_sets: sets.gmt
"""


def query(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.fixture(scope="module")
def matrix(small_study: Path) -> list[list[str]]:
    with (small_study / "rnaseq" / "counts.csv").open(newline="") as handle:
        return list(csv.reader(handle))


@pytest.fixture(scope="module")
def star(small_study: Path, matrix: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    base = tmp_path_factory.mktemp("star")
    workspace = Workspace(base / "study", base / "home")
    folder = workspace.study / "star"
    folder.mkdir(parents=True)
    header, *rows = matrix
    for column, sample in enumerate(header[1:], start=1):
        lines = [
            f"{name}\t7\t7\t7" for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
        ]
        lines += [f"{row[0]}\t{row[column]}\t0\t{row[column]}" for row in rows]
        (folder / f"{sample}_ReadsPerGene.out.tab").write_text("\n".join(lines) + "\n")
    gtf = ["#!genome-build none"]
    for index, row in enumerate(rows):
        symbol = "1-Mar" if index == 3 else f"SYM{index}"
        place = f"chr1\tx\tgene\t{100 * index + 1}\t{100 * index + 90}\t.\t+\t."
        gtf.append(f'{place}\tgene_id "{row[0]}.1"; gene_name "{symbol}";')
    (workspace.study / "genes.gtf").write_text("\n".join(gtf) + "\n")
    members = "\t".join(f"SYM{index}" for index in range(20))
    (workspace.study / "sets.gmt").write_text(f"FIRST\tthe first twenty\t{members}\tNOT_A_GENE\n")
    (workspace.study / "samples.csv").write_text((small_study / "rnaseq" / "samples.csv").read_text())
    (workspace.study / "study.yaml").write_text(STUDY)
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    return workspace


def test_the_folder_gives_the_counts_of_the_matrix(star, matrix):
    found = query(star, "SELECT gene_id, counts, lengths FROM expression.counts ORDER BY gene_id")
    assert [[row["gene_id"], *map(str, row["counts"])] for row in found] == sorted(matrix[1:])
    assert {row["lengths"] for row in found} == {None}


def test_a_count_leads_to_its_line_in_every_samples_file(star, matrix):
    gene = matrix[5][0]
    outcome = star.fm(
        "explain", "expression.counts", "--where", f"gene_id={gene}", "--column", "counts", "--json"
    )
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)["rows"]
    assert len(rows) == 12
    assert {row["line"] for row in rows} == {9}
    assert "star/lib01_ReadsPerGene.out.tab" in {row["path"] for row in rows}


def test_what_the_reader_chose_and_set_aside_is_told(star):
    found = query(star, "SELECT kind, count(*) AS n FROM expression.input_notes GROUP BY kind ORDER BY kind")
    assert {"kind": "set_aside", "n": 48} in found
    (choice,) = query(star, "SELECT note FROM expression.input_notes WHERE kind = 'choice'")
    assert choice["note"] == "STAR's reverse column, as declared"


def test_genes_are_named_by_the_annotation_and_damaged_symbols_by_what_they_were(star, matrix):
    gene = matrix[4][0]
    (row,) = query(
        star, f"SELECT symbol, match, damage, start FROM expression.genes WHERE gene_id = '{gene}'"
    )
    assert (row["symbol"], row["match"], row["start"]) == ("1-Mar", "without version", 301)
    assert "MARCHF1" in row["damage"]


def test_sets_are_tested_and_members_that_are_no_genes_listed(star):
    (report,) = query(star, "SELECT n_members, n_in_matrix, not_in_matrix FROM expression.gene_sets")
    assert report == {"n_members": 21, "n_in_matrix": 19, "not_in_matrix": ["NOT_A_GENE", "SYM3"]}
    (row,) = query(star, "SELECT contrast, pvalue, seed, matched_by FROM expression.enrichment")
    assert (row["contrast"], row["matched_by"]) == ("fm", "symbol")
    assert 0 < row["pvalue"] <= 1


def test_every_sample_is_in_the_quality_tables(star):
    for table in ("library_sizes", "size_factors", "outliers"):
        assert query(star, f"SELECT count(*) AS n FROM expression.{table}") == [{"n": 12}]
    assert query(star, "SELECT count(*) AS n FROM expression.sample_distances") == [{"n": 66}]
    assert query(star, "SELECT count(DISTINCT sample_id) AS n FROM expression.pca") == [{"n": 12}]


def test_nothing_runs_again_and_one_changed_file_does(star):
    outcome = star.fm("status", "--json")
    assert {row["state"] for row in json.loads(outcome.out)} == {"fresh"}
    path = star.study / "star" / "lib01_ReadsPerGene.out.tab"
    before = path.read_text()
    try:
        path.write_text(before.replace("N_unmapped\t7", "N_unmapped\t8"))
        states = {row["asset"]: row for row in json.loads(star.fm("status", "--json").out)}
        assert "lib01_ReadsPerGene" in states["raw.counts"]["reason"]
    finally:
        path.write_text(before)


def test_verify_knows_every_file(star):
    outcome = star.fm("verify", "--json")
    assert outcome.code == 0, outcome.out
