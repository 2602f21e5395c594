"""A delivered file as bytes: its hash, its size, and what kind of file the bytes say it is.

Belongs here: reading and unpacking bytes, and recognising kinds of files by their first bytes. Does not
belong here: characters, rows and columns.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fm_platform.errors import EnvironmentFailure, InputError

FileKind = Literal["text", "xlsx"]

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_REFUSED_MAGIC = {
    b"\xd0\xcf\x11\xe0": "an old or encrypted Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"RDX2": "an R data file",
    b"RDX3": "an R data file",
}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """A delivered file: the name it goes by, the SHA-256 of its bytes as delivered, and their number."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Content:
    """A file's bytes, unpacked if they were gzipped."""

    file: SourceFile
    kind: FileKind
    data: bytes


def hash_file(path: Path, name: str) -> SourceFile:
    """Hash a file without holding it in memory.

    Raises:
        InputError: There is no such file.
        EnvironmentFailure: It cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise _unreadable(error, name) from None
    return SourceFile(name=name, sha256=digest.hexdigest(), size=size)


def read_content(path: Path, name: str) -> Content:
    """Read a file whole, unpack it if it is gzipped, and tell text from workbook.

    Args:
        path: Where the file is.
        name: What to call it in messages and in the ledger.

    Raises:
        InputError: The file is missing, empty, a damaged archive, or of a kind that holds no table.
        EnvironmentFailure: It cannot be read.
    """
    try:
        delivered = path.read_bytes()
    except OSError as error:
        raise _unreadable(error, name) from None
    return content_of(delivered, name)


def content_of(delivered: bytes, name: str) -> Content:
    """Some bytes as a delivered file, unpacked if they are gzipped.

    Args:
        delivered: The bytes.
        name: What to call the file.

    Raises:
        InputError: They are empty, a damaged archive, or of a kind that holds no table.
    """
    file = SourceFile(name=name, sha256=hashlib.sha256(delivered).hexdigest(), size=len(delivered))
    data = _unzipped(delivered, name) if delivered.startswith(_GZIP_MAGIC) else delivered
    if not data.strip():
        raise InputError("the file is empty", file=name, mend="ask for the delivery again; it holds no table")
    return Content(file=file, kind=_kind(data, name), data=data)


def _unreadable(error: OSError, name: str) -> InputError | EnvironmentFailure:
    if isinstance(error, FileNotFoundError):
        return InputError(
            "file not found", file=name, mend="put the file there, or correct its path in study.yaml"
        )
    if isinstance(error, IsADirectoryError):
        return InputError("this is a folder, not a file", file=name, mend="name the file inside it")
    return EnvironmentFailure(
        f"cannot be read ({error.strerror})", file=name, mend="check permissions and the disk"
    )


def _unzipped(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError(
            "the gzip archive is damaged or cut off", file=name, mend="copy or download the file again"
        ) from None


def _kind(data: bytes, name: str) -> FileKind:
    if data.startswith(_ZIP_MAGIC):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if "xl/workbook.xml" in archive.namelist():
                    return "xlsx"
        except zipfile.BadZipFile:
            raise InputError(
                "the workbook or archive is damaged or cut off",
                file=name,
                mend="copy or download the file again",
            ) from None
        raise InputError(
            "this is a zip archive, not a table", file=name, mend="unpack it and name the file inside"
        )
    for magic, what in _REFUSED_MAGIC.items():
        if data.startswith(magic):
            raise InputError(
                f"this is {what}, not a table of text", file=name, mend="export it as CSV (UTF-8) or as .xlsx"
            )
    return "text"
