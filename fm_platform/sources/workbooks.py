"""An .xlsx workbook as cells of text, read from its XML so that every cell keeps what it holds.

Belongs here: worksheets, shared texts, date formats, errors and formulas of Office Open XML. Does not belong here:
which worksheet is wanted, or what its first row means (``records``).

A number is the shortest text of the stored double (52.6, 0.0000000025), a date an ISO date, an error its code (#N/A).
A formula whose result was not stored has no value to read: it is refused. Blank cells cost nothing, wherever they are.
"""

from __future__ import annotations

import datetime as dt
import io
import posixpath
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from xml.parsers import expat

from fm_platform.errors import InputError

_DATE_FORMATS = {14, 15, 16, 17, 18, 19, 20, 21, 22, *range(27, 37), 45, 46, 47, *range(50, 59)}
_NOT_A_DATE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]|General|[eE][+-]', re.IGNORECASE)
_DATE_LETTER = re.compile("[dmyhs]", re.IGNORECASE)
_CELL = re.compile(r"^([A-Z]{1,3})([1-9][0-9]{0,6})$")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_PART = 1 << 18
_SAVE_AGAIN = "save it again as .xlsx, or export it as CSV"
_FAR = 2000
"""Empty columns or rows beyond which a cell is no part of the table before it."""


class Workbook:
    """A workbook, opened.

    Attributes:
        name: What to call the file in messages.
        sheets: Worksheet name to its part of the archive.
    """

    def __init__(self, data: bytes, name: str) -> None:
        """Open a workbook.

        Raises:
            InputError: It is damaged.
        """
        self.name = name
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._since_1904 = False
        self._formats: dict[int, str] = {}
        self._styles: list[int] = []
        self.sheets: dict[str, str] = {}
        self._read_parts()

    def sheet(self, title: str) -> dict[int, list[str]]:
        """The rows of a worksheet by number, each up to its last cell that holds something.

        Raises:
            InputError: It is damaged, or a formula's result was not stored, or a cell stands far from the table.
        """
        reader = _Cells(self, title)
        try:
            self._parse(self.sheets[title], reader.start, reader.end, reader.text)
        except (expat.ExpatError, KeyError, ValueError, zipfile.BadZipFile, IndexError):
            raise InputError(
                f"worksheet {title!r} cannot be read", file=self.name, mend=_SAVE_AGAIN
            ) from None
        return reader.rows()

    @cached_property
    def texts(self) -> list[str]:
        """The texts that cells share."""
        found: list[str] = []
        if "xl/sharedStrings.xml" not in self._archive.namelist():
            return found
        parts: list[str] = []
        depth = {"t": 0, "rPh": 0}

        def start(tag: str, _: dict[str, str]) -> None:
            if tag == "si":
                parts.clear()
            elif tag in depth:
                depth[tag] += 1

        def end(tag: str) -> None:
            if tag == "si":
                found.append(_unescaped("".join(parts)))
            elif tag in depth:
                depth[tag] -= 1

        def text(data: str) -> None:
            if depth["t"] and not depth["rPh"]:
                parts.append(data)

        self._parse("xl/sharedStrings.xml", start, end, text)
        return found

    def shown(self, number: str, style: int) -> str:
        """The text of a stored number, of a date where its style shows one."""
        value = float(number)
        kind = self._styles[style] if 0 <= style < len(self._styles) else 0
        code = self._formats.get(kind)
        is_date = _is_date_format(code) if code is not None else kind in _DATE_FORMATS
        if is_date and (found := _moment(value, self._since_1904)) is not None:
            return found
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _read_parts(self) -> None:
        targets: dict[str, str] = {}
        sheets: list[tuple[str, str]] = []

        def relations(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship":
                targets[attributes["Id"]] = posixpath.normpath(posixpath.join("/xl", attributes["Target"]))[
                    1:
                ]

        def workbook(tag: str, attributes: dict[str, str]) -> None:
            if tag == "sheet":
                relation = next(
                    (value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), ""
                )
                sheets.append((attributes["name"], relation))
            elif tag == "workbookPr":
                self._since_1904 = attributes.get("date1904", "0") in ("1", "true")

        in_styles: list[str] = []

        def styles(tag: str, attributes: dict[str, str]) -> None:
            if tag in ("cellXfs", "cellStyleXfs"):
                in_styles.append(tag)
            elif tag == "numFmt":
                self._formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
            elif tag == "xf" and in_styles[-1:] == ["cellXfs"]:
                self._styles.append(int(attributes.get("numFmtId", "0")))

        try:
            self._parse("xl/_rels/workbook.xml.rels", relations)
            self._parse("xl/workbook.xml", workbook)
            if "xl/styles.xml" in self._archive.namelist():
                self._parse("xl/styles.xml", styles)
        except (expat.ExpatError, KeyError, ValueError, zipfile.BadZipFile):
            raise InputError("the workbook cannot be opened", file=self.name, mend=_SAVE_AGAIN) from None
        known = {name: targets[relation] for name, relation in sheets if relation in targets}
        self.sheets = {name: part for name, part in known.items() if part.startswith("xl/worksheets/")}

    def _parse(
        self,
        part: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Stream a part through the handlers; names come without their prefixes, entities are refused."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
        if end is not None:
            parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
        if text is not None:
            parser.CharacterDataHandler = text
        parser.EntityDeclHandler = self._refuse_entities
        with self._archive.open(part) as stream:
            while chunk := stream.read(_PART):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)

    def _refuse_entities(self, *_: object) -> None:
        raise InputError("the workbook declares XML entities", file=self.name, mend=_SAVE_AGAIN)


@dataclass
class _Cells:
    """What a worksheet's parser has come to."""

    workbook: Workbook
    title: str
    found: dict[int, dict[int, str]] = field(default_factory=dict)
    row: int = 0
    column: int = 0
    kind: str = "n"
    style: int = 0
    place: str = ""
    formula: bool = False
    value: str | None = None
    inside: str = ""
    phonetic: bool = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self.row = int(attributes["r"]) if "r" in attributes else self.row + 1
            self.column = -1
        elif tag == "c":
            self._begin(attributes)
        elif tag == "f":
            self.formula = True
        elif tag == "rPh":
            self.phonetic = True
        elif tag in ("v", "t"):
            self.inside = tag
            self.value = self.value or ""

    def _begin(self, attributes: dict[str, str]) -> None:
        if "r" in attributes:
            match = _CELL.match(attributes["r"])
            if match is None:
                raise ValueError(attributes["r"])
            self.column, self.row = column_number(match[1]), int(match[2])
        else:
            self.column += 1
        self.kind, self.style = attributes.get("t", "n"), int(attributes.get("s", "0"))
        self.place = attributes.get("r", f"{column_name(self.column)}{self.row}")
        self.formula, self.value = False, None

    def text(self, data: str) -> None:
        if self.inside and not self.phonetic:
            self.value = (self.value or "") + data

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self.inside = ""
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "c":
            text = self._cell()
            if text:
                self.found.setdefault(self.row, {})[self.column] = text

    def _cell(self) -> str:
        value = self.value
        if self.formula and not value and not (self.kind == "str" and value is not None):
            raise InputError(
                f"cell {self.place} of worksheet {self.title!r} has a formula without a stored result",
                file=self.workbook.name,
                line=self.row,
                mend="open the workbook in Excel or LibreOffice and save it, or export it as CSV",
            )
        if value is None or (value == "" and self.kind != "s"):
            return ""
        if self.kind == "s":
            return self.workbook.texts[int(value)]
        if self.kind == "b":
            return "true" if value.strip() in ("1", "true") else "false"
        if self.kind in ("str", "inlineStr"):
            return _unescaped(value)
        if self.kind == "d":
            return value.strip().replace("T", " ").removesuffix("Z").removesuffix(" 00:00:00")
        return value if self.kind == "e" else self.workbook.shown(value, self.style)

    def rows(self) -> dict[int, list[str]]:
        """The rows; one that holds a cell far from the others is refused."""
        self._require_together()
        made = {}
        for number, cells in sorted(self.found.items()):
            made[number] = [cells.get(column, "") for column in range(max(cells) + 1)]
        return made

    def _require_together(self) -> None:
        """Drop blank texts far from the table; refuse anything else there."""
        columns = sorted({column for cells in self.found.values() for column in cells})
        last = _last_near(columns)
        for number, cells in list(self.found.items()):
            for column in [column for column in cells if column > last]:
                if cells[column].strip():
                    raise InputError(
                        f"cell {column_name(column)}{number} of worksheet {self.title!r} stands far from the table",
                        file=self.workbook.name,
                        line=number,
                        mend="clear the cell, or move it next to the table",
                    )
                del cells[column]
            if not cells:
                del self.found[number]


def _last_near(places: list[int]) -> int:
    """The last of ascending numbers before a gap that is no gap in a table any more."""
    last = places[0] if places else 0
    for place in places:
        if place - last > _FAR:
            break
        last = place
    return last


def column_number(letters: str) -> int:
    """The 0-based number of a column (A is 0, XFD 16383)."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def column_name(number: int) -> str:
    """The letters of a 0-based column."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _is_date_format(code: str) -> bool:
    return bool(_DATE_LETTER.search(_NOT_A_DATE.sub("", code.split(";", maxsplit=1)[0])))


def _moment(serial: float, since_1904: bool) -> str | None:
    """A day number as ISO date, with its time of day where it has one; None where the calendar has no such day."""
    if since_1904:
        origin = dt.datetime(1904, 1, 1)
    elif serial < 60:
        origin = dt.datetime(1899, 12, 31)
    else:
        origin = dt.datetime(1899, 12, 30)
    if not 0 <= serial < 2958466 or (not since_1904 and 60 <= serial < 61):
        return None
    moment = origin + dt.timedelta(milliseconds=round(serial * 86_400_000))
    if serial < 1:
        return moment.strftime("%H:%M:%S")
    if moment.time() == dt.time():
        return moment.strftime("%Y-%m-%d")
    return moment.isoformat(sep=" ", timespec="milliseconds" if moment.microsecond else "seconds")


def _unescaped(text: str) -> str:
    """Characters that Office Open XML writes as ``_x000D_``."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
