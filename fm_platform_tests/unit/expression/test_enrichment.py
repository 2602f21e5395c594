from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.sets.enrichment import enrich, random_positions, score
from fm_platform.expression.sets.gene_sets import enrichment_table, set_report
from fm_platform.sources.gmt import read_gmt


@pytest.fixture(scope="module")
def fgsea(shared_data: Path) -> Path:
    return shared_data / "genesets" / "fgsea_oracle"


@pytest.fixture(scope="module")
def statistics(fgsea: Path) -> np.ndarray:
    return np.loadtxt(fgsea / "inputs" / "stats.tsv", skiprows=1)


@pytest.fixture(scope="module")
def pathways(fgsea: Path) -> list[np.ndarray]:
    lines = (fgsea / "inputs" / "pathways.tsv").read_text().splitlines()
    return [np.array(sorted(map(int, line.split("\t")))) - 1 for line in lines if line[:1].isdigit()]


def test_scores_are_those_of_fgsea(fgsea: Path, statistics: np.ndarray, pathways: list[np.ndarray]) -> None:
    reference = pl.read_csv(fgsea / "refs" / "ref_calcGseaStatBatchCpp.tsv", separator="\t")
    full = reference.filter(pl.col("pathway_index0") < len(pathways))
    found = [score(np.abs(statistics), members[None, :])[0] for members in pathways]
    ours = [found[index] for index in full["pathway_index0"]]
    np.testing.assert_allclose(ours, full["ES"].to_numpy(), rtol=0, atol=1e-14)
    by_size = pl.read_csv(fgsea / "inputs" / "cumbatch_pathwayScores.tsv")["pathwayScores"].to_numpy()
    np.testing.assert_allclose(found, by_size, rtol=0, atol=1e-14)


def test_p_values_agree_with_fgseas_permutations(
    fgsea: Path, statistics: np.ndarray, pathways: list[np.ndarray]
) -> None:
    """Both count permutations, so they differ by chance: 4 standard errors of the reference's 1,000."""
    counts = pl.read_csv(fgsea / "refs" / "ref_calcGseaStatCumulativeBatch.tsv", separator="\t")
    for result, row in zip(enrich(statistics, pathways), counts.iter_rows(named=True), strict=True):
        extreme, among = (row["geEs"], row["geZero"]) if result.es > 0 else (row["leEs"], row["leZero"])
        expected = (extreme + 1) / (among + 1)
        error = np.sqrt(expected * (1 - expected) / among) + 1 / among
        assert abs(result.pvalue - expected) < 4 * error
        mean = abs((row["geZeroSum"] if result.es > 0 else row["leZeroSum"]) / among)
        assert result.nes == pytest.approx(result.es / mean, rel=0.1)


def test_p_values_of_random_sets_are_uniform_on_either_side() -> None:
    generator = np.random.default_rng(5)
    statistics = np.sort(generator.normal(size=2000))[::-1]
    sets = [np.sort(generator.choice(2000, size=40, replace=False)) for _ in range(400)]
    found = enrich(statistics, sets, permutations=2000)
    for side in (True, False):
        p = np.array([result.pvalue for result in found if (result.es > 0) is side])
        assert len(p) > 100
        assert abs(np.median(p) - 0.5) < 0.12
        assert abs((p < 0.2).mean() - 0.2) < 0.12


def test_a_set_at_either_end_is_found_with_its_leading_edge() -> None:
    statistics = np.linspace(5, -5, 1000)
    top, bottom = enrich(statistics, [np.arange(0, 40, 2), np.arange(960, 1000, 2)], permutations=500)
    assert top.es > 0.9
    assert bottom.es < -0.9
    assert top.pvalue == top.p_floor < 0.01
    assert top.leading_edge[0] == 0
    assert bottom.leading_edge[0] == 998


def test_results_depend_on_the_seed_alone() -> None:
    statistics = np.sort(np.random.default_rng(1).normal(size=300))[::-1]
    members = [np.arange(5, 200, 10), np.arange(3, 300, 20)]
    assert enrich(statistics, members, permutations=700) == enrich(statistics, members, permutations=700)
    assert (
        enrich(statistics, members[::-1], permutations=700)[1]
        == enrich(statistics, members, permutations=700)[0]
    )


def test_random_positions_are_drawn_without_replacement() -> None:
    drawn = random_positions(60, 60, 700, 3)
    assert (np.sort(drawn, axis=1) == np.arange(60)).all()
    assert abs(drawn[:, 0].mean() - 29.5) < 3


# -- files and tables --------------------------------------------------------------------------------------------


def test_the_hallmark_file_is_read_and_its_clone_id_reported(shared_data: Path) -> None:
    sets = read_gmt(shared_data / "genesets" / "h.all.v7.0.symbols.gmt", name="h.gmt")
    assert sets.frame.height == 50
    inflammation = sets.frame.filter(gene_set="HALLMARK_IL6_JAK_STAT3_SIGNALING")["members"][0].to_list()
    assert len(inflammation) == 87
    known = sorted(set(sets.frame["members"].explode()) - {"AC005840.1", "IL6"} | {"Il6"})
    genes = pl.DataFrame({"gene_id": [f"ENSG{i}" for i in range(len(known))], "symbol": known})
    report = (
        set_report(genes, sets.frame).filter(gene_set="HALLMARK_IL6_JAK_STAT3_SIGNALING").row(0, named=True)
    )
    assert (report["n_members"], report["n_in_matrix"], report["matched_by"]) == (87, 85, "symbol")
    assert report["not_in_matrix"] == ["AC005840.1", "IL6"]
    assert report["other_case"] == ["IL6"]
    assert len(report["gmt_sha256"]) == 64


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A\tabout\tG1\nB\tabout\n", 2, "no set with members"),
        ("A\tx\tG1\n\nA\tx\tG2\n", 3, "'A' is on line 1"),
    ],
)
def test_a_broken_gmt_names_the_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "s.gmt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_gmt(path, name="s.gmt")
    assert caught.value.line == line


def test_enrichment_is_tabled_by_contrast_and_small_sets_say_why_they_are_not_tested(tmp_path: Path) -> None:
    path = tmp_path / "s.gmt"
    up = "\t".join(f"S{i}" for i in range(20))
    path.write_text(f"UP\tfirst twenty\t{up}\nFEW\ta few\tS1\tS2\n")
    sets = read_gmt(path, name="s.gmt").frame
    ids = [f"E{i:03d}" for i in range(200)]
    genes = pl.DataFrame({"gene_id": ids, "symbol": [f"S{i}" for i in range(199)] + ["S0"]})
    stat = [float(100 - i) for i in range(198)] + [None, 0.5]
    results = pl.DataFrame({"contrast": "c", "gene_id": ids, "stat": stat})
    found = enrichment_table(results.sample(fraction=1, shuffle=True, seed=2), genes, sets)
    few, up_row = found.sort("gene_set").rows(named=True)
    assert few["note"] == "not tested: 2 ranked members, outside 15 to 197"
    assert few["pvalue"] is None
    assert (up_row["n_ranked"], up_row["n_genes"], up_row["matched_by"]) == (20, 198, "symbol")
    assert up_row["es"] == pytest.approx(1)
    assert up_row["leading_edge"][:2] == ["S0", "S1"]
    assert up_row["padj"] == up_row["pvalue"] == up_row["p_floor"]
