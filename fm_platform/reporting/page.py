"""What a report is made from, and the shapes of a printed page.

Belongs here: frozen value types. Does not belong here: how they are filled (sections) or written (html, csv).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from fm_platform.study.model import Study

PRINTED_MARK = (
    '@page { @top-center { content: "SYNTHETIC DATA"; font: bold 9pt sans-serif; color: #7a3e00; } }\n'
)
"""Style that marks every printed page of synthetic data."""

Half = Literal["clinical", "expression"]


@dataclass(frozen=True)
class HalfState:
    """How current one half of the study is.

    Attributes:
        half: Which half.
        as_of: The date of its tables as text; empty when it has none yet.
        blocked: Whether its newest delivery was refused by the gate, so that earlier tables are shown.
        reason: Why it is blocked.
    """

    half: Half
    as_of: str
    blocked: bool = False
    reason: str = ""


@dataclass(frozen=True)
class GateLine:
    """What the gate did with one clinical source; read = accepted + set aside."""

    source: str
    rows_read: int
    rows_accepted: int
    rows_set_aside: int
    cells_nulled: int


@dataclass(frozen=True)
class SourceLine:
    """One source file as it was read: its name, size in bytes and SHA-256 in hex."""

    source: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class RunInfo:
    """Which run made the report, and what the tables behind it were made with, by the ledger's records.

    Attributes:
        run_id: The run.
        code_versions: Table name to the version of the code that made it.
        libraries: Library name to version; several where the tables were made with several.
        environment: Python, platform, code and lock, in words.
        publication: The number of the publication that it is made for; 0 for none.
    """

    run_id: str
    code_versions: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    publication: int = 0


@dataclass(frozen=True)
class ReportInput:
    """Everything a report shows; the same input gives the same bytes.

    Attributes:
        study: The study.
        tables: Frames by table name: `report.*`, `marts.participants`, `marts.symptom_scores`,
            `study.outcomes`, `expression.contrasts`, `expression.de_results`. Parts whose table is absent are
            left out.
        run: The run.
        head_hash: Hash of the ledger's newest record.
        halves: One state per half that the study has.
        gate: One line per clinical source.
        sources: The files that were read.
    """

    study: Study
    tables: Mapping[str, pl.DataFrame]
    run: RunInfo
    head_hash: str
    halves: tuple[HalfState, ...] = ()
    gate: tuple[GateLine, ...] = ()
    sources: tuple[SourceLine, ...] = ()

    def table(self, name: str) -> pl.DataFrame | None:
        """A table, or None where it is absent or has no rows."""
        frame = self.tables.get(name)
        return None if frame is None or frame.is_empty() else frame


@dataclass(frozen=True)
class Head:
    """A column heading; numeric columns are aligned right."""

    text: str
    numeric: bool = True


@dataclass(frozen=True)
class RowGroup:
    """Rows under a common heading; the first cell of each row is its heading."""

    rows: tuple[tuple[str, ...], ...]
    heading: str = ""


@dataclass(frozen=True)
class TableView:
    """A table as printed. ``code`` sets the cells in a fixed-width face."""

    caption: str
    heads: tuple[Head, ...]
    groups: tuple[RowGroup, ...]
    notes: tuple[str, ...] = ()
    code: bool = False


@dataclass(frozen=True)
class FigureView:
    """A figure as printed and as a file.

    Attributes:
        name: File name without its ending.
        svg: The picture.
        caption: Printed below it.
        alt: What is said instead of it.
    """

    name: str
    svg: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A section: its state (a blocked half says so), then tables and figures in order."""

    anchor: str
    heading: str
    blocks: tuple[TableView | FigureView, ...]
    warning: str = ""
    paragraphs: tuple[str, ...] = ()
