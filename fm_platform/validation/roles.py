"""Roles of study.yaml as declared columns: subjects, visits, dates and the attributes of a subject.

Belongs here: reading ``columns:``, ``population:`` and ``strata:``. Does not belong here: instruments,
outcomes and units (``columns``).
"""

from __future__ import annotations

from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.validation.declared import AGE_RANGE, DATE, NUMBER, DeclaredColumn

DATED_ROLES = ("start", "first_dose")
"""Attributes of a subject that are dates: study day 1, and the first dose."""


def subject_sources(study: Study) -> tuple[str, ...]:
    """The sources with one row a subject."""
    return tuple(name for name, source in study.clinical.items() if source.grain == "subject")


def visit_sources(study: Study) -> tuple[str, ...]:
    """The sources whose staged rows are visits."""
    return tuple(name for name, source in study.clinical.items() if source.by_visit)


def label_columns(study: Study, role: str) -> list[str]:
    """Names under which study.yaml may label a role's levels: the role, and the columns that play it."""
    played = [source.role(role) for source in study.clinical.values()]
    return list(dict.fromkeys([role, *(name for name in played if name)]))


def subject_role(study: Study, name: str) -> str:
    """The attribute role that a name under ``population:`` or ``strata:`` means."""
    return subject_level_columns(study)[name].role


def role_columns(study: Study, name: str, source: ClinicalSource) -> list[DeclaredColumn]:
    """The columns listed under ``columns:``."""
    found = []
    by_visit = source.by_visit
    for role, names in source.columns.items():
        for column in names:
            if role == "subject":
                found.append(DeclaredColumn(name, column, "subject", role=role))
            elif role == "visit" and by_visit:
                found.append(DeclaredColumn(name, column, "visit", role=role))
            elif role == "date":
                found.append(DeclaredColumn(name, column, "date", DATE, role=role))
            elif role in DATED_ROLES:
                found.append(DeclaredColumn(name, column, "attribute", DATE, role=role))
            elif role == "missing_reason":
                found.append(DeclaredColumn(name, column, "missing_reason", role=role))
            elif role == "age":
                low, high = AGE_RANGE
                found.append(DeclaredColumn(name, column, "attribute", NUMBER, low, high, role=role))
            else:
                found.append(DeclaredColumn(name, column, "attribute", role=role))
    return found


def subject_level_columns(study: Study) -> dict[str, DeclaredColumn]:
    """The attribute behind every name of ``population:`` and ``strata:``.

    A name is a role, or a file column that has a role, or else a further column of the first source with one
    row a subject (of the first source of all, where no such source exists).
    """
    names = [*study.population, *([study.strata] if study.strata else [])]
    by_grain = [*subject_sources(study), *visit_sources(study)]
    found: dict[str, DeclaredColumn] = {}
    for name in names:
        candidates = [
            entry for source in by_grain for entry in role_columns(study, source, study.clinical[source])
        ]
        attributes = [entry for entry in candidates if entry.kind == "attribute"]
        named = [entry for entry in attributes if entry.role == name]
        held = [entry for entry in attributes if entry.column == name]
        if named or held:
            found[name] = (named or held)[0]
        elif by_grain:
            found[name] = DeclaredColumn(by_grain[0], name, "attribute", role=name)
        else:
            key = "population" if name in study.population else "strata"
            raise study.error(
                f"{key}: {name!r} needs a clinical source",
                key,
                mend="declare the source that has this column",
            )
    return found
