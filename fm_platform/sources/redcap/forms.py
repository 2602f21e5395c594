"""``format: redcap`` in study.yaml: one export that stands for one clinical source a form.

Belongs here: turning a declared export and its dictionary into sources with roles and a grain. Does not
belong here:
reading the export (``export``), rules on values (``validation``).
"""

from __future__ import annotations

from pydantic import SkipValidation

from fm_platform.errors import InputError
from fm_platform.sources.redcap.dictionary import Dictionary, ExportColumn, read_dictionary
from fm_platform.sources.redcap.events import Events, read_events
from fm_platform.sources.redcap.export import FormTable
from fm_platform.sources.redcap.header import EVENT, INSTANCE, STRUCTURE
from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.study.references import check_references


class FormSource(ClinicalSource):
    """One form of a REDCap export, as a clinical source.

    Attributes:
        export: The name of the export in study.yaml.
        form: The form's name.
        longitudinal: Whether rows have an event.
        repeats: Whether the form (or its event) repeats.
        fields: The form's columns in the export.
    """

    export: str
    form: str
    longitudinal: bool = False
    repeats: bool = False
    fields: SkipValidation[tuple[ExportColumn, ...]] = ()

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Columns that the dictionary marks as identifying a person."""
        return tuple(
            column.name for column in self.fields if column.field is not None and column.field.identifier
        )


def expand_redcap(study: Study) -> Study:
    """A study in which every REDCap export is replaced by its forms.

    A form becomes a source of its own name. Roles under ``columns:`` go to the form that has the field; the
    subject
    is the record id. A form has one row a subject when the project has no events, when ``subject_forms:``
    names it or
    when the event file gives it once an arm; a form under ``repeating:`` has several rows, which are
    aggregated; any
    other form has one row a visit, and the visit is the event.

    Raises:
        InputError: The dictionary or event file is missing or wrong, or study.yaml contradicts it.
    """
    exports = {name: source for name, source in study.clinical.items() if source.format == "redcap"}
    if not exports:
        return study
    clinical: dict[str, ClinicalSource] = {}
    for name, source in study.clinical.items():
        added = _forms(study, name, source) if name in exports else {name: source}
        for form in added:
            if form in clinical or (form != name and form in study.clinical and form not in exports):
                raise study.error(
                    f"two sources are called {form}",
                    "clinical",
                    name,
                    mend="rename the source in study.yaml; a form goes by its own name",
                )
        clinical.update(added)
    expanded = study.model_copy(update={"clinical": clinical})
    check_references(expanded)
    return expanded


def dictionary_of(study: Study, source: FormSource | ClinicalSource, name: str) -> Dictionary:
    """The dictionary of an export.

    Raises:
        InputError: As :func:`read_dictionary`.
    """
    assert source.dictionary is not None
    return read_dictionary(
        study.resolve(source.dictionary, "clinical", name, "dictionary"), source.dictionary
    )


def events_of(study: Study, source: ClinicalSource, name: str) -> Events | None:
    """The events of an export, if study.yaml names a file of them.

    Raises:
        InputError: As :func:`read_events`.
    """
    if source.events is None:
        return None
    return read_events(study.resolve(source.events, "clinical", name, "events"), source.events)


def _forms(study: Study, name: str, source: ClinicalSource) -> dict[str, ClinicalSource]:
    dictionary, events = dictionary_of(study, source, name), events_of(study, source, name)
    longitudinal = events is not None or source.role("visit") == EVENT
    for key, named in (("subject_forms", source.subject_forms), ("repeating", tuple(source.repeating))):
        for form in named:
            if form not in dictionary.forms:
                raise study.error(
                    f"{key}: the dictionary has no form {form!r}",
                    "clinical",
                    name,
                    key,
                    mend=f"use one of: {', '.join(dictionary.forms)}",
                )
    roles = _roles(study, name, source, dictionary)
    forms: dict[str, ClinicalSource] = {}
    for form in dictionary.forms:
        once = form in source.subject_forms or (events is not None and events.once_an_arm(form))
        repeats = form in source.repeating
        grain = "record" if repeats else "visit" if longitudinal and not once else "subject"
        columns = {"subject": (dictionary.record_id.name,), **roles.get(form, {})}
        if longitudinal and not once:
            columns["visit"] = (EVENT,)
        if repeats:
            columns.setdefault("order", (INSTANCE,))
        forms[form] = FormSource(
            path=source.path,
            pick=source.pick,
            format="redcap",
            dictionary=source.dictionary,
            events=source.events,
            grain=grain,
            aggregate=source.repeating.get(form),
            columns=columns,
            missing=source.missing,
            dates=source.dates or "ymd",
            aliases={
                k: v for k, v in source.aliases.items() if k in {c.name for c in dictionary.columns_of(form)}
            },
            units={
                k: v for k, v in source.units.items() if k in {c.name for c in dictionary.columns_of(form)}
            },
            export=name,
            form=form,
            longitudinal=longitudinal,
            repeats=repeats,
            fields=dictionary.columns_of(form),
        )
    return forms


def _roles(
    study: Study, name: str, source: ClinicalSource, dictionary: Dictionary
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Form to its roles, from the roles of the export."""
    form_of = {column.name: form for form in dictionary.forms for column in dictionary.columns_of(form)}
    first = dictionary.forms[0]
    roles: dict[str, dict[str, tuple[str, ...]]] = {}
    for role, columns in source.columns.items():
        if role == "subject" and columns != (dictionary.record_id.name,):
            raise study.error(
                f"the subject of a REDCap export is its record id, {dictionary.record_id.name!r}",
                "clinical",
                name,
                "columns",
                role,
                mend="drop `subject:`",
            )
        if role in ("subject", "visit"):
            continue
        for column in columns:
            if column in STRUCTURE and column not in (EVENT, INSTANCE):
                roles.setdefault(first, {})[role] = (column,)
                continue
            if column not in form_of:
                raise study.error(
                    f"{role}: the dictionary has no field {column!r}",
                    "clinical",
                    name,
                    "columns",
                    role,
                    mend="use the export's column name (a checkbox is field___code)",
                )
            mine = roles.setdefault(form_of[column], {})
            if role in mine:
                raise study.error(
                    f"{role}: {mine[role][0]} and {column} are in the same form",
                    "clinical",
                    name,
                    "columns",
                    role,
                    mend="name one field a form",
                )
            mine[role] = (column,)
    return roles


def structure_of(source: FormSource) -> tuple[str, ...]:
    """The columns about a row that a form's table has in any case."""
    groups = tuple(
        names[0] for role, names in source.columns.items() if role != "order" and names[0] in STRUCTURE
    )
    return tuple(dict.fromkeys([*groups, *((INSTANCE,) if source.repeats else ())]))


def require_declared_repeats(source: FormSource, read: FormTable, file: str) -> None:
    """Refuse an export whose events or repeated forms study.yaml does not know of.

    Raises:
        InputError: With the line of the first such row.
    """
    events = EVENT in read.delivered
    if events != source.longitudinal:
        raise InputError(
            "the export has events, which study.yaml does not say" if events else "the export has no events",
            file=file,
            line=read.table.header_line,
            column=EVENT,
            mend=f"add `events:` (the project's event file) to `clinical: {source.export}:` in study.yaml"
            if events
            else "export all events, or drop `events:` in study.yaml",
        )
    line = read.repeats
    if line is not None and not source.repeats:
        raise InputError(
            f"form {source.form} repeats here, which study.yaml does not say",
            file=file,
            line=line,
            column=INSTANCE,
            mend=f"add `repeating: {{{source.form}: last}}` (or mean, median, first, min, max) to `clinical: "
            f"{source.export}:` in study.yaml",
        )
