"""Folders with a file a sample, as STAR, HTSeq, kallisto, salmon and RSEM leave them.

Belongs here: which files of a folder are whose counts, and what samples are called. Does not belong here:
reading the files.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.decoding import decode
from fm_platform.sources.files import SourceFile, read_content
from fm_platform.sources.margins import comment_lines, without_lines

_STAR = re.compile(r"^(?P<sample>.*?)[._-]*ReadsPerGene\.out\.(tab|txt|tsv)(\.gz)?$")
_KALLISTO = re.compile(r"^(?P<sample>.*?)[._-]*abundance\.(tsv|txt)(\.gz)?$")
_SALMON = re.compile(r"^(?P<sample>.*?)[._-]*quant\.sf(\.txt)?(\.gz)?$")
_RSEM = re.compile(r"^(?P<sample>.*?)[._-]*(?P<what>genes|isoforms)\.results(\.txt|\.tsv)?(\.gz)?$")
_ENDING = re.compile(r"\.[^.]*(\.gz)?$")
_HTSEQ = re.compile(
    r"^(?P<sample>.+?)([._-](htseq|counts?|htseq[._-]counts?))?\.(txt|tsv|counts?|out|htseq)(\.gz)?$",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\.(txt|tsv|tab|out|sf|results)(\.gz)?$", re.IGNORECASE)
_NOT_COUNTS = re.compile(r"readme|summary|md5|log|checksum|licen[cs]e", re.IGNORECASE)


@dataclass(frozen=True)
class SampleFile:
    """One sample's file.

    Attributes:
        sample: The sample's name: what stands in the file's name before the tool's, or the folder's where nothing does
            or all files have one name.
        name: What to call the file: folder and path below it.
    """

    sample: str
    path: Path
    name: str


@dataclass(frozen=True, eq=False)
class TabFile:
    """A tab-separated file: its columns as text, and the 1-based line of each row.

    Blank lines are no rows, nor are comments above the first; tabs that end every line make no column. Where no line
    has a tab, commas, semicolons or blanks part the fields. Quotes around a cell are no part of it.
    """

    file: SourceFile
    columns: list[pl.Series]
    lines: Sequence[int]

    @property
    def first(self) -> list[str]:
        """The first row."""
        return [column[0] for column in self.columns]


def folder_format(folder: Path, name: str) -> str:
    """Which of the folder formats a folder holds, by file names.

    Only a folder in which no other kind is found is taken for HTSeq's: its files have no name of their own.

    Args:
        folder: Where it is.
        name: What to call it.

    Raises:
        InputError: No file has a name that is known, or files of several tools are there.
    """
    found = [format for format in ("star", "kallisto", "salmon", "rsem") if _files(folder, format)]
    if not found and _files(folder, "htseq"):
        return "htseq"
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"the folder has files of several tools: {', '.join(found)}",
            file=name,
            mend=f"set `format:` (fm de --format) to one of: {', '.join(found)}",
        )
    there = [path.relative_to(folder).as_posix() for path in visible_files(folder)]
    shown = f"{', '.join(there[:4])}{' ...' if len(there) > 4 else ''}" if there else "it is empty"
    raise InputError(
        f"the folder has no count files that are known by name ({shown})",
        file=name,
        mend="files of two columns (gene and count) under any name: set `format: htseq` (fm de --format htseq); a "
        f"table or workbook: name the file itself; known names are {'; '.join(_EXPECTED.values())}",
    )


def sample_files(folder: Path, format: str, name: str) -> list[SampleFile]:
    """The files of a folder, sorted by sample.

    Args:
        folder: Where it is.
        format: ``star``, ``htseq``, ``kallisto``, ``salmon`` or ``rsem``. Where no file has a known name, HTSeq's may
            have any, and the others' any that ends as a text table does.
        name: What to call the folder in messages.

    Raises:
        InputError: There is no such folder, it has no such file, or two files are one sample's.
    """
    if not folder.is_dir():
        raise InputError(
            f"format {format} is a folder with a file a sample", file=name, mend="name the folder"
        )
    listed = _files(folder, format)
    if not listed:
        listed = [
            (path, _ENDING.sub("", path.name))
            for path in visible_files(folder)
            if not _NOT_COUNTS.search(path.name) and (format == "htseq" or _TABLE.search(path.name))
        ]
    if len({sample for _, sample in listed}) == 1 < len(listed):
        listed = [(path, path.parent.name) for path, _ in listed]
    found = [
        SampleFile(sample, path, f"{name}/{path.relative_to(folder).as_posix()}") for path, sample in listed
    ]
    if not found:
        raise InputError(
            f"the folder has no {_EXPECTED[format]}",
            file=name,
            mend="name the folder above the samples' files",
        )
    found.sort(key=lambda entry: (entry.sample, entry.name))
    for first, second in itertools.pairwise(found):
        if first.sample == second.sample:
            raise InputError(
                f"sample {first.sample!r} has two files: {first.name} and {second.name}",
                file=name,
                mend="keep one of them",
            )
    return found


def names_of(path: PurePath) -> set[str]:
    """The samples that a file may be named after, whatever its format: by its own name, or by its folder's."""
    names = {sample_of(path) for sample_of in _SAMPLE_OF.values()}
    return {name for name in (*names, _ENDING.sub("", path.name), path.parent.name) if name}


def read_tab(entry: SampleFile) -> TabFile:
    """Read a file of one sample, gzipped or not.

    Raises:
        InputError: It is no text, or a row has more or fewer fields than the first.
    """
    content = read_content(entry.path, entry.name)
    text = re.sub("\r\n?", "\n", decode(content.data, entry.name)[0]).rstrip("\n")
    text = without_lines(text, comment_lines(text, ("\t",)))
    lines: Sequence[int] = range(1, text.count("\n") + 2)
    if text.startswith("\n") or "\n\n" in text:
        kept = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line]
        lines = [number for number, _ in kept]
        text = "\n".join(line for _, line in kept)
    text = _with_tabs(text)
    while text.partition("\n")[0].endswith("\t") and all(line.endswith("\t") for line in text.split("\n")):
        text = "\n".join(line[:-1] for line in text.split("\n"))
    width = text.partition("\n")[0].count("\t") + 1
    _check_widths(text, width, lines, entry.name)
    frame = pl.read_csv(
        text.encode(), separator="\t", has_header=False, quote_char=None, infer_schema=False
    ).fill_null("")
    if '"' in text:
        frame = frame.with_columns(pl.all().str.replace('^"(.*)"$', "$1"))
    return TabFile(content.file, frame.get_columns(), lines)


def _with_tabs(text: str) -> str:
    """A text without a tab whose lines another delimiter cuts into as many fields each, with tabs for it."""
    if "\t" in text:
        return text
    for delimiter in (",", ";", " "):
        try:
            rows = list(csv.reader(text.split("\n"), delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            continue
        if (
            len(rows) == text.count("\n") + 1
            and len(rows[0]) > 1
            and all(len(row) == len(rows[0]) for row in rows)
        ):
            return "\n".join("\t".join(row) for row in rows)
    return text


def _check_widths(text: str, width: int, lines: Sequence[int], name: str) -> None:
    tabs = pl.Series([text]).str.split("\n").explode().str.count_matches("\t", literal=True)
    odd = (tabs != width - 1).arg_true()
    if len(odd):
        raise InputError(
            f"{tabs[odd[0]] + 1} fields where the first line has {width}",
            file=name,
            line=lines[odd[0]],
            mend="the file may be cut off: copy it again",
        )


def _files(folder: Path, format: str) -> list[tuple[Path, str]]:
    sample_of = _SAMPLE_OF[format]
    found = [(path, sample) for path in visible_files(folder) if (sample := sample_of(path))]
    if format == "rsem":
        of_genes = [
            entry for entry in found if (match := _RSEM.match(entry[0].name)) and match["what"] == "genes"
        ]
        return of_genes or found
    return found


def visible_files(folder: Path) -> list[Path]:
    """The files in and below a folder, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _named_by(pattern: re.Pattern[str]) -> Callable[[PurePath], str | None]:
    """The sample of a file with a tool's name: what stands before it, else the folder's name."""

    def sample_of(path: PurePath) -> str | None:
        match = pattern.match(path.name)
        return (match["sample"] or path.parent.name) if match else None

    return sample_of


def _htseq(path: PurePath) -> str | None:
    match = _HTSEQ.match(path.name)
    return match["sample"] if match and not _NOT_COUNTS.search(path.name) else None


_SAMPLE_OF: dict[str, Callable[[PurePath], str | None]] = {
    "star": _named_by(_STAR),
    "htseq": _htseq,
    "kallisto": _named_by(_KALLISTO),
    "salmon": _named_by(_SALMON),
    "rsem": _named_by(_RSEM),
}
_EXPECTED = {
    "star": "*ReadsPerGene.out.tab",
    "htseq": "two-column count files (.txt, .tsv, .counts)",
    "kallisto": "<sample>/abundance.tsv",
    "salmon": "<sample>/quant.sf",
    "rsem": "*.genes.results",
}
