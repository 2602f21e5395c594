"""Datasets, variables, methods and comments of Define-XML, as values.

Belongs here: what each variable of ``marts.adsl`` and ``marts.adqs`` is called, how it looks and where it comes from.
Does not belong here: XML (``define_xml``), reading a publication (``analysis_data``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fm_platform.lineage.exchange.cdisc.analysis_data import ADQS, ADSL, AnalysisData, Parameter, Shape
from fm_platform.lineage.exchange.cdisc.origins import Origin, origin_of
from fm_platform.lineage.exchange.inventory import ColumnFacts, TableFacts


@dataclass(frozen=True)
class Dataset:
    """An analysis dataset: its table, ADaM class and structure in words."""

    name: str
    table: str
    label: str
    adam_class: str
    structure: str
    repeating: bool

    @property
    def oid(self) -> str:
        """Its OID."""
        return f"IG.{self.name}"

    @property
    def leaf(self) -> str:
        """The id of the file it leaves in."""
        return f"LF.{self.name}"


DATASETS = (
    Dataset(
        "ADSL",
        ADSL,
        "Subject-Level Analysis Dataset",
        "SUBJECT LEVEL ANALYSIS DATASET",
        "One record per subject",
        repeating=False,
    ),
    Dataset(
        "ADQS",
        ADQS,
        "Questionnaire Analysis Dataset",
        "BASIC DATA STRUCTURE",
        "One record per subject per parameter per analysis visit",
        repeating=True,
    ),
)


@dataclass(frozen=True)
class Variable:
    """A variable, or the value of ``AVAL`` for one parameter.

    Attributes:
        oid: Its OID.
        shape: How its values look.
        origin: Where it comes from.
        mandatory: Whether a passed check says that it is never empty.
        key: Its place in the dataset's key, from 1.
        code_list: OID of the list of its values.
        comment: OID of a comment on it.
        where: OID of the condition, for a value.
    """

    oid: str
    name: str
    label: str
    shape: Shape
    origin: Origin
    mandatory: bool = False
    key: int | None = None
    code_list: str | None = None
    comment: str | None = None
    where: str | None = None

    @property
    def method(self) -> str | None:
        """OID of its derivation, if it is derived."""
        return f"MT.{self.oid.removeprefix('IT.')}" if self.origin.type == "Derived" else None


@dataclass(frozen=True)
class CodeList:
    """The values a variable takes: coded value to decode, or to None where the value says it itself."""

    oid: str
    name: str
    type: str
    items: Mapping[str, str | None]


PARAMETER_OID = "IT.ADQS.PARAMCD"
VALUE_LIST = "VL.ADQS.AVAL"
FEW = "COM.LEVELS"
NO_DATA = "COM.NODATA"
_FLAG = CodeList("CL.Y", "Yes only", "text", {"Y": "Yes"})
_YES_NO = CodeList("CL.NY", "Yes or no", "text", {"Y": "Yes", "N": "No"})
_DERIVED = CodeList("CL.DTYPE", "Derivation type", "text", {"LOCF": "Last observation carried forward"})
_SOURCES = CodeList(
    "CL.SRCDOM",
    "Staged tables",
    "text",
    {
        "staging.stg_instrument_scores": "Scores of the instruments",
        "staging.stg_measures": "Plain numbers of a visit",
    },
)
_SOURCE_COLUMN = CodeList("CL.SRCVAR", "Columns of the staged tables", "text", {"value": "The value"})


def code_lists(data: AnalysisData) -> dict[str, CodeList]:
    """The code list of every variable that has one, by the variable's OID."""
    found = {
        "IT.ADSL.POPFL": _YES_NO,
        "IT.ADQS.ABLFL": _FLAG,
        "IT.ADQS.ANL01FL": _FLAG,
        "IT.ADQS.DTYPE": _DERIVED,
        "IT.ADQS.SRCDOM": _SOURCES,
        "IT.ADQS.SRCVAR": _SOURCE_COLUMN,
        PARAMETER_OID: CodeList(
            "CL.PARAMCD", "Parameters", "text", {entry.code: entry.label for entry in data.parameters}
        ),
        "IT.ADQS.AVISIT": CodeList(
            "CL.AVISIT", "Analysis visits", "text", {visit.label: None for visit in data.visits}
        ),
        "IT.ADQS.AVISITN": CodeList(
            "CL.AVISITN",
            "Analysis visits in order",
            "integer",
            {str(visit.position): visit.label for visit in data.visits},
        ),
    }
    for column, levels in data.levels.items():
        if levels:
            found[f"IT.ADSL.{column}"] = CodeList(
                f"CL.{column}", f"Levels of {column}", "text", dict.fromkeys(levels)
            )
    return {oid: listed for oid, listed in found.items() if listed.items}


def variables(data: AnalysisData, dataset: Dataset) -> list[Variable]:
    """The variables of a dataset, in its order."""
    table = data.inventory.tables[dataset.table]
    lists = code_lists(data)
    return [_variable(data, dataset, table, column, lists) for column in table.own_columns]


def _variable(
    data: AnalysisData,
    dataset: Dataset,
    table: TableFacts,
    column: ColumnFacts,
    lists: Mapping[str, CodeList],
) -> Variable:
    oid = f"IT.{dataset.name}.{column.name}"
    shape = data.shapes[dataset.table, column.name]
    held = {check.name for check in table.checks if check.passed and check.blocking}
    listed = lists.get(oid)
    comment = NO_DATA if shape.empty else FEW if column.name in data.levels else None
    return Variable(
        oid,
        column.name,
        column.description,
        shape,
        origin_of(data.inventory, dataset.table, column.name),
        mandatory=f"not_null_{column.name}" in held,
        key=table.key.index(column.name) + 1 if column.name in table.key else None,
        code_list=listed.oid if listed else None,
        comment=comment,
    )


def values_of_aval(data: AnalysisData) -> Iterator[Variable]:
    """AVAL of every parameter that has a value."""
    for parameter in data.parameters:
        if parameter.code in data.values:
            yield Variable(
                f"IT.ADQS.AVAL.{parameter.code}",
                parameter.code,
                parameter.label,
                data.values[parameter.code],
                _origin(data, parameter),
                mandatory=True,
                where=where_parameter(parameter),
            )


def where_parameter(parameter: Parameter) -> str:
    """OID of the condition that a record is of a parameter."""
    return f"WC.ADQS.PARAMCD.{parameter.code}"


def _origin(data: AnalysisData, parameter: Parameter) -> Origin:
    if parameter.variable:
        return Origin("Predecessor", f"staging.stg_measures.value; delivered as {parameter.variable}")
    rule = data.scoring.get(str(parameter.score), "By the rules of its instrument.")
    return Origin(
        "Derived",
        f"Score {parameter.score}. {rule} In exact whole numbers: value_exact divided by value_scale of "
        "staging.stg_instrument_scores.",
    )
