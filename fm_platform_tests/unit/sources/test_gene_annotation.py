"""Gene annotation: GTFs and tables become one row a gene."""

from __future__ import annotations

import gzip

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.gene_annotation import read_genes

GTF = (
    "#!genome-version GRCh38\n"
    '1\tensembl\tgene\t11869\t14409\t.\t+\t.\tgene_id "ENSG1"; gene_name "DDX11L1"; gene_biotype "lncRNA";\n'
    '1\tensembl\ttranscript\t11869\t14409\t.\t+\t.\tgene_id "ENSG1"; transcript_id "ENST1";\n'
    '1\tensembl\tgene\t14404\t29570\t.\t-\t.\tgene_id "ENSG2.4"; gene_type "pseudogene";\n'
)


def test_gene_lines_of_a_gtf_are_read(tmp_path):
    path = tmp_path / "g.gtf.gz"
    path.write_bytes(gzip.compress(GTF.encode()))
    found = read_genes(path, name="g.gtf.gz")
    assert found.lines == (2, 4)
    assert found.frame.drop("_row_id").rows() == [
        ("ENSG1", "DDX11L1", "lncRNA", "", "1", "11869", "14409", "+"),
        ("ENSG2.4", "", "pseudogene", "", "1", "14404", "29570", "-"),
    ]
    assert found.frame["_row_id"].n_unique() == 2


def test_a_gtf_without_gene_lines_gives_genes_without_place(tmp_path):
    path = tmp_path / "g.gtf"
    path.write_text("\n".join(line for line in GTF.split("\n") if "\tgene\t" not in line))
    assert read_genes(path, name="g.gtf").frame.select("gene_id", "start").rows() == [("ENSG1", "")]


def test_a_table_is_read_by_usual_or_declared_names(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("Ensembl_Gene_ID,HGNC,chr\nENSG1,TSPAN6,X\n")
    assert read_genes(path, name="g.csv").frame.select("gene_id", "symbol", "chromosome").rows() == [
        ("ENSG1", "", "X")
    ]
    assert read_genes(path, name="g.csv", symbol="HGNC").frame["symbol"].to_list() == ["TSPAN6"]
    with pytest.raises(InputError, match="no column 'Symbol'"):
        read_genes(path, name="g.csv", symbol="Symbol")


def test_a_gene_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("gene_id,symbol\nG1,A\nG2,B\nG1,C\n")
    with pytest.raises(InputError, match="'G1' is on line 2") as caught:
        read_genes(path, name="g.csv")
    assert caught.value.line == 4
