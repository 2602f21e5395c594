"""From bytes to characters: which encoding a text file is in, and a refusal of what is no text.

Belongs here: encodings. Does not belong here: delimiters, quotes, rows.
"""

from __future__ import annotations

import codecs
import re

from fm_platform.errors import InputError

_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1f]")
_SAVE_AS_UTF8 = "save the file as CSV in UTF-8"


def decode(data: bytes, name: str) -> tuple[str, str]:
    """Decode a text file.

    A byte-order mark decides; without one the text is UTF-8 if it is valid as such, otherwise Windows-1252.
    A file that is UTF-8 up to a broken character is refused rather than read as Windows-1252.

    Returns:
        The text without byte-order mark, and the encoding: ``utf-8``, ``utf-8-sig``, ``utf-16`` or
        ``cp1252``.

    Raises:
        InputError: The bytes are no text, or no encoding fits.
    """
    if data.startswith(codecs.BOM_UTF8):
        text, encoding = _decoded(data, "utf-8-sig", name), "utf-8-sig"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, encoding = _decoded(data, "utf-16", name), "utf-16"
    else:
        text, encoding = _without_mark(data, name)
    found = _NOT_TEXT.search(text)
    if found is not None:
        code = ord(found.group())
        what = "a NUL byte" if code == 0 else f"control character 0x{code:02x}"
        raise InputError(
            f"{what} in it: a binary or damaged file, not text",
            file=name,
            line=text.count("\n", 0, found.start()) + 1,
            mend=f"{_SAVE_AS_UTF8}, or copy it again",
        )
    return text, encoding


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _broken(data, error.start, encoding, name) from None


def _without_mark(data: bytes, name: str) -> tuple[str, str]:
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if b"\x00" in data:
            return data.decode("latin-1"), "binary"
        if not data[: error.start].isascii():
            raise _broken(data, error.start, "utf-8", name) from None
    return _decoded(data, "cp1252", name), "cp1252"


def _broken(data: bytes, position: int, encoding: str, name: str) -> InputError:
    return InputError(
        f"byte 0x{data[position]:02x} is not {encoding}: the file is damaged, cut off or in another encoding",
        file=name,
        line=data.count(b"\n", 0, position) + 1 if encoding != "utf-16" else None,
        mend=f"{_SAVE_AS_UTF8}, or copy it again",
    )
