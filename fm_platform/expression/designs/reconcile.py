"""Which sample of the sheet is which column of the count matrix.

Belongs here: matching two lists of ids, exactly or, on request, by one rule that maps the lists one to one.
Does not belong here: anything about what the samples are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fm_platform.errors import InputError

EXACT = "exact"
AFFIX = "affix"
MAX_LISTED = 40

_TRANSPOSED = "`fm de --format transposed`, or `format: transposed` beside the path in study.yaml"
_COUNT_ID = "a column of the sheet that `count_id:` of `samples:` names (fm de: --sample-id)"
_PARENTHESES = re.compile(r"\s*\([^()]*\)$")
_SEPARATORS = re.compile(r"[-_. ]+")


@dataclass(frozen=True)
class IdMatch:
    """One id of the sample sheet and the id of the count matrix it means."""

    sheet_id: str
    count_id: str


@dataclass(frozen=True)
class IdMapping:
    """How the ids of a sheet and of a count matrix were matched.

    Attributes:
        matches: The pairs, in the order of the sheet.
        rule: ``exact``, or the rule in words, e.g. ``suffix 'fb' taken off the sheet's ids``.
    """

    matches: tuple[IdMatch, ...]
    rule: str = EXACT


def match_ids(
    sheet_ids: Sequence[str],
    count_ids: Sequence[str],
    *,
    reconcile: str | None = None,
    gene_ids: Collection[str] = (),
    file: Path | str | None = None,
) -> IdMapping:
    """Match the sample ids of a sheet with those of a count matrix, one to one.

    Args:
        sheet_ids: Ids in the sheet's order.
        count_ids: Ids in the matrix's order.
        reconcile: None: ids must be equal. ``affix``: where they are not, look for one rule (letter case,
            separators, a trailing parenthesis, one prefix and suffix common to all ids of one list) that maps
            one list onto the other completely and unambiguously.
        gene_ids: What the matrix takes for genes, if known.
        file: The sheet, for the error.

    Raises:
        InputError: The lists differ (both are shown) and no rule was asked for or none maps them one to one.
    """
    if reconcile not in (None, AFFIX):
        raise InputError(
            f"unknown way to reconcile sample ids: {reconcile!r}", mend=f"use {AFFIX!r}, or leave it out"
        )
    _refuse_repeats(sheet_ids, "sample sheet", file)
    _refuse_repeats(count_ids, "count matrix", file)
    if set(sheet_ids) == set(count_ids):
        return IdMapping(tuple(IdMatch(name, name) for name in sheet_ids))
    proposal = propose_affix(sheet_ids, count_ids)
    if reconcile == AFFIX and proposal is not None:
        return proposal
    if sheet_ids and set(sheet_ids) <= set(gene_ids):
        raise InputError(
            f"the matrix has samples in rows: {_listed(sheet_ids[:3])} and the other samples of the sheet stand where "
            "gene ids are expected",
            file=file,
            mend=f"say so: {_TRANSPOSED}; where that is said already, samples are in columns: drop it",
        )
    firsts = [name.strip().partition(" ")[0] for name in sheet_ids]
    if firsts != [name.strip() for name in sheet_ids] and set(firsts) == set(count_ids):
        raise InputError(
            f"the sheet has fields separated by blanks, read as one column: {_listed(sheet_ids[:3])}",
            file=file,
            mend="separate them by tabs or commas (R: write.table(x, sep='\\t', col.names=NA), or write.csv)",
        )
    raise InputError(
        _difference(sheet_ids, count_ids), file=file, mend=_mend(sheet_ids, count_ids, reconcile, proposal)
    )


def propose_affix(sheet_ids: Sequence[str], count_ids: Sequence[str]) -> IdMapping | None:
    """The mildest rule that maps the two lists one to one, or None when there is none or more than one."""
    if len(sheet_ids) != len(count_ids) or not sheet_ids:
        return None
    for words, normalise in _NORMALISATIONS:
        left = [normalise(name) for name in sheet_ids]
        right = [normalise(name) for name in count_ids]
        if len(set(left)) < len(left) or len(set(right)) < len(right):
            continue
        found = _strip_to_match(left, right)
        if found is None:
            continue
        stripped, affix_words = found
        by_key = dict(zip(stripped[1], count_ids, strict=True))
        matches = tuple(IdMatch(name, by_key[key]) for name, key in zip(sheet_ids, stripped[0], strict=True))
        return IdMapping(matches, "; ".join(part for part in (words, affix_words) if part))
    return None


def _without_parentheses(name: str) -> str:
    return _PARENTHESES.sub("", name.strip())


def _one_separator(name: str) -> str:
    return _SEPARATORS.sub("_", name.strip())


_NORMALISATIONS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", str),
    ("surrounding spaces and letter case ignored", lambda name: name.strip().casefold()),
    (
        "separators - _ . and space taken as equal, letter case ignored",
        lambda name: _one_separator(name).casefold(),
    ),
    ("trailing parenthesis ignored", _without_parentheses),
    (
        "trailing parenthesis and letter case ignored, separators taken as equal",
        lambda name: _one_separator(_without_parentheses(name)).casefold(),
    ),
)


def _strip_to_match(left: list[str], right: list[str]) -> tuple[tuple[list[str], list[str]], str] | None:
    """Take one common prefix and suffix off all ids of one list so that it equals the other as a set."""
    excess = sum(map(len, left)) - sum(map(len, right))
    if excess % len(left):
        return None
    if excess == 0:
        return ((left, right), "") if set(left) == set(right) else None
    long, short, owner = (left, right, "sheet") if excess > 0 else (right, left, "matrix")
    candidates = _affixes(long, short, abs(excess) // len(left))
    if len(candidates) != 1:
        return None
    prefix, suffix = candidates[0]
    bare = [name[len(prefix) : len(name) - len(suffix)] for name in long]
    parts = [f"{kind} {text!r}" for kind, text in (("prefix", prefix), ("suffix", suffix)) if text]
    words = f"{' and '.join(parts)} taken off the {owner}'s ids"
    return ((bare, right) if owner == "sheet" else (left, bare)), words


def _affixes(long: list[str], short: list[str], length: int) -> list[tuple[str, str]]:
    """Every (prefix, suffix) of this length that all long ids share and that leaves the short ids."""
    first = long[0]
    found = []
    for cut in range(length + 1):
        prefix, suffix = first[:cut], first[len(first) - (length - cut) :]
        if not all(
            name.startswith(prefix) and name.endswith(suffix) and len(name) >= length for name in long
        ):
            continue
        if {name[cut : len(name) - (length - cut)] for name in long} == set(short):
            found.append((prefix, suffix))
    return found


def _refuse_repeats(names: Sequence[str], where: str, file: Path | str | None) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"the {where} names {_listed(repeated)} more than once",
            file=file,
            mend="give every sample one id, and one row or column under it",
        )


def _difference(sheet_ids: Sequence[str], count_ids: Sequence[str]) -> str:
    only_sheet = [name for name in sheet_ids if name not in set(count_ids)]
    only_counts = [name for name in count_ids if name not in set(sheet_ids)]
    agree = len(sheet_ids) - len(only_sheet)
    return (
        f"sample ids of the sheet and of the count matrix differ ({agree} agree). "
        f"Only in the sample sheet: {_listed(only_sheet)}. Only in the count matrix: {_listed(only_counts)}."
    )


def _mend(
    sheet_ids: Sequence[str], count_ids: Sequence[str], reconcile: str | None, proposal: IdMapping | None
) -> str:
    if proposal is not None:
        example = next(
            (pair for pair in proposal.matches if pair.sheet_id != pair.count_id), proposal.matches[0]
        )
        return (
            f"reconcile them with the option affix (`fm de --reconcile affix`): {proposal.rule} "
            f"({example.sheet_id} is {example.count_id}), or correct the ids"
        )
    if reconcile == AFFIX:
        return (
            "no single affix, case or parenthesis rule maps the two lists one to one; write the matrix's "
            f"sample names into {_COUNT_ID}"
        )
    if set(sheet_ids) < set(count_ids):
        return (
            "add a row to the sample sheet for every sample of the matrix (a contrast's `subset:` leaves "
            "samples out), or remove the columns"
        )
    written = (
        f"write the matrix's sample names into {_COUNT_ID}; for samples without counts leave its cell empty (fm de: "
        "remove the row)"
    )
    if len(sheet_ids) != len(count_ids) and not set(sheet_ids) & set(count_ids):
        return f"if samples are in the rows of the matrix: {_TRANSPOSED}; else {written}"
    return written


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    shown = ", ".join(names[:MAX_LISTED])
    return shown if len(names) <= MAX_LISTED else f"{shown} and {len(names) - MAX_LISTED} more"
