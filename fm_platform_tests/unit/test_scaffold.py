"""``fm init``: the written study is one that loads, and is refused only for having no rows yet."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fm_platform.drafting.scaffold import write_study
from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.study.loading import load_study
from fm_platform_tests.e2e.conftest import run_fm


def test_the_written_study_loads_and_its_files_are_where_it_says(tmp_path):
    written = write_study(tmp_path / "my-study")
    study = load_study(tmp_path / "my-study")
    assert study.study.id == "my-study"
    assert not study.study.synthetic
    for name, source in study.clinical.items():
        path = study.resolve(source.path, "clinical", name, "path")
        assert path in written
        header = next(csv.reader(path.read_text().splitlines()))
        assert {column for columns in source.columns.values() for column in columns} <= set(header)
    assert len(written) == 3


def test_the_visit_template_has_a_column_for_every_item(tmp_path):
    write_study(tmp_path / "s")
    header = (tmp_path / "s/clinical/visits.csv").read_text().strip().split(",")
    assert [f"fiqr_q{n}" for n in range(1, 22)] == [name for name in header if name.startswith("fiqr_q")]
    assert {"jaw_l", "neck", "abdomen", "fatigue", "unrefreshed", "cognitive"} <= set(header)
    assert len(header) == len(set(header))


@pytest.mark.parametrize("name", ["2024 trial", "Étude n°5", "a b (final)", "--", "x"])
def test_any_folder_name_gives_a_study_id_that_loads(tmp_path: Path, name):
    write_study(tmp_path / name)
    assert load_study(tmp_path / name).study.id


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="the folder is not empty"):
        write_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_is_an_environment_failure(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match=r"study\.yaml: cannot be written"):
        write_study(tmp_path / "file" / "study")


def test_an_empty_folder_is_used(tmp_path):
    assert write_study(tmp_path)


def test_a_refresh_of_the_untouched_template_names_the_empty_file(tmp_path):
    study, home = tmp_path / "new-study", tmp_path / "home"
    made = run_fm("init", str(study))
    assert made.code == 0
    assert f"fm refresh --study {study}" in made.out
    outcome = run_fm("refresh", "--study", str(study), "--home", str(home))
    assert outcome.code == 2, outcome.err
    assert "clinical/participants.csv" in outcome.err
    assert "Mend:" in outcome.err
    assert "internal error" not in outcome.err
