"""What columns are called in nine languages, as lists: people, visits, dates, sex, age, sites, arms, no value.

Belongs here: the words, and whether a heading has one. Does not belong here: what a column holds (``structure``).

Words are stems without accents in lower case, in English, German, French, Spanish, Italian, Polish, Portuguese, Dutch
and Chinese. A long stem may stand anywhere in a heading, one of five letters begins or ends a word (Visitendatum), and
a shorter one is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_LONG = 5

WORDS: dict[str, Sequence[str]] = {
    "subject": (
        "subject subj patient pat participant pseudonym proband usubjid subjid record case person probant teilnehm "
        "sujet sujeto paciente paziente soggetto pacjent uczestni badan utente participante doente "
        "deelnemer proefpersoon "
        "患者 病人 受试者 编号"
    ).split(),
    "visit": (
        "visit visite visita wizyt bezoek besuch zeitpunkt termin timepoint event week month wave woche monat semaine "
        "mois "
        "semana mes settimana mese tydzien tygod miesiac maand consulta kontroll 访视 随访 时间点"
    ).split(),
    "date": "date datum data fecha dzien 日期".split(),
    "birth": (
        "birth born dob dofb geburt geb naissance nacimiento nascita nascimento urodz geboorte 出生 生日"
    ).split(),
    "sex": "sex gender geschlecht sexe sexo sesso plec geslacht 性别".split(),
    "age": "age alter edad eta idade wiek leeftijd jahre 年龄".split(),
    "site": "site center centre zentrum centro osrodek centrum klinik hospital 中心 医院".split(),
    "arm": (
        "arm treat treatment allocation behandlung traitement tratamiento trattamento tratamento ramie leczenie "
        "behandeling studienarm gruppe groupe grupo gruppo grupa groep 组别 分组"
    ).split(),
    "pain": "pain schmerz douleur dolor dolore bol bolu dor pijn 疼痛".split(),
}  # fmt: skip
"""Role to the stems that name it."""

NO_VALUE = (
    "NA", "N/A", "n/a", ".", "-", "NULL", "missing", "unknown", "not done", "ND", "n.d.", "k.A.", "k. A.",
    "keine Angabe", "fehlt", "fehlend", "unbekannt", "n.v.t.", "onbekend", "ontbreekt", "NC", "N.C.",
    "non renseigné", "manquant", "inconnu", "s/d", "sin datos", "desconocido", "n.d", "non disponibile",
    "mancante", "b/d", "b.d.", "bd", "brak", "brak danych", "nie dotyczy", "sem dados", "desconhecido",
    "N/D", "缺失", "无", "未知", "#N/A", "#N/D", "#NV",
)  # fmt: skip
"""Texts that mean "no value"."""


def fold(heading: str) -> str:
    """A heading without accents."""
    decomposed = unicodedata.normalize("NFKD", heading.replace("ł", "l").replace("Ł", "L").replace("ß", "ss"))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def is_named(heading: str, role: str) -> bool:
    """Whether a heading has a word for a role.

    Args:
        heading: The column's name as delivered.
        role: A key of :data:`WORDS`.
    """
    text = fold(heading).casefold()
    words = re.findall(r"[^\W\d_]+", text)
    return any(_stands_in(stem, text, words) for stem in WORDS[role])


def _stands_in(stem: str, text: str, words: Sequence[str]) -> bool:
    if len(stem) > _LONG or not stem.isascii():
        return stem in text
    if len(stem) == _LONG:
        return any(word.startswith(stem) or word.endswith(stem) for word in words)
    return stem in words
