"""A home: bound to one study, its state readable or refused, its files never half written."""

from __future__ import annotations

import pytest

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.warehouse.home import Home, write_atomically


def test_a_new_home_is_bound_to_nothing(tmp_path):
    home = Home(tmp_path / "never made")
    assert home.state() == {}
    assert home.bound_study() is None
    home.check_binding("any-study")
    assert not home.path.exists()


def test_a_bound_home_refuses_another_study(home, tmp_path):
    home.write_state({"study": {"id": "fm-one", "folder": str(tmp_path)}})
    assert home.bound_study() == ("fm-one", tmp_path)
    home.check_binding("fm-one")
    with pytest.raises(InputError, match=r"belongs to study 'fm-one', not 'fm-two'.*--home"):
        home.check_binding("fm-two")


def test_state_that_is_not_json_names_the_line_and_the_mend(home):
    home.state_file.write_text('{\n "study":\n}')
    with pytest.raises(EnvironmentFailure, match=r"state\.json:3: is not valid JSON.*delete this file"):
        home.state()


def test_state_survives_a_round_trip(home):
    home.write_state({"a": {"ü": [1, None, "x"]}})
    assert home.state() == {"a": {"ü": [1, None, "x"]}}


def test_a_home_that_cannot_be_made_is_an_environment_failure(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match=r"cannot be created.*--home"):
        Home(tmp_path / "file" / "home").ensure()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        write_atomically(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (target / "old").read_text() == "old"
