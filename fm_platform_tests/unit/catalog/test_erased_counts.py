"""A subject's counts in every layout that counts are delivered in: an erasure leaves none, and others' as they were."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fm_platform.catalog.disclosure.erasure import erase
from fm_platform.catalog.disclosure.erasure_remains import what_remains
from fm_platform.catalog.disclosure.stored_files import Delivered, redacted_files
from fm_platform.catalog.graph import build_catalog
from fm_platform.errors import InputError
from fm_platform.lineage.verify import verify
from fm_platform.sources.store import keep_content
from fm_platform.study.loading import load_study
from fm_platform.warehouse.home import Home
from fm_platform_tests.e2e.soak import SOAK
from fm_platform_tests.layers import layers_of
from fm_platform_tests.unit.catalog.tiny_study import bring_up_to_date
from fm_platform_tests.unit.catalog.twelve_people import write_twelve_people
from fm_platform_tests.unit.sources.conftest import write_xlsx

__all__ = ["write_xlsx"]

SUBJECT, SAMPLE = "PTQ7", "SMPQ7"
COUNTS = {
    "SMPA1": (715501, 20, 31),
    SAMPLE: (918273, 645546, 30),
    "SMPB2": (11, 22, 33),
    "SMPC3": (12, 23, 35),
}
THEIRS, OTHERS = (b"918273", b"645546"), b"715501"
GENES = ("ENSG00000000001", "ENSG00000000002", "ENSG00000000003")
STUDY = """\
study: {{id: erased, title: Erased counts}}
keep_snapshots: {keep}
withdrawals: withdrawals.csv
expression:
  counts: {counts}
  samples: {{path: samples.csv, id: sample, subject: subject}}
"""
Counts = Mapping[str, tuple[int, ...]]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def lines(*rows: tuple[object, ...], by: str = "\t") -> str:
    return "".join(by.join(map(str, row)) + "\n" for row in rows)


def star(folder: Path, counts: Counts) -> str:
    for name, values in counts.items():
        rows = [(gene, value, 0, value) for gene, value in zip(GENES, values, strict=True)]
        put(folder / f"star/{name}_ReadsPerGene.out.tab", lines(("N_unmapped", values[1], 7, 7), *rows))
    return "{path: star, strand: reverse}"


def htseq(folder: Path, counts: Counts) -> str:
    for name, values in counts.items():
        put(folder / f"htseq/{name}.counts.txt.gz", lines(*zip(GENES, values, strict=True)))
    return "{path: htseq}"


def transcripts(name: str, head: tuple[str, ...], order: tuple[int, ...]) -> Callable[[Path, Counts], str]:
    def write(folder: Path, counts: Counts) -> str:
        for sample, values in counts.items():
            rows = [(f"T{n}", 900 + n, 700 + n, 5, value) for n, value in enumerate(values)]
            put(folder / f"q/{sample}/{name}", lines(head, *([row[at] for at in order] for row in rows)))
        put(folder / "tx2gene.tsv", lines(*((f"T{n}", gene) for n, gene in enumerate(GENES))))
        return "{path: q, tx2gene: tx2gene.tsv}"

    return write


def rsem(folder: Path, counts: Counts) -> str:
    head = ("gene_id", "transcript_id(s)", "length", "effective_length", "expected_count", "TPM", "FPKM")
    for name, values in counts.items():
        rows = [(gene, "T", 900, 700, value, 5, 5) for gene, value in zip(GENES, values, strict=True)]
        put(folder / f"rsem/{name}.genes.results", lines(head, *rows))
    return "{path: rsem}"


def featurecounts(folder: Path, counts: Counts) -> str:
    for name, values in counts.items():
        head = ("Geneid", "Chr", "Start", "End", "Strand", "Length", f"/data/{name}.sorted.bam")
        rows = [(gene, "1", 1, 9, "+", 9, value) for gene, value in zip(GENES, values, strict=True)]
        comment = f'# Program:featureCounts v2.0.6; Command:"featureCounts" "/data/{name}.sorted.bam"\n'
        put(folder / f"fc/{name}.txt", comment + lines(head, *rows))
    return f"{{path: [{', '.join(f'fc/{name}.txt' for name in counts)}]}}"


def provider(folder: Path, counts: Counts) -> str:
    head = ("gene_id", *(f"Counts_{name}(grp)" for name in counts), *(f"TPM_{name}" for name in counts))
    rows = [(gene, *values, *values) for gene, *values in zip(GENES, *counts.values(), strict=True)]
    put(folder / "counts.tsv.gz", lines(head, *rows))
    return "{path: counts.tsv.gz}"


def transposed(folder: Path, counts: Counts) -> str:
    rows = [(name.partition("-")[0], "x", *values) for name, values in counts.items()]
    put(folder / "counts.csv", lines(("sample", "note", *GENES), *rows, by=","))
    return "{path: counts.csv}"


def mtx(folder: Path, counts: Counts) -> str:
    cells = [
        (gene, sample, value)
        for sample, values in enumerate(counts.values(), 1)
        for gene, value in enumerate(values, 1)
    ]
    size = f"{len(GENES)} {len(counts)} {len(cells)}\n"
    head = "%%MatrixMarket matrix coordinate integer general\n"
    put(folder / "mtx/matrix.mtx.gz", head + size + lines(*cells, by=" "))
    put(folder / "mtx/features.tsv", lines(*((gene, gene) for gene in GENES)))
    put(folder / "mtx/barcodes.tsv", lines(*((name,) for name in counts)))
    return "{path: mtx}"


KALLISTO = transcripts(
    "abundance.tsv", ("target_id", "length", "eff_length", "est_counts", "tpm"), (0, 1, 2, 4, 3)
)
SALMON = transcripts("quant.sf", ("Name", "Length", "EffectiveLength", "TPM", "NumReads"), (0, 1, 2, 3, 4))
LAYOUTS = {
    "star": star,
    "htseq": htseq,
    "kallisto": KALLISTO,
    "salmon": SALMON,
    "rsem": rsem,
    "featurecounts": featurecounts,
    "provider": provider,
    "transposed": transposed,
    "mtx": mtx,
}
TRIED = LAYOUTS if SOAK else ("star", "kallisto", "featurecounts", "provider", "mtx")


def deliver(folder: Path, layout: Callable[[Path, Counts], str], counts: Counts, *, keep: int = 20) -> None:
    """The study as delivered: what is in the folder is exactly these samples."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    put(folder / "study.yaml", STUDY.format(counts=layout(folder, counts), keep=keep))
    rows = [(name, name.replace("SMP", "PT"), "ab"[n % 2]) for n, name in enumerate(counts)]
    put(folder / "samples.csv", lines(("sample", "subject", "group"), *rows, by=","))
    put(folder / "withdrawals.csv", f"subject,date,scope\n{SUBJECT},2024-01-01,erase\n")


@pytest.mark.soak
@pytest.mark.parametrize(("layout", "keep"), [*((layout, 20) for layout in TRIED), ("rsem", 1)])
def test_no_layer_of_the_home_holds_the_sample(tmp_path: Path, layout: str, keep: int):
    """With one snapshot kept, the stored sample sheet alone says whose the counts are."""
    study, home = tmp_path / "study", Home(tmp_path / "home")
    deliver(study, LAYOUTS[layout], COUNTS, keep=keep)
    bring_up_to_date(build_catalog(study), home, "first")
    assert any(THEIRS[0] in layer for _, layer in layers_of(home.path))
    rest = {name: values for name, values in COUNTS.items() if name != SAMPLE}
    deliver(study, LAYOUTS[layout], rest, keep=keep)
    catalog = build_catalog(study)
    bring_up_to_date(catalog, home, "second")

    record = erase(catalog, home, SUBJECT, "consent withdrawn")
    layers = list(layers_of(home.path))
    listed = {place for place, layer in layers if layer == (study / "withdrawals.csv").read_bytes()}
    assert [place for place, layer in layers if any(count in layer for count in THEIRS)] == []
    named = [
        place
        for place, layer in layers
        if SAMPLE.encode() in layer or (SUBJECT.encode() in layer and not place.endswith(" raw.withdrawals"))
    ]
    assert [place for place in named if place not in listed and not of_ledger(place)] == []
    remains = " ".join(entry.what for entry in what_remains(catalog, home, record))
    assert ("paths of count files in the ledger" in remains) == any(map(of_ledger, named))

    assert any(OTHERS in layer for place, layer in layers if place.startswith("sources/"))
    assert verify(home).problems == []
    assert bring_up_to_date(build_catalog(study), home, "third") == []


def test_counts_that_the_last_delivery_still_holds_are_named(tmp_path: Path):
    study, home = tmp_path / "study", Home(tmp_path / "home")
    deliver(study, provider, COUNTS)
    bring_up_to_date(build_catalog(study), home, "first")
    with pytest.raises(InputError, match="the last delivery still holds"):
        erase(build_catalog(study), home, SUBJECT, "consent withdrawn")


@pytest.mark.parametrize("workbook", [False, True])
def test_packed_tables_and_every_sheet_of_a_workbook_are_looked_through(
    tmp_path: Path, write_xlsx: Callable[..., Path], workbook: bool
):
    study, home = load_study(write_twelve_people(tmp_path / "study")), Home(tmp_path / "home")
    home.ensure()
    content = gzip.compress(b"id,sex,age\nT00,f,42\nT01,f,43\n", mtime=0)
    if workbook:
        sheets = {"notes": [["read", "me"], ["a", "b"]], "people": [["id", "sex"], ["T00", "f"]]}
        content = write_xlsx(tmp_path / "people.xlsx", sheets).read_bytes()
    kept = keep_content(home.sources, content)
    file = Delivered(
        kept.sha256, kept.sha256, home.sources / kept.name, ["participants.csv.gz"], {"participants"}
    )
    (entry,) = redacted_files([file], study, home, "T00", [], [])
    if workbook:
        assert entry["now"] is None
    else:
        stored = gzip.decompress((home.sources / f"{entry['now']}.gz").read_bytes())
        assert gzip.decompress(stored) == b"id,sex,age\n\nT01,f,43\n"
    assert redacted_files([file], study, home, "T99", [], []) == []


@pytest.mark.parametrize(
    ("path", "named"),
    [(f"star/{SAMPLE}_ReadsPerGene.out.tab", False), ("star/lane7_ReadsPerGene.out.tab", True)],
)
def test_the_record_of_an_erasure_does_not_name_a_file_that_names_the_sample(
    tmp_path: Path, path: str, named: bool
):
    deliver(tmp_path / "study", star, COUNTS)
    home = Home(tmp_path / "home")
    home.ensure()
    content = b"\t".join((b"gene", SAMPLE.encode())) + b"\ng1\t918273\n"
    kept = keep_content(home.sources, content)
    file = Delivered(kept.sha256, kept.sha256, home.sources / kept.name, [path], {"counts"})
    (entry,) = redacted_files([file], load_study(tmp_path / "study"), home, SUBJECT, [SAMPLE], [])
    assert (entry["path"] == path) == named
    assert SAMPLE not in entry["path"]


def of_ledger(place: str) -> bool:
    """Whether a layer is the ledger, or the state that is read from it."""
    return place.endswith(" audit.ledger") or place == "state.json"
