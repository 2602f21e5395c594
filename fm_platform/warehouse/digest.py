"""SHA-256 of a table's content, the same wherever and in whatever order the rows were stored.

Belongs here: the canonical encoding. Does not belong here: reading tables or deciding what a digest means.

The encoding, version ``fm-digest-1``, hashes in this order: the version; the schema as canonical JSON (a list of
``[name, DuckDB type]``); the row count; then column by column, with rows in ascending key order (nulls first):

* one byte a row: 1 for a value, 0 for null; a null's value below is zero or empty;
* BOOLEAN and integers up to 64 bits: 8 bytes, little endian, two's complement (UBIGINT: unsigned);
* FLOAT, DOUBLE: the 8 bytes of the IEEE double; every NaN becomes the same quiet NaN; -0.0 and 0.0 differ;
* DATE: days since 1970-01-01 as 8 bytes; TIMESTAMP: microseconds since then; TIME: nanoseconds;
* VARCHAR: the byte length of every value as 8 bytes, then all bytes in UTF-8;
* lists: the length of every list as 8 bytes, then the elements of all lists as one column by these rules;
* structs: the fields in order, each as one column;
* any other type (DECIMAL, HUGEINT, UUID): its text, as VARCHAR.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polars as pl

VERSION = b"fm-digest-1\n"
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.Boolean)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def frame_digest(frame: pl.DataFrame, types: Sequence[tuple[str, str]]) -> str:
    """The digest of rows that are already in key order.

    Args:
        frame: The rows; exactly the columns of ``types``.
        types: Column names and DuckDB types, in table order.

    Returns:
        64 hexadecimal digits.
    """
    digest = _begin(frame.height, types)
    for name, _ in types:
        _encode(frame.get_column(name), digest)
    return digest.hexdigest()


def both_digests(frame: pl.DataFrame, types: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The digest without and the digest with the platform's own ``_`` columns, in one pass over the rows.

    Args:
        frame: The rows in key order; exactly the columns of ``types``.
        types: Column names and DuckDB types, in table order.
    """
    value = _begin(frame.height, [pair for pair in types if not pair[0].startswith("_")])
    full = _begin(frame.height, types)
    pair = _Pair((value, full))
    for name, _ in types:
        _encode(frame.get_column(name), full if name.startswith("_") else pair)
    return value.hexdigest(), full.hexdigest()


class _Pair:
    """Two digests that take the same bytes."""

    def __init__(self, digests: Sequence[_Hash]) -> None:
        self._digests = digests

    def update(self, data: bytes, /) -> None:
        for digest in self._digests:
            digest.update(data)


def _begin(rows: int, types: Sequence[tuple[str, str]]) -> hashlib._Hash:
    """A digest with everything before the first column."""
    digest = hashlib.sha256(VERSION)
    schema = json.dumps([list(pair) for pair in types], ensure_ascii=False, separators=(",", ":"))
    digest.update(schema.encode() + b"\n")
    digest.update(rows.to_bytes(8, "little"))
    return digest


def _encode(series: pl.Series, digest: _Hash) -> None:
    digest.update(series.is_not_null().cast(pl.UInt8).to_numpy().tobytes())
    kind = series.dtype
    if kind in _INTEGERS:
        digest.update(series.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes())
    elif kind == pl.UInt64:
        digest.update(series.fill_null(0).to_numpy().astype("<u8").tobytes())
    elif kind in (pl.Float32, pl.Float64):
        values = series.cast(pl.Float64).fill_null(0.0).to_numpy().astype("<f8").copy()
        values[np.isnan(values)] = np.nan
        digest.update(values.tobytes())
    elif kind == pl.Date:
        digest.update(series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes())
    elif isinstance(kind, pl.Datetime):
        micros = series.dt.cast_time_unit("us").to_physical()
        digest.update(micros.fill_null(0).to_numpy().astype("<i8").tobytes())
    elif kind == pl.Time:
        digest.update(series.to_physical().fill_null(0).to_numpy().astype("<i8").tobytes())
    elif kind == pl.List:
        _encode_list(series, digest)
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            _encode(series.struct.field(field.name), digest)
    else:
        _encode_text(series, digest)


def _encode_list(series: pl.Series, digest: _Hash) -> None:
    lengths = series.list.len().fill_null(0).cast(pl.Int64)
    digest.update(lengths.to_numpy().astype("<i8").tobytes())
    filled = series.filter(lengths > 0)
    if filled.len():
        _encode(filled.explode(), digest)


def _encode_text(series: pl.Series, digest: _Hash) -> None:
    text = (series if series.dtype == pl.String else series.cast(pl.String)).fill_null("")
    digest.update(text.str.len_bytes().cast(pl.Int64).to_numpy().astype("<i8").tobytes())
    digest.update("".join(text.to_list()).encode())
