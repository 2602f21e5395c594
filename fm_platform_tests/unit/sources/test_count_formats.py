"""One delivery of each format, as its tool writes it: what is read, what is set aside, what is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import CountMatrix
from fm_platform.sources.counts.reading import count_files, read_counts
from fm_platform.sources.counts.tximport import summarize


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def texts(matrix: CountMatrix, kind: str) -> list[str]:
    return [note.text for note in matrix.notes if note.kind == kind]


# -- tables --------------------------------------------------------------------------------------------------

FEATURECOUNTS = (
    '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "genes.gtf" "-o" "counts.txt"\n'
    "Geneid\tChr\tStart\tEnd\tStrand\tLength\t/data/S1/S1.sorted.bam\t/data/S2_Aligned.sortedByCoord.out.bam\n"
    "ENSG1\t1;1\t11869;12613\t12227;12721\t+;+\t468\t5\t7\n"
    "ENSG2\t1\t14404\t14501\t-\t98\t0\t3\n"
)


def test_featurecounts_is_told_by_its_header(tmp_path):
    found = read_counts(write(tmp_path / "counts.txt", FEATURECOUNTS), name="counts.txt")
    assert (found.format, found.count_ids) == ("featurecounts", ("S1", "S2"))
    assert found.counts.tolist() == [[5, 7], [0, 3]]
    assert found.lines == (3, 4)
    assert found.annotation["Length"].to_list() == ["468", "98"]


ATTRIBUTES = (
    "Geneid\tChr\tStart\tEnd\tStrand\tLength\t{}\nENSG1\t1\t1\t9\t+\t9\t{}\nENSG2\t1\t1\t9\t+\t9\t{}\n"
)


@pytest.mark.parametrize(
    ("names", "first", "second"),
    [
        (["gene_name", "b/S1.bam", "b/S2.bam"], ["ACTB", "5", "7"], ["TP53", "0", "3"]),
        (["gene_name", "gene_version", "S1.bam", "S2.bam"], ["ACTB", "3", "5", "7"], ["", "4", "0", "3"]),
        (
            ["gene_biotype", "tag", "hgnc", "S1", "S2"],
            ["a", "b", "H:1", "5", "7"],
            ["a", "NA", "H:2", "0", "3"],
        ),
        (["gene_version", "S1", "S2"], ["12", "5", "7"], ["1", "0", "3"]),
        (["S1.merged.sorted.bam", "S2.mLb.clN.sorted.bam"], ["5", "7"], ["0", "3"]),
    ],
)
@pytest.mark.parametrize("comment", ["", '# Program:featureCounts v2.0.6; Command:"featureCounts" "x"\t\t\n'])
def test_attributes_of_featurecounts_are_annotation(tmp_path, comment, names, first, second):
    text = comment + ATTRIBUTES.format(*("\t".join(cells) for cells in (names, first, second)))
    found = read_counts(write(tmp_path / "c.txt", text), name="c.txt")
    assert (found.format, found.count_ids) == ("featurecounts", ("S1", "S2"))
    assert found.counts.tolist() == [[5, 7], [0, 3]]
    for at, name in enumerate(names[:-2]):
        assert found.annotation[name].to_list() == [first[at], second[at]]


def test_featurecounts_without_its_annotation_names_samples_by_their_bams(tmp_path):
    path = write(tmp_path / "c.txt", "Geneid\t/x/S1.sorted.bam\t/x/S2.sorted.bam\nENSG1\t5\t7\n")
    found = read_counts(path, name="c.txt")
    assert (found.format, found.count_ids, found.counts.tolist()) == ("plain", ("S1", "S2"), [[5, 7]])


def test_a_bad_cell_does_not_make_a_sample_an_attribute(tmp_path):
    text = ATTRIBUTES.format("S1\tS2", "5\t7", "x\t3")
    with pytest.raises(InputError, match="'x' is no number") as caught:
        read_counts(write(tmp_path / "c.txt", text), name="c.txt")
    assert caught.value.column == "S1"


def test_a_column_of_texts_in_a_plain_matrix_is_annotation(tmp_path):
    found = read_counts(
        write(tmp_path / "c.tsv", "id\tclass\ta\nG1\tkinase\t1\nG2\tligase\t2\n"), name="c.tsv"
    )
    assert (found.count_ids, found.annotation["class"].to_list()) == (("a",), ["kinase", "ligase"])
    assert found.columns.filter(kind="annotation")["reason"].to_list() == ["holds text, not counts"]


def test_featurecounts_bams_of_one_name_are_named_by_folder(tmp_path):
    text = FEATURECOUNTS.replace("/data/S1/S1.sorted.bam", "S1/hits.bam").replace(
        "/data/S2_Aligned.sortedByCoord.out.bam", "S2/hits.bam"
    )
    assert read_counts(write(tmp_path / "c.txt", text), name="c").count_ids == ("S1", "S2")


TRANSPOSED = "donor,state,ENSG00000000001,ENSG00000000002,ENSG00000000003\nd1,x,1,2,3\nd1,y,4,5,6\n"


def test_samples_in_rows_are_told_by_gene_ids_in_the_header(tmp_path):
    found = read_counts(write(tmp_path / "c.csv", TRANSPOSED), name="c.csv")
    assert (found.format, found.count_ids) == ("transposed", ("d1-x", "d1-y"))
    assert found.gene_ids == ("ENSG00000000001", "ENSG00000000002", "ENSG00000000003")
    assert found.counts.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found.lines == (1, 1, 1)
    assert "named by 'donor' and 'state'" in texts(found, "choice")[0]
    assert len(set(found.row_ids)) == 3


def test_samples_in_rows_with_other_gene_names_are_declared(tmp_path):
    path = write(tmp_path / "c.csv", "run,donor,ACTB,TP53,__no_feature\nr1,d1,1,2,9\nr2,d2,3,4,9\n")
    found = read_counts(path, name="c.csv", format="transposed", sample_id=("donor",))
    assert (found.count_ids, found.gene_ids) == (("d1", "d2"), ("ACTB", "TP53"))
    assert texts(found, "set_aside") == ["a summary row of HTSeq, not a gene"]


def test_samples_in_rows_without_unique_names_are_refused(tmp_path):
    path = write(tmp_path / "c.csv", TRANSPOSED.replace("d1,y", "d1,x"))
    with pytest.raises(InputError, match="do not name samples uniquely: 'd1-x'"):
        read_counts(path, name="c.csv")


def test_a_bad_cell_of_a_transposed_matrix_is_named_by_line_and_column(tmp_path):
    with pytest.raises(InputError) as caught:
        read_counts(write(tmp_path / "c.csv", TRANSPOSED.replace("5", "5.5")), name="c.csv")
    assert (caught.value.line, caught.value.column) == (3, "ENSG00000000002")


def test_the_transposed_twin_of_tb_suscept_is_read(shared_data):
    path = shared_data / "tb_suscept" / "subread-counts-per-sample.txt"
    found = read_counts(path, name=path.name, sample_id=("individual", "treatment"))
    assert (found.format, found.counts.shape) == ("transposed", (19797, 50))
    assert found.count_ids[:2] == ("c01-infected", "c01-none")
    assert found.counts[found.gene_ids.index("ENSG00000188976")][:2].tolist() == [1036, 1269]


# -- folders of STAR and HTSeq -----------------------------------------------------------------------------

STAR = "N_unmapped\t9\t9\t9\nN_multimapping\t8\t8\t8\nN_noFeature\t1\t9\t1\nN_ambiguous\t2\t0\t1\n"


def star(folder: Path, **samples: tuple[str, ...]) -> Path:
    for sample, rows in samples.items():
        write(folder / f"{sample}_ReadsPerGene.out.tab", STAR + "".join(row + "\n" for row in rows))
    return folder


def test_star_takes_the_strand_with_most_reads_and_says_so(tmp_path):
    folder = star(tmp_path / "star", b=("G1\t9\t0\t8", "G2\t4\t1\t4"), a=("G1\t5\t1\t5", "G2\t7\t0\t6"))
    found = read_counts(folder, name="star")
    assert (found.format, found.count_ids, found.gene_ids) == ("star", ("a", "b"), ("G1", "G2"))
    assert found.counts.tolist() == [[5, 9], [7, 4]]
    assert texts(found, "choice") == [
        "STAR's unstranded column, which has most reads in every sample "
        "(unstranded 25, forward 2, reverse 23 in all)"
    ]
    assert len(texts(found, "set_aside")) == 8
    assert [(part.file.name, part.lines) for part in found.parts] == [
        ("star/a_ReadsPerGene.out.tab", (5, 6)),
        ("star/b_ReadsPerGene.out.tab", (5, 6)),
    ]
    assert found.parts[0].row_ids == found.parts[1].row_ids == found.row_ids


def test_star_takes_the_declared_strand(tmp_path):
    folder = star(tmp_path / "star", a=("G1\t5\t1\t4", "G2\t7\t0\t6"))
    assert read_counts(folder, name="star", strand="reverse").counts.tolist() == [[4], [6]]


def test_star_samples_that_disagree_on_the_strand_are_refused(tmp_path):
    folder = star(tmp_path / "star", a=("G1\t5\t1\t4",), b=("G1\t5\t1\t6",))
    with pytest.raises(InputError, match=r"a: 5, 1, 4; b: 5, 1, 6") as caught:
        read_counts(folder, name="star")
    assert "strand: unstranded" in str(caught.value.mend)


def test_files_with_other_genes_are_refused(tmp_path):
    folder = star(tmp_path / "star", a=("G1\t5\t1\t4", "G2\t1\t1\t1"), b=("G1\t5\t1\t6", "G3\t1\t1\t1"))
    with pytest.raises(InputError, match="genes differ from those of star/a_") as caught:
        read_counts(folder, name="star")
    assert caught.value.line == 6


def test_htseq_folders_set_their_footer_aside(tmp_path):
    footer = "__no_feature\t90\n__ambiguous\t3\n__not_aligned\t0\n"
    write(tmp_path / "h" / "s1.counts.txt.gz", "G1\t1\nG2\t2\n" + footer)
    write(tmp_path / "h" / "s2_htseq.txt", "G1\t3\nG2\t4\n" + footer)
    write(tmp_path / "h" / "README.txt", "made by someone\n")
    found = read_counts(tmp_path / "h", name="h")
    assert (found.format, found.count_ids) == ("htseq", ("s1", "s2"))
    assert found.counts.tolist() == [[1, 3], [2, 4]]
    aside = [(note.item, note.line) for note in found.notes if note.kind == "set_aside"]
    assert ("__no_feature (s1: 90)", 3) in aside


OLD_FOOTER = ("no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique")


@pytest.mark.parametrize("mark", ["", "__", "X__"])
def test_htseq_footers_with_and_without_marks_are_set_aside_in_every_format(tmp_path, mark):
    footer = "".join(f"{mark}{name}\t{at}\n" for at, name in enumerate(OLD_FOOTER))
    write(tmp_path / "h" / "s1.txt", "G1\t1\nG2\t2\n" + footer)
    assert read_counts(tmp_path / "h", name="h").gene_ids == ("G1", "G2")
    merged = read_counts(write(tmp_path / "c.tsv", "gene\ts1\nG1\t1\nG2\t2\n" + footer), name="c.tsv")
    assert merged.gene_ids == ("G1", "G2")
    assert {note.item for note in merged.notes} == {mark + name for name in OLD_FOOTER}
    wide = "".join(f",{mark}{name}" for name in OLD_FOOTER)
    turned = write(tmp_path / "t.csv", f"sample,ACTB,TP53{wide}\ns1,1,2,9,9,9,9,9\n")
    assert read_counts(turned, name="t.csv", format="transposed").gene_ids == ("ACTB", "TP53")


def test_summary_rows_of_two_versions_of_htseq_are_set_aside_in_one_folder(tmp_path):
    write(tmp_path / "h" / "s1.txt", "G1\t1\nG2\t2\nno_feature\t7\nambiguous\t8\n")
    write(tmp_path / "h" / "s2.txt", "__no_feature\t9\nG1\t3\nG2\t4\n")
    found = read_counts(tmp_path / "h", name="h")
    assert (found.gene_ids, found.counts.tolist()) == (("G1", "G2"), [[1, 3], [2, 4]])
    assert [part.lines for part in found.parts] == [(1, 2), (2, 3)]
    assert [(note.item, note.line) for note in found.notes] == [
        ("no_feature (s1: 7)", 3),
        ("ambiguous (s1: 8)", 4),
        ("__no_feature (s2: 9)", 1),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", " ", "   "])
@pytest.mark.parametrize("quote", ["", '"'])
def test_two_columns_may_be_separated_otherwise(tmp_path, delimiter, quote):
    for sample, count in (("s1", 1), ("s2", 3)):
        rows = [("G1", count), ("G2", 2), ("no_feature", 9)]
        text = "".join(f"{quote}{gene}{quote}{delimiter}{number}\n" for gene, number in rows)
        write(tmp_path / "h" / f"{sample}.csv", text)
    found = read_counts(tmp_path / "h", name="h", format="htseq")
    assert (found.gene_ids, found.counts.tolist()) == (("G1", "G2"), [[1, 3], [2, 2]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quotes_around_ids_are_no_part_of_them(tmp_path, end):
    lines = ['"G1"\t1', '"G2"\t2', '"no_feature"\t9', ""]
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "s1.txt").write_bytes(end.join(lines).encode())
    assert read_counts(tmp_path / "h", name="h").gene_ids == ("G1", "G2")


def test_attributes_of_htseq_are_annotation(tmp_path):
    for sample, count in (("s1", 1), ("s2", 3)):
        write(tmp_path / "h" / f"{sample}.txt", f"G1\tACTB\t{count}\nG2\t\t2\n__no_feature\t\t9\n")
    found = read_counts(tmp_path / "h", name="h")
    assert (found.gene_ids, found.counts.tolist()) == (("G1", "G2"), [[1, 3], [2, 2]])
    assert found.annotation["attribute_1"].to_list() == ["ACTB", ""]
    assert ("__no_feature (s2: 9)", 3) in [(note.item, note.line) for note in found.notes]


def test_columns_of_numbers_between_gene_and_count_are_no_attributes(tmp_path):
    write(tmp_path / "h" / "s1.txt", "G1\t7\t1\nG2\t8\t2\n")
    with pytest.raises(InputError, match="HTSeq's files have two"):
        read_counts(tmp_path / "h", name="h")


@pytest.mark.parametrize("column", ["expected_count", "est_counts", "NumReads"])
def test_the_file_of_one_sample_asks_for_the_folder(tmp_path, column):
    path = write(tmp_path / "one.tsv", f"id\tlength\t{column}\nT1\t9\t3.5\n")
    with pytest.raises(InputError, match="file of one sample") as caught:
        read_counts(path, name="one.tsv")
    assert "folder" in str(caught.value.mend)


def test_two_column_files_of_any_name_are_read_when_declared(tmp_path):
    for sample in ("s1", "s2"):
        write(tmp_path / "q" / f"{sample}.gbgout", "G1\t1\nno_feature\t9\n")
    with pytest.raises(InputError, match=r"known by name \(s1\.gbgout, s2\.gbgout\)") as caught:
        read_counts(tmp_path / "q", name="q")
    assert "--format htseq" in str(caught.value.mend)
    found = read_counts(tmp_path / "q", name="q", format="htseq")
    assert (found.count_ids, found.counts.tolist()) == (("s1", "s2"), [[1, 1]])


def test_a_folder_that_is_not_understood_is_watched_whole(tmp_path):
    path = write(tmp_path / "q" / "s1.gbgout", "G1\t1\n")
    assert count_files(tmp_path / "q") == [path]


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "q").mkdir()
    with pytest.raises(InputError, match="it is empty"):
        read_counts(tmp_path / "q", name="q")


def test_a_bad_cell_of_a_folder_names_file_and_line(tmp_path):
    write(tmp_path / "h" / "s1.txt", "G1\t1\nG2\t2\n")
    write(tmp_path / "h" / "s2.txt", "G1\t3\n\nG2\tx\n")
    with pytest.raises(InputError) as caught:
        read_counts(tmp_path / "h", name="h", format="htseq")
    assert (str(caught.value.file), caught.value.line) == ("h/s2.txt", 3)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    folder = star(tmp_path / "star", a=("G1\t5\t1\t4", "G2\t1\t1"))
    with pytest.raises(InputError, match="3 fields where the first line has 4") as caught:
        read_counts(folder, name="star")
    assert caught.value.line == 6


def test_a_folder_of_two_tools_is_not_guessed(tmp_path):
    star(tmp_path / "f", a=("G1\t5\t1\t4",))
    write(tmp_path / "f" / "a" / "quant.sf", "Name\n")
    with pytest.raises(InputError, match="files of several tools: star, salmon"):
        read_counts(tmp_path / "f", name="f")


# -- transcripts -------------------------------------------------------------------------------------------


def kallisto(folder: Path) -> Path:
    header = "target_id\tlength\teff_length\test_counts\ttpm\n"
    write(
        folder / "s1" / "abundance.tsv",
        header + "T1.1\t900\t800\t10.6\t30\nT2.1\t500\t400\t4\t10\nT3\t90\t50\t1\t1\n",
    )
    write(
        folder / "s2" / "abundance.tsv.gz",
        header + "T1.1\t900\t700\t0\t0\nT2.1\t500\t300\t0\t0\nT3\t90\t40\t2\t1\n",
    )
    return folder


def test_kallisto_transcripts_become_gene_counts_with_lengths(tmp_path):
    tx2gene = write(tmp_path / "tx2gene.tsv", "tx_id\tgene_id\nT1.1\tGB\nT2.1\tGB\n")
    found = read_counts(kallisto(tmp_path / "k"), name="k", tx2gene=tx2gene)
    assert (found.format, found.count_ids, found.gene_ids) == ("kallisto", ("s1", "s2"), ("GB",))
    assert found.counts.tolist() == [[15, 0]]
    weighted = (30 * 800 + 10 * 400) / 40
    assert found.lengths is not None
    np.testing.assert_allclose(found.lengths, [[weighted, weighted]], rtol=1e-14)
    assert (
        "1 transcripts are not in tx2gene and were left out, with up to 100.00 %"
        in texts(found, "unmapped")[0]
    )
    assert [part.lines for part in found.parts] == [(2, 3), (2, 3)]
    assert set(found.parts[0].row_ids) == set(found.row_ids)


def test_kallisto_without_tx2gene_asks_for_it(tmp_path):
    with pytest.raises(InputError, match="kallisto counts transcripts") as caught:
        read_counts(kallisto(tmp_path / "k"), name="k")
    assert "tx2gene" in str(caught.value.mend)


def test_salmon_folders_are_read(tmp_path):
    text = "Name\tLength\tEffectiveLength\tTPM\tNumReads\nT1|G1|x\t900\t700.5\t5\t3.4\n"
    write(tmp_path / "s" / "one" / "quant.sf", text)
    tx2gene = write(tmp_path / "t.csv", "T1,G1\n")
    found = read_counts(tmp_path / "s", name="s", tx2gene=tx2gene)
    assert (found.format, found.counts.tolist()) == ("salmon", [[3]])
    assert found.lengths is not None
    assert found.lengths.tolist() == [[700.5]]
    assert "what follows the first | of transcript ids was ignored" in texts(found, "choice")


def test_a_tx2gene_of_another_transcriptome_shows_both_sides(tmp_path):
    tx2gene = write(tmp_path / "t.tsv", "tx\tgene\nENST1\tENSG1\n")
    with pytest.raises(InputError, match=r"have e\.g\. 'T1\.1', the table e\.g\. 'ENST1'"):
        read_counts(kallisto(tmp_path / "k"), name="k", tx2gene=tx2gene)


def test_lengths_of_unexpressed_genes_come_from_other_samples_or_the_plain_mean():
    gene_of = np.array([0, 0, 1])
    lengths = np.array([[100.0, 100, 100], [300, 300, 300], [50, 60, 70]])
    abundance = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    found = summarize(gene_of, 2, abundance, abundance, lengths).lengths
    np.testing.assert_allclose(found, [[100, 300, np.sqrt(100 * 300)], [60, 60, 60]], rtol=1e-14)


@pytest.fixture(scope="module")
def airway_kallisto(shared_data):
    folder = shared_data / "airway_kallisto"
    tx2gene = folder / "Homo_sapiens.GRCh38.tx2gene.tsv.gz"
    return read_counts(folder / "kallisto", name="kallisto", tx2gene=tx2gene)


def test_airway_kallisto_agrees_with_the_scaled_counts_of_tximport(shared_data, airway_kallisto):
    """The scaled file is tximport's lengthScaledTPM of the same run, made again from counts and lengths."""
    scaled = read_counts(shared_data / "airway" / "airway_scaledcounts.csv", name="scaled")
    assert airway_kallisto.gene_ids == scaled.gene_ids
    assert airway_kallisto.lengths is not None
    assert (airway_kallisto.lengths > 0).all()
    # Counts over own length are proportional to abundance, so this differs by the rounding of counts only.
    counts, lengths = airway_kallisto.counts, airway_kallisto.lengths
    made = counts / lengths * lengths.mean(axis=1, keepdims=True)
    made *= counts.sum(axis=0) / made.sum(axis=0)
    well_counted = scaled.counts.min(axis=1) >= 200
    assert well_counted.sum() > 5000
    ratio = made[well_counted] / scaled.counts[well_counted]
    assert np.quantile(np.abs(ratio - 1), 0.99) < 0.01
    assert any("read as counts" in text for text in texts(scaled, "unit"))


def test_airway_kallisto_rows_lead_to_every_transcript_line(airway_kallisto):
    assert len(airway_kallisto.parts) == 8
    assert all(len(part.lines) == 176_241 for part in airway_kallisto.parts)
    assert len(set(airway_kallisto.row_ids)) == len(airway_kallisto.gene_ids) == 38_694


# -- nf-core's merged tables -------------------------------------------------------------------------------

MERGED = "gene_id\tgene_name\tA\tB\nG1\tX\t10.4\t3.6\nG2\tY\t0\t7\n"
MERGED_LENGTHS = "gene_id\tgene_name\tB\tA\nG2\tY\t50\t60\nG1\tX\t700\t800\n"


def test_nf_core_gene_counts_need_their_lengths(tmp_path):
    path = write(tmp_path / "salmon.merged.gene_counts.tsv", MERGED)
    with pytest.raises(InputError, match="no lengths are given") as caught:
        read_counts(path, name=path.name)
    assert "gene_counts_length_scaled" in str(caught.value.mend)
    lengths = write(tmp_path / "salmon.merged.gene_lengths.tsv", MERGED_LENGTHS)
    found = read_counts(path, name=path.name, lengths=lengths)
    assert (found.format, found.counts.tolist()) == ("nf-core", [[10, 4], [0, 7]])
    assert found.lengths is not None
    assert found.lengths.tolist() == [[800, 700], [60, 50]]
    assert found.annotation["gene_name"].to_list() == ["X", "Y"]
    folder = read_counts(tmp_path, name="star_salmon")
    assert folder.lengths is not None
    assert (folder.lengths == found.lengths).all()


def test_nf_core_length_scaled_counts_are_rounded_and_say_so(tmp_path):
    path = write(tmp_path / "salmon.merged.gene_counts_length_scaled.tsv", MERGED)
    found = read_counts(path, name=path.name)
    assert (found.counts.tolist(), found.lengths) == ([[10, 4], [0, 7]], None)
    assert texts(found, "rounded") == ["estimated counts are rounded to whole numbers"]
    assert "no offsets are used" in texts(found, "choice")[0]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("salmon.merged.gene_counts_scaled.tsv", "gene_counts_scaled follows TPM"),
        ("salmon.merged.gene_tpm.tsv", "TPM values, not counts"),
        ("salmon.merged.gene_lengths.tsv", "transcript lengths, not counts"),
        ("salmon.merged.transcript_counts.tsv", "of transcripts, not genes"),
    ],
)
def test_other_merged_tables_are_refused_by_name(tmp_path, name, seen):
    with pytest.raises(InputError, match=seen):
        read_counts(write(tmp_path / name, MERGED), name=name)


# -- h5ad --------------------------------------------------------------------------------------------------


def test_h5ad_takes_the_layer_of_counts(tmp_path):
    import anndata
    import pandas as pd
    from scipy import sparse

    data = anndata.AnnData(
        X=np.array([[0.1, 1.5, 0.2], [0.3, 0.7, 0.9]]),
        obs=pd.DataFrame(index=["s1", "s2"]),
        var=pd.DataFrame({"symbol": ["A", "B", "C"]}, index=["G1", "G2", "G3"]),
        layers={"counts": sparse.csr_matrix(np.array([[1, 2, 0], [4, 5, 6]], dtype=np.float32))},
    )
    path = tmp_path / "d.h5ad"
    data.write_h5ad(path)
    found = read_counts(path, name="d.h5ad")
    assert (found.format, found.count_ids, found.gene_ids) == ("h5ad", ("s1", "s2"), ("G1", "G2", "G3"))
    assert found.counts.tolist() == [[1, 4], [2, 5], [0, 6]]
    assert found.lines == (1, 2, 3)
    assert read_counts(path, name="d.h5ad", gene_id="symbol").gene_ids == ("A", "B", "C")
    with pytest.raises(InputError, match="most values are fractions"):
        read_counts(path, name="d.h5ad", layer="X")
    with pytest.raises(InputError, match="no layer 'raw'"):
        read_counts(path, name="d.h5ad", layer="raw")


# -- files of a delivery -----------------------------------------------------------------------------------


def test_every_file_of_a_delivery_is_listed(tmp_path):
    folder = kallisto(tmp_path / "k")
    tx2gene = tmp_path / "t.tsv"
    found = count_files(folder, tx2gene=tx2gene)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "k/s1/abundance.tsv",
        "k/s2/abundance.tsv.gz",
        "t.tsv",
    ]
    assert count_files(tmp_path / "missing.csv") == [tmp_path / "missing.csv"]


# -- a tool's file under another format ---------------------------------------------------------------------------

FC = "Geneid\tChr\tStart\tEnd\tStrand\tLength\ta.bam\nG1\tc\t1\t2\t+\t2\t5\n"
STAR_FILE = "N_unmapped\t9\t9\t9\nN_multimapping\t1\t1\t1\nG1\t5\t4\t1\nG2\t7\t6\t1\n"


@pytest.mark.parametrize(
    ("text", "said", "mend"),
    [
        (FC, "featureCounts' table", "name the table itself"),
        (STAR_FILE, "STAR's file of one sample", "--format star"),
        (
            "target_id\tlength\teff_length\test_counts\ttpm\nT1\t9\t8\t5\t1\n",
            "kallisto's",
            "--format kallisto",
        ),
        ("Gene ID\tGene Name\tCoverage\tFPKM\tTPM\nG1\t-\t1.0\t1\t1\n", "StringTie's", "prepDE.py"),
        ("gene_id\ta\tb\tc\nG1\t1\t2\t3\n", "4 columns", "name the file"),
    ],
)
def test_a_folder_of_another_tool_s_files_says_whose_they_are(tmp_path, text, said, mend):
    write(tmp_path / "q" / "a.txt", text)
    with pytest.raises(InputError, match=r"q/a\.txt:1") as caught:
        read_counts(tmp_path / "q", name="q")
    assert said in caught.value.message
    assert mend in str(caught.value.mend)


@pytest.mark.parametrize(
    ("text", "said"), [(STAR_FILE, "STAR's file"), ("Status\ta.bam\nAssigned\t5\n", "featureCounts' summary")]
)
def test_a_file_that_holds_no_matrix_says_what_it_is(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_counts(write(tmp_path / "c.tsv", text), name="c.tsv")


def test_a_plain_table_declared_as_featurecounts_loses_no_samples(tmp_path):
    path = write(tmp_path / "c.tsv", "gene_id\t" + "\t".join("abcdefgh") + "\nG1" + "\t1" * 8 + "\n")
    with pytest.raises(InputError, match="declared as featurecounts"):
        read_counts(path, name="c.tsv", format="featurecounts")


def test_star_files_of_any_name_are_read_when_declared(tmp_path):
    write(tmp_path / "q" / "a.tab", STAR_FILE)
    write(tmp_path / "q" / "b.tab", STAR_FILE)
    found = read_counts(tmp_path / "q", name="q", format="star", strand="forward")
    assert (found.count_ids, found.counts.tolist()) == (("a", "b"), [[4, 4], [6, 6]])


def test_names_with_the_sample_before_the_tool_s_name_are_known(tmp_path):
    tx2gene = write(tmp_path / "t.tsv", "tx\tgene\nT1\tG1\n")
    for sample in ("a", "b"):
        salmon = "Name\tLength\tEffectiveLength\tTPM\tNumReads\nT1\t9\t8\t1\t5\n"
        write(tmp_path / "s" / f"GSM_{sample}.quant.sf", salmon)
        kallisto = "target_id\tlength\teff_length\test_counts\ttpm\nT1\t9\t8\t5\t1\n"
        write(tmp_path / "k" / f"GSM_{sample}_abundance.tsv", kallisto)
    for folder in ("s", "k"):
        assert read_counts(tmp_path / folder, name=folder, tx2gene=tx2gene).count_ids == ("GSM_a", "GSM_b")


def test_headers_of_two_column_files_are_passed_over(tmp_path):
    for sample in ("a", "b"):
        write(tmp_path / "q" / f"{sample}.txt", f"gene\t{sample}\nG1\t5\nTOO_LOW_AQUAL\t8\n_no_feature\t9\n")
    found = read_counts(tmp_path / "q", name="q")
    assert (found.gene_ids, found.counts.tolist(), found.lines) == (("G1",), [[5, 5]], (2,))


def test_symbols_in_columns_leave_the_numbers_that_describe_samples_out(tmp_path):
    path = write(tmp_path / "c.csv", ",sample,batch,group,age,TP53,MYC\n0,a,1,x,40,5,6\n1,b,2,y,50,7,8\n")
    found = read_counts(path, name="c.csv", format="transposed")
    assert (found.gene_ids, found.count_ids) == (("TP53", "MYC"), ("a", "b"))
    assert found.counts.tolist() == [[5, 7], [6, 8]]
