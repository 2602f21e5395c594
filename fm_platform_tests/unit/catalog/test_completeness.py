"""A published column without a path to a source is refused before anything runs, and again when a table is written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fm_platform.catalog.asset import Asset, Built, columns
from fm_platform.catalog.completeness import constants_of, require_paths, with_lineage
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.models import CHECKOUT, model_asset
from fm_platform.errors import InputError
from fm_platform.sql.loader import load_models
from fm_platform.study.loading import load_study
from fm_platform.warehouse.table import direct
from fm_platform_tests.e2e.conftest import run_fm
from fm_platform_tests.unit.catalog.tiny_study import write_tiny_study

DATA = Path(__file__).resolve().parents[3] / "data"
KNOWN_WHEN_READ = {"expression.samples.subject_id", "expression.samples.visit_id"}
"""Columns that a sample sheet may lack: they are traced when it is read (an end-to-end test looks at them)."""
YML = """
version: 2
models:
  - name: pains
    description: Pains.
    meta: {key: [subject]}
    columns:
      - {name: subject, description: The subject.}
      - {name: unit, description: The unit.}
"""


def clinical_only(folder: Path) -> Path:
    """The demo without its expression half."""
    shutil.copytree(DATA / "demo", folder)
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    sections: list[list[str]] = []
    for line in text.splitlines():
        if line[:1].isalpha():
            sections.append([])
        if sections:
            sections[-1].append(line)
    kept = [
        section for section in sections if not section[0].startswith(("expression", "contrasts", "gene_sets"))
    ]
    (folder / "study.yaml").write_text(
        "\n".join("\n".join(section) for section in kept) + "\n", encoding="utf-8"
    )
    assert not load_study(folder).has_expression
    return folder


def lost(catalog: Catalog) -> list[str]:
    """Columns of a catalog that neither lead to a delivered file or to study.yaml nor say where they come from."""
    found: dict[tuple[str, str], bool] = {}

    def reaches(table: str, column: str) -> bool:
        if table.startswith(("raw.", "study.")):
            return True
        if (table, column) not in found:
            asset = catalog.assets[table]
            declared = next((c.constant for c in asset.columns if c.name == column), "")
            inputs = asset.lineage.get(column)
            found[table, column] = (
                bool(declared) if not inputs else all(reaches(i.table, i.column) for i in inputs)
            )
        return found[table, column]

    return [
        f"{table}.{column.name}"
        for table, asset in catalog.assets.items()
        for column in asset.columns
        if not column.name.startswith("_")
        and f"{table}.{column.name}" not in KNOWN_WHEN_READ
        and not reaches(table, column.name)
    ]


@pytest.mark.parametrize("study", ["demo", "gse229750", "clinical only", "tiny"])
def test_every_column_of_every_table_leads_to_a_source_or_says_where_it_comes_from(
    study: str, tmp_path: Path
) -> None:
    if study == "clinical only":
        folder = clinical_only(tmp_path / "study")
    else:
        folder = write_tiny_study(tmp_path / "study") if study == "tiny" else DATA / study
    catalog = build_catalog(folder)
    assert lost(catalog) == []
    assert all(asset.lineage for asset in catalog.assets.values() if asset.model is not None)


def assets_with(folder: Path, sql: str, yml: str = YML) -> list[Asset]:
    (folder / "marts").mkdir(exist_ok=True)
    (folder / "marts" / "pains.sql").write_text(sql)
    (folder / "marts" / "models.yml").write_text(yml)
    visits = Asset(
        table="raw.visits",
        description="Visits.",
        group="raw",
        kinds=(),
        key=("_row_id",),
        build=lambda _: Built(),
    )
    return [visits, *(model_asset(model, half="clinical", group="marts") for model in load_models(folder))]


SOURCE = "{{ source('raw', 'visits') }}"


@pytest.mark.parametrize("value", ["'mm'", "1 + 1", "null", "count(*) over ()"])
def test_a_column_of_a_model_that_comes_from_nothing_is_refused_by_name_file_and_line(
    tmp_path: Path, value: str
) -> None:
    assets = assets_with(tmp_path, f"select\n    v.subject,\n    {value} as unit\nfrom {SOURCE} as v")
    with pytest.raises(
        InputError, match=r"pains\.sql:3: column unit of marts\.pains has no path to a source"
    ) as found:
        with_lineage(assets)
    assert "constant" in str(found.value)


def test_a_constant_that_says_where_it_comes_from_is_accepted_and_handed_on(tmp_path: Path) -> None:
    yml = YML.replace("The unit.}", "The unit., meta: {constant: the unit of the scale}}")
    pains = with_lineage(assets_with(tmp_path, f"select v.subject, 'mm' as unit from {SOURCE} as v", yml))[1]
    assert constants_of(pains, pains.lineage) == {"unit": "the unit of the scale"}


def test_a_python_table_whose_contract_names_a_column_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assets = assets_with(tmp_path, f"select v.subject, v.unit from {SOURCE} as v")
    table = Asset(
        table="stats.worst", description="The worst.", group="stats", kinds=(), key=("worst",), build=lambda _: Built(),
        inputs=("marts.pains",), columns=columns(worst="The worst"), lineage={"worst": direct("marts.pains", "pain")},
    )  # fmt: skip
    with pytest.raises(
        InputError, match=r"column worst of stats\.worst .* its lineage names marts\.pains\.pain"
    ):
        with_lineage([*assets, table])
    good = replace(table, lineage={"worst": direct("marts.pains", "unit")})
    complete = {asset.table: asset for asset in with_lineage([*assets, good])}
    with pytest.raises(InputError, match=r"column worst of stats\.worst has no path"):
        require_paths(good, {"worst": ()}, complete)
    with pytest.raises(InputError, match="which is no input"):
        require_paths(replace(good, inputs=()), good.lineage, complete)


def test_a_broken_path_in_a_shipped_model_breaks_the_whole_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    shutil.copytree(CHECKOUT, models)
    model = models / "marts" / "adsl.sql"
    model.write_text(
        model.read_text(encoding="utf-8").replace("p.sex as SEX", "'F' as SEX"), encoding="utf-8"
    )
    monkeypatch.setattr("fm_platform.catalog.models.CHECKOUT", models)
    with pytest.raises(
        InputError, match=r"adsl\.sql:5: column SEX of marts\.adsl has no path to a source"
    ) as found:
        build_catalog(DATA / "demo")
    refreshed = run_fm("refresh", "--study", str(DATA / "demo"), "--home", str(tmp_path / "home"))
    assert refreshed.code == 2
    assert str(found.value) in refreshed.err


@pytest.mark.parametrize("named", [False, True])
def test_contrasts_rest_on_subjects_only_where_the_sheet_names_them(tmp_path: Path, named: bool) -> None:
    study = write_tiny_study(tmp_path / "study")
    text = (study / "study.yaml").read_text(encoding="utf-8")
    if named:
        text = text.replace("id: sample}", "id: sample, subject: remark}")
    contrast = '  - {id: c, design: "~ group", variable: group, level: b, reference: a}\n'
    (study / "study.yaml").write_text(f"{text}contrasts:\n{contrast}", encoding="utf-8")
    assets = build_catalog(study).assets
    for table, column in (("expression.fit_c", "fit_notes"), ("expression.contrasts", "status")):
        read = {(entry.table, entry.column) for entry in assets[table].lineage[column]}
        assert (("expression.samples", "subject_id") in read) == named
