"""The generated model ``staging.stg_subjects``: who the subjects are and which of them count.

Belongs here: attributes of a subject gathered from the sources that hold them, population and stratum. Does
not belong here: anything with a visit.
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.sql.model import GeneratedModel
from fm_platform.study.model import Study
from fm_platform.validation.declared import NUMBER, SUBJECT_ID, TEXT, DeclaredColumn
from fm_platform.validation.expressions import texts
from fm_platform.validation.roles import subject_role, subject_sources, visit_sources
from fm_platform.warehouse.names import identifier

_ATTRIBUTES = {"sex": TEXT, "age": NUMBER, "arm": TEXT, "site": TEXT}
_DECLARED = "the attributes that study.yaml declares; null (in_population: true) where it declares none"
_DESCRIPTIONS = {
    SUBJECT_ID: "The subject.",
    "sex": "Sex as delivered.",
    "age": "Age in years; the lowest one delivered, where it stands at every visit.",
    "arm": "Treatment arm as delivered.",
    "site": "Study site as delivered.",
    "stratum": "The level of the strata column; null where no strata are declared.",
    "in_population": "Whether the subject counts in denominators.",
}


def subjects_model(study: Study, columns: Sequence[DeclaredColumn]) -> GeneratedModel:
    """One row a subject.

    Subjects are those of the sources with one row a subject, or, without such a source, everyone who has a
    visit. An attribute comes from the sources with one row a subject that declare it, else from visit rows.
    """
    population = {name: subject_role(study, name) for name in study.population}
    stratum = subject_role(study, study.strata) if study.strata else None
    wanted = list(dict.fromkeys([*_ATTRIBUTES, *population.values(), *([stratum] if stratum else [])]))
    holders = {role: _holders(study, columns, role) for role in wanted}
    base = subject_sources(study) or visit_sources(study)
    sources = list(dict.fromkeys([*base, *(entry.source for found in holders.values() for entry in found)]))
    aliases = {source: f"s{position}" for position, source in enumerate(sources, start=1)}

    def value(role: str) -> str:
        found = [f"{aliases[entry.source]}.{identifier(entry.column)}" for entry in holders[role]]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    outputs = {
        name: value(name) if holders[name] else f"cast(null as {kind})" for name, kind in _ATTRIBUTES.items()
    }
    outputs["stratum"] = f"cast({value(stratum)} as varchar)" if stratum else "cast(null as varchar)"
    conditions = [
        f"cast({value(role)} as varchar) in {texts(study.population[name])}"
        for name, role in population.items()
    ]
    outputs["in_population"] = (
        f"case when {' and '.join(conditions)} then true else false end" if conditions else "true"
    )
    listed = ",\n    ".join(f"{sql} as {name}" for name, sql in outputs.items())
    joined = "".join(
        f"\nleft join {_cte(source)} as {aliases[source]} on s.{SUBJECT_ID} = {aliases[source]}.{SUBJECT_ID}"
        for source in sources
    )
    everyone = "\n    union\n    ".join(
        f"select {SUBJECT_ID} from {_staged(source)} group by {SUBJECT_ID}" for source in base
    )
    one_a_subject = "".join(_grouped(source, holders) for source in sources)
    sql = f"""with subjects as (
    {everyone}
){one_a_subject}
select
    s.{SUBJECT_ID} as {SUBJECT_ID},
    {listed}
from subjects as s{joined}
"""
    return GeneratedModel(
        name="staging.stg_subjects",
        sql=sql,
        description="One row a subject, with the attributes that tables and denominators use.",
        columns=_DESCRIPTIONS,
        key=(SUBJECT_ID,),
        constants={name: _DECLARED for name in _DESCRIPTIONS if name != SUBJECT_ID},
    )


def _holders(study: Study, columns: Sequence[DeclaredColumn], role: str) -> list[DeclaredColumn]:
    """The columns that hold an attribute; visit rows only where no source has one row a subject."""
    found = [entry for entry in columns if entry.kind == "attribute" and entry.role == role]
    by_subject = [entry for entry in found if entry.source in subject_sources(study)]
    return by_subject or found


def _grouped(source: str, holders: dict[str, list[DeclaredColumn]]) -> str:
    """A CTE with one row a subject. Where an attribute differs between visits, the lowest value is taken."""
    held = dict.fromkeys(
        entry.column for found in holders.values() for entry in found if entry.source == source
    )
    listed = "".join(f",\n        min({identifier(name)}) as {identifier(name)}" for name in held)
    return f""",
{_cte(source)} as (
    select
        {SUBJECT_ID}{listed}
    from {_staged(source)}
    group by {SUBJECT_ID}
)"""


def _cte(source: str) -> str:
    return f"of_{source}"


def _staged(source: str) -> str:
    return f"{{{{ source('staging', '{source}') }}}}"
