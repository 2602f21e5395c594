"""How delivered text is read, as DuckDB expressions: missing codes, numbers, units, dates, visits, ids.

Belongs here: pure functions from a declaration to SQL text, shared by the rules and by the staging models, so
that both read a cell in the same way. Does not belong here: what is acceptable (``rules``), whole queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.validation.declared import DATE, ITEM, NUMBER, DeclaredColumn
from fm_platform.validation.month_names import named_date
from fm_platform.warehouse.names import identifier, literal

WHOLE_NUMBER = "[+-]?[0-9]{1,9}([.]0{0,6})?"
ANY_NUMBER = "[+-]?([0-9]{1,30}([.][0-9]{0,60})?|[.][0-9]{1,60})([eE][+-]?[0-9]{1,3})?"
"""A number in digits or in exponent notation, whatever its size."""

JUDGED = "DECIMAL(38,18)"
"""What a number is judged in: every accepted one is exact in it."""

DATE_SHAPES = {
    "ymd": "(19|20|21)[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}",
    "compact": "(19|20|21)[0-9]{2}[0-9]{4}",
    "dmy": "[0-9]{1,2}-[0-9]{1,2}-(19|20|21)[0-9]{2}",
    "mdy": "[0-9]{1,2}-[0-9]{1,2}-(19|20|21)[0-9]{2}",
}
_DATE_FORMATS = {"ymd": "%Y-%m-%d", "compact": "%Y%m%d", "dmy": "%d-%m-%Y", "mdy": "%m-%d-%Y"}
_BETWEEN = "[/\u2010-\u2015\u2212-]|[.] *"
_TIME_OF_DAY = "[ T:][0-9]{1,2}:[0-9:.Z+-]+$"
_PARTED = "^([+-]?[0-9]{{1,3}}){parts}([0-9]{{3}})(?:{parts}([0-9]{{3}}))?({mark}[0-9]+)$"
_TOGETHER = r"\1\2\3\4"
"""1.234,5 and 1,234,567.8: a number of which thousands are parted and decimals marked."""

_UNSEEN = r"[\s\p{Cf}\p{Cc}\p{Z}]"
_UNSEEN_AROUND = rf"\p{{Cf}}|^{_UNSEEN}+|{_UNSEEN}+$"
_NO_SIGN = r"[^\p{L}\p{N}]"
_LONG_ENOUGH, _SLIPS = 4, 2
"""Signs of a text in which so many slips are taken for such."""
_MINUS = "^[\u2212\u2013]"
_SPACED = r"^(-?[1-9][0-9]{0,2}){part}([0-9]{3})(?:{part}([0-9]{3}))?(?:{part}([0-9]{3}))?([.,][0-9]+)?$"
_SPACED_PARTS = (r"[\p{Zs}]", "['\u2019]")
_FIVE_TOGETHER = r"\1\2\3\4\5"
"""1 234 567,8 and 1'234.5: blanks and apostrophes part nothing but thousands."""

_PLAIN_NUMBER = "[0-9.,eE+-]*"
_NUMERIC_CODE = re.compile(r"^[+-]?[0-9]*[.]?[0-9]+$")


def text(column: str, alias: str = "") -> str:
    """A cell as delivered, without the blanks around it."""
    return f"trim({alias}.{identifier(column)})" if alias else f"trim({identifier(column)})"


def meant(column: str, source: ClinicalSource, alias: str = "") -> str:
    """A cell without the blanks around it, under the text that ``aliases:`` of study.yaml gives it."""
    cell, others = text(column, alias), source.aliases.get(column, {})
    if not others:
        return cell
    whens = " ".join(f"when {literal(other)} then {literal(mean)}" for other, mean in others.items())
    return f"case {cell} {whens} else {cell} end"


def texts(values: Iterable[str]) -> str:
    """A parenthesized list of literals."""
    return "(" + ", ".join(literal(value) for value in values) + ")"


def missing_codes(source: ClinicalSource) -> tuple[str, ...]:
    """The texts that mean "no value": the empty cell and the declared codes."""
    return tuple(dict.fromkeys(["", *(code.strip() for code in source.missing_codes)]))


def is_missing(column: str, source: ClinicalSource, alias: str = "") -> str:
    """Whether a cell holds no value."""
    return f"{text(column, alias)} in {texts(missing_codes(source))}"


def is_absent(entry: DeclaredColumn, source: ClinicalSource, alias: str = "") -> str:
    """Whether a cell says nothing: a missing code, or an empty box of a question that nobody answered.

    REDCap exports 0 for a box that was not ticked and for one that was never seen. An empty box counts as an
    answer where the form is complete or another box of the field is ticked.
    """
    missing = is_missing(entry.column, source, alias)
    if not entry.box:
        return missing
    status, *boxes = entry.box
    ticked = " or ".join(f"{text(box, alias)} = '1'" for box in boxes)
    answered = f"{text(status, alias)} = '2' or {ticked}"
    return f"({missing} or ({text(entry.column, alias)} = '0' and not ({answered})))"


def subject_id(columns: Sequence[str], source: ClinicalSource, alias: str = "") -> str:
    """The subject's id: its parts joined with ``-``; null when a part is missing.

    Only codes that are no numbers (``NA``, ``.``) count as missing here: -99 may be a code in one column, but
    99 is as good an id as any.
    """
    codes = [code for code in missing_codes(source) if not _NUMERIC_CODE.match(code)]
    absent = " or ".join(f"{text(column, alias)} in {texts(codes)}" for column in columns)
    joined = " || '-' || ".join(meant(column, source, alias) for column in columns)
    return f"case when {absent} then null else {joined} end"


def nearest_visit(cell: str, study: Study) -> str:
    """SQL of the words that name the declared text nearest to a cell; or no words.

    Near is what differs in case, blanks and separators alone; else in two letters at most, never in a digit.
    """
    known = dict.fromkeys([*(text for visit in study.visits for text in visit.found_as), *study.unscheduled])
    if not known:
        return "''"
    plain = f"regexp_replace(lower({cell}), {literal(_NO_SIGN)}, '', 'g')"
    digits = f"regexp_replace({plain}, '[^0-9]', '', 'g')"
    words = {
        "".join(sign for sign in meant_text.lower() if sign.isalnum()): literal(f" (is {meant_text} meant?)")
        for meant_text in known
    }
    same = [f"when {plain} = {literal(folded)} then {said}" for folded, said in words.items()]
    near = [
        f"when {digits} = {literal(re.sub('[^0-9]', '', folded))} "
        f"and damerau_levenshtein({plain}, {literal(folded)}) <= {_SLIPS} then {said}"
        for folded, said in words.items()
        if len(folded) >= _LONG_ENOUGH
    ]
    return f"case {' '.join([*same, *near])} else '' end"


def visit_id(column: str, study: Study, alias: str = "") -> str:
    """The visit that a text stands for: a planned one, an unscheduled one under its own text, or null."""
    cell = text(column, alias)
    branches = [f"when {cell} in {texts(visit.found_as)} then {literal(visit.id)}" for visit in study.visits]
    if study.unscheduled:
        branches.append(f"when {cell} in {texts(study.unscheduled)} then {cell}")
    return f"case {' '.join(branches)} end"


def typed(cell: str, entry: DeclaredColumn, source: ClinicalSource) -> str:
    """A trimmed text in its staged type, in the staged unit; null for text that cannot be read.

    Args:
        cell: SQL of the trimmed text, null where the value is missing.
        entry: The column's declaration.
        source: Its source.
    """
    if entry.type == DATE:
        return date(cell, source)
    if entry.type in (ITEM, NUMBER):
        number = decimal(numeral(cell, entry), entry.factor, NUMBER)
        return f"try_cast({number} as {ITEM})" if entry.type == ITEM else number
    return cell


def seen(cell: str) -> str:
    """A trimmed text without what cannot be seen at its ends, and without format characters anywhere."""
    return f"regexp_replace({cell}, {literal(_UNSEEN_AROUND)}, '', 'g')"


def digits(cell: str) -> str:
    """A trimmed number in plain signs: nothing unseen, a hyphen for minus, no blank or apostrophe between thousands."""
    plain = f"regexp_replace({seen(cell)}, {literal(_MINUS)}, '-')"
    for part in _SPACED_PARTS:
        pattern = literal(_SPACED.replace("{part}", part))
        plain = f"regexp_replace({plain}, {pattern}, {literal(_FIVE_TOGETHER)})"
    return f"case when regexp_full_match({cell}, '{_PLAIN_NUMBER}') then {cell} else {plain} end"


def numeral(cell: str, entry: DeclaredColumn) -> str:
    """A trimmed number with a decimal point; signs that part thousands go where both signs stand in the cell.

    Under a declared comma a point alone makes a text no number.
    """
    cell = digits(cell)
    if entry.type != NUMBER:
        return f"translate({cell}, '.,', '#.')" if entry.mark == "comma" else cell
    if entry.mark in ("comma", "either"):
        cell = (
            f"regexp_replace({cell}, {literal(_PARTED.format(parts='[.]', mark=','))}, {literal(_TOGETHER)})"
        )
    if entry.mark in ("point", "either"):
        cell = (
            f"regexp_replace({cell}, {literal(_PARTED.format(parts=',', mark='[.]'))}, {literal(_TOGETHER)})"
        )
    if entry.mark == "comma":
        return f"translate({cell}, '.,', '#.')"
    return f"replace({cell}, ',', '.')" if entry.mark == "either" else cell


def decimal(cell: str, factor: Fraction, kind: str) -> str:
    """A trimmed text as a decimal of a type, in the staged unit."""
    number = f"try_cast({cell} as {kind})"
    if factor == 1:
        return number
    return f"try_cast({number} * {float(factor):g} as {kind})"


def decimals(cell: str) -> str:
    """How many decimals the number in a trimmed text has, also in exponent notation; zeros at the end are none."""
    fraction = f"length(regexp_extract({cell}, '[.]([0-9]*?)0*([eE]|$)', 1))"
    exponent = (
        f"coalesce(try_cast(nullif(regexp_extract({cell}, '[eE]([+-]?[0-9]+)$', 1), '') as integer), 0)"
    )
    return f"greatest({fraction} - {exponent}, 0)"


def date(cell: str, source: ClinicalSource) -> str:
    """A trimmed text as a date, in the first order that the calendar allows."""
    formats = ", ".join(literal(_DATE_FORMATS[order]) for order in date_orders(source))
    return f"cast(try_strptime({date_text(cell)}, [{formats}]) as {DATE})"


def number_pattern(entry: DeclaredColumn) -> str:
    """The pattern that a delivered number must match as a whole.

    A whole number may be written with zero decimals. Under a unit conversion the delivered text may have
    other decimals (1.3 points are 13 mm); there the converted value is looked at.
    """
    return WHOLE_NUMBER if entry.integer and entry.factor == 1 else ANY_NUMBER


def date_orders(source: ClinicalSource) -> tuple[str, ...]:
    """The orders in which a date is tried.

    Year first is unmistakable and always read. Where no order is declared, year last is read in whichever
    order the calendar allows; a cell that allows both is an error of the input (:func:`is_ambiguous_date`).
    """
    if source.dates is None:
        return ("ymd", "compact", "dmy", "mdy")
    return ("ymd", "compact") if source.dates == "ymd" else ("ymd", source.dates)


def date_text(cell: str) -> str:
    """A trimmed date without its time of day, its parts joined with ``-``; one with a month's name, year first."""
    cell = seen(cell)
    day = f"regexp_replace({cell}, {literal(_TIME_OF_DAY)}, '')"
    plain = f"regexp_replace({day}, {literal(_BETWEEN)}, '-', 'g')"
    has_word = f"regexp_matches({cell}, '(\\p{{L}}\\p{{M}}*){{3}}')"
    return f"case when {has_word} then coalesce({named_date(day)}, {plain}) else {plain} end"


def date_pattern(source: ClinicalSource) -> str:
    """The pattern that :func:`date_text` must match as a whole: four-digit years of 1900 to 2199."""
    return "|".join(dict.fromkeys(DATE_SHAPES[order] for order in date_orders(source)))


def is_dated_by(cell: str, part: int) -> str:
    """Whether a date with its year last can only have its day in part 1, or part 2."""
    shape, *parts = _year_last(cell)
    return f"case when {shape} then {parts[part - 1]} between 13 and 31 and {parts[2 - part]} <= 12 else false end"


def _year_last(cell: str) -> tuple[str, str, str]:
    """Whether a date has its year last, and its two parts before that."""
    dated = date_text(cell)
    first, second = (
        f"cast(regexp_extract({dated}, '^([0-9]{{1,2}})-([0-9]{{1,2}})-', {part}) as integer)"
        for part in (1, 2)
    )
    return f"regexp_full_match({dated}, {literal(DATE_SHAPES['dmy'])})", first, second


def is_ambiguous_date(cell: str) -> str:
    """Whether day and month could be taken for each other, to a different date."""
    shape, first, second = _year_last(cell)
    two_readings = f"{first} between 1 and 12 and {second} between 1 and 12 and {first} <> {second}"
    return f"case when {shape} then {two_readings} end"
