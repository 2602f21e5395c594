"""The folder's files: published.csv, the inputs as CSV, the scripts, and a README that says what is left out.

Belongs here: from rows and frames to bytes. Does not belong here: where the frames are from, writing files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import polars as pl

from fm_platform.reporting.recomputation.numbers import COLUMNS, NOT_RECOMPUTED, TABLES

_SCRIPTS = "fm_platform.reporting.recomputation"


@dataclass(frozen=True)
class About:
    """What the README says of the folder.

    Attributes:
        study: The study's title.
        publication: The number of its publication.
        synthetic: Whether its data are made up.
        pseudonyms: Whether subjects appear under pseudonyms.
        tables: All tables of the publication.
        only: What the folder recomputes, where that is one number; else empty.
    """

    study: str
    publication: int
    synthetic: bool
    pseudonyms: bool
    tables: tuple[str, ...]
    only: str = ""


def folder_contents(
    about: About, numbers: Sequence[Mapping[str, str]], inputs: Mapping[str, pl.DataFrame]
) -> dict[str, bytes]:
    """Path below the folder to content.

    Args:
        about: For the README.
        numbers: Rows of published.csv.
        inputs: Frames of ``inputs/`` by name.
    """
    contents = {
        "README.md": _readme(about, numbers, inputs).encode(),
        "published.csv": _published(numbers),
        **{f"inputs/{name}.csv": frame.write_csv().encode() for name, frame in inputs.items()},
    }
    root = files(_SCRIPTS) / "scripts"
    return contents | dict(_scripts(root, ""))


def _scripts(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            found += _scripts(entry, f"{path}{entry.name}/")
        elif entry.name.endswith((".py", ".R")):
            found.append((path + entry.name, entry.read_bytes()))
    return found


def _published(numbers: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(numbers)
    return text.getvalue().encode()


_RUN = """\
## How to run it

    Rscript recompute.R      # R 4 with nothing else; DESeq2 (Bioconductor) for expression
    python recompute.py      # Python 3.11 or later with numpy and scipy; pydeseq2, pandas and formulaic for expression

Neither reads anything outside this folder, nor needs the program that made it. Each prints how many numbers of each
table are equal, names those that differ, writes result.csv (published.csv with what was recomputed beside it), and
exits with 1 where a number differs. `--all` prints every number, `--without-de` leaves differential expression out,
`--without-refits` the fits without one sample.

Equal means: the recomputed number is written as the published one, at the precision of the page (`precision` in
published.csv), and the published text is that of the published exact value. Numbers that are kept in a table but not
printed (`full`) are compared to 7 digits. `near` is said by recompute.py alone, of differential expression: PyDESeq2 is
another engine than DESeq2, whose rules the published numbers follow: it can confirm and not reproduce them.

## What is here

- `published.csv`: every number: id, table, key of its row, column, as printed, exact, precision, method.
- `recompute.R`, `recompute.py` and the steps of both in `recomputing/`.
- `inputs/`: the values that passed the gate with file and line of the delivery, and the parameters of study.yaml:
"""


def _readme(about: About, numbers: Sequence[Mapping[str, str]], inputs: Mapping[str, pl.DataFrame]) -> str:
    what = f"the number {about.only}" if about.only else f"the {len(numbers):,} numbers of the report"
    lines = [
        f"# {about.study}: {what}, recomputed",
        "",
        *(["SYNTHETIC DATA: every value in this folder is made up.", ""] if about.synthetic else []),
        f"Publication {about.publication}. This folder holds rows of single "
        f"{'subjects under pseudonyms' if about.pseudonyms else 'subjects or samples under their own ids'}: treat it "
        "as study data. The scripts share no code with the program that published the numbers.",
        "",
        _RUN
        + "\n".join(f"  - `{name}.csv`, {frame.height:,} rows" for name, frame in sorted(inputs.items())),
        "",
        "## What is not recomputed, and why",
        "",
        *_left_out(about, {row["table"] for row in numbers}),
    ]
    return "\n".join(lines) + "\n"


def _left_out(about: About, used: set[str]) -> list[str]:
    """Every table of results and column that the scripts do not recompute, and what each of them may skip."""
    if about.only:
        return ["Everything but the one number."]
    said = [f"- `{table}`: {why}." for table, why in NOT_RECOMPUTED.items() if table in about.tables]
    for table, numbers in TABLES.items():
        said += [f"- `{table}.{name}`: {why}." for name, why in numbers.omitted.items() if table in used]
    others = [
        table
        for table in about.tables
        if table.split(".")[0] in ("report", "stats") and table not in TABLES and table not in NOT_RECOMPUTED
    ]
    said += [f"- `{table}`: no script for it yet." for table in others]
    return [
        *said,
        "- Texts that hold no number (labels, methods, notes), and what the report says of files, code and libraries.",
        "- What a script cannot do (PyDESeq2 takes no transcript lengths, R has no numpy to simulate with) it calls "
        "`skipped`, with the reason, in its output and in result.csv.",
    ]
