"""Months by name, as people write them in eight languages, and the SQL that turns such a date into year-month-day.

Belongs here: the words, and dates written with one. Does not belong here: dates in digits (``expressions``).

A word that means one month in one language and another in another is in no list; accents are taken off before a word
is looked up.
"""

from __future__ import annotations

from fm_platform.warehouse.names import literal

MONTHS: tuple[str, ...] = (
    "jan january januar janner janv janvier ene enero gen gennaio sty styczen stycznia janeiro januari",
    "feb february februar feber fev fevr fevrier febrero febbraio lut luty lutego fevereiro februari",
    "mar march marz maerz mrz mars marzo marzec marca marco maart mrt",
    "apr april avr avril abr abril aprile kwi kwiecien kwietnia",
    "may mai mayo mag maggio maj maja maio mei",
    "jun june juni juin junio giu giugno cze czerwiec czerwca junho",
    "jul july juli juil juillet julio lug luglio lip lipiec lipca julho",
    "aug august aout ago agosto sie sierpien sierpnia augustus",
    "sep sept september septembre septiembre setiembre set settembre wrz wrzesien wrzesnia setembro",
    "oct october okt oktober octobre octubre ott ottobre paz pazdziernik pazdziernika out outubro",
    "nov november novembre noviembre lis listopad listopada novembro",
    "dec december dez dezember decembre dic diciembre dicembre gru grudzien grudnia dezembro",
)
"""The words of each month: English, German, French, Spanish, Italian, Polish, Portuguese and Dutch."""

_NUMBERED = " ".join(f" {word}={at:02}" for at, words in enumerate(MONTHS, start=1) for word in words.split())
"""Each word after a blank, with its number: one look-up, where a CASE would repeat the text for every word."""

_YEAR = "(?:19|20|21)[0-9]{2}"
_SHAPES = (
    f"^[0-9]{{1,2}}(?:[.]|st|nd|rd|th|er|o)?[-/ ]*(?:de |of )?[a-z]{{3,}}[.]?[-/, ]*(?:de )?{_YEAR}(?: ?r[.])?$",
    f"^[a-z]{{3,}}[.]?[- ]*[0-9]{{1,2}}(?:st|nd|rd|th)?,?[- ]+{_YEAR}$",
    f"^{_YEAR}[-/. ][a-z]{{3,}}[.]?[-/ ][0-9]{{1,2}}$",
)
"""29 Jan 2024, 29JAN2024 and 1er janvier 2024, Jan 29, 2024, 2024-Jan-29."""

_WEEKDAYS = (
    "mon tue wed thu fri sat sun mo di mi do fr sa so lun dim gio ven sab dom pon wto sro czw pia "
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag "
    "sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo "
    "lunedi martedi mercoledi giovedi venerdi domenica poniedzialek wtorek sroda czwartek piatek sobota niedziela "
    "segunda-feira terca-feira quarta-feira quinta-feira sexta-feira maandag dinsdag woensdag donderdag vrijdag "
    "zaterdag zondag"
)
_WEEKDAY = f"^(?:{_WEEKDAYS.replace(' ', '|')})[.]?,? +"


def named_date(cell: str) -> str:
    """SQL of a date with a month's name as year-month-day in digits; null for any other text.

    Args:
        cell: SQL of the trimmed text, without a time of day.
    """
    plain = f"replace(lower(strip_accents(nfc_normalize({cell}))), 'ł', 'l')"
    plain = f"regexp_replace({plain}, {literal(_WEEKDAY)}, '')"
    word = f"regexp_extract({plain}, '(?:^|[^a-z]|[0-9](?:st|nd|rd|th|er|o)?)([a-z]{{3,}})', 1)"
    found = f"nullif(instr({literal(_NUMBERED)}, ' ' || {word} || '='), 0)"
    month = f"substr({literal(_NUMBERED)}, {found} + length({word}) + 2, 2)"
    day = f"regexp_extract({plain}, '(^|[^0-9])([0-9]{{1,2}})([^0-9]|$)', 2)"
    shape = f"regexp_matches({plain}, {literal('|'.join(_SHAPES))})"
    return f"case when {shape} then regexp_extract({plain}, '{_YEAR}') || '-' || {month} || '-' || {day} end"
