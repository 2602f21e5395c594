"""ADaM parameter codes of the library, and those made for a study."""

from __future__ import annotations

import pytest

from fm_platform.catalog.clinical.parameters import parameters
from fm_platform.instruments.registry import library_ids, load_instrument
from fm_platform.study.loading import load_study

STUDY = """
study: {id: codes, title: Codes}
clinical: {visits: {path: v.csv, grain: visit, columns: {subject: s, visit: v}}}
visits: [{id: b, baseline: true}]
outcomes:
  - {id: pain_at_rest_left, column: visits.a, range: [0, 10]}
  - {id: pain_at_rest_right, column: visits.b, range: [0, 10]}
"""


@pytest.mark.parametrize("name", library_ids())
def test_codes_of_the_library_are_distinct_and_short(name):
    codes = [score.paramcd for score in load_instrument(name).scores]
    assert len(set(codes)) == len(codes)
    assert all(code is not None and len(code) <= 8 for code in codes)


def test_plain_columns_get_a_code_of_their_own(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    found = parameters(load_study(tmp_path), [load_instrument("fiqr")])
    assert found["paramcd"].to_list()[-2:] == ["PAINATRE", "PAINATR2"]
    assert found["paramcd"].is_unique().all()
    assert found["paramn"].to_list() == list(range(1, found.height + 1))
