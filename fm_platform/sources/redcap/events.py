"""The event file of a longitudinal REDCap project: its events, or which form is given at which event.

Belongs here: reading either of the two files that REDCap offers. Does not belong here: exports, study.yaml.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.sources.records import read_records

_LABEL = re.compile(r"^(?P<event>.*?)(?: \(Arm (?P<arm>\d+): .*\))?$", re.DOTALL)


@dataclass(frozen=True)
class Events:
    """The events of a project.

    Attributes:
        names: Unique event names, in order.
        labels: (event name as people read it, arm number) to unique name.
        forms: Form to the unique names of the events at which it is given; empty when the file does not say.
    """

    names: tuple[str, ...] = ()
    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    forms: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def unique_name(self, text: str) -> str:
        """The unique name that a label export means by an event; the text itself where it is not known."""
        if text in self.names:
            return text
        match = _LABEL.match(text)
        assert match is not None
        arm = match["arm"] or "1"
        return self.labels.get((match["event"], arm), text)

    def once_an_arm(self, form: str) -> bool:
        """Whether the file says that a form is given at one event only in every arm."""
        arms = [name.rpartition("_arm_")[2] for name in self.forms.get(form, ())]
        return bool(arms) and len(arms) == len(set(arms))


def read_events(path: Path, name: str) -> Events:
    """Read a list of events, or the mapping of forms to events.

    The list has the columns ``event_name,arm_num,unique_event_name``, the mapping
    ``arm_num,unique_event_name,form``.

    Raises:
        InputError: The file has no column ``unique_event_name``.
    """
    records = read_records(path, name)
    header = [heading.strip().casefold() for heading in records.rows[0]]
    if "unique_event_name" not in header:
        raise InputError(
            "this is no event file of REDCap: no column 'unique_event_name'",
            file=name,
            line=records.lines[0],
            column="unique_event_name",
            mend="export the events, or the form-event mapping, as CSV",
        )
    rows = [dict(zip(header, row, strict=False)) for row in records.rows[1:]]
    forms: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if row.get("form"):
            forms[row["form"]] = (*forms.get(row["form"], ()), row["unique_event_name"])
    return Events(
        tuple(dict.fromkeys(row["unique_event_name"] for row in rows)),
        {
            (row["event_name"], row.get("arm_num", "1")): row["unique_event_name"]
            for row in rows
            if "event_name" in row
        },
        forms,
    )
