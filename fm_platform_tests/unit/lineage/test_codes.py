"""Sets of columns as bits."""

from __future__ import annotations

from fm_platform.lineage.links.codes import PART, Codes


def test_a_table_of_many_columns_is_numbered_in_parts_that_lead_back_to_names():
    codes = Codes()
    names = [f"c{place:03}" for place in range(3 * PART)]
    united = codes.united("raw.wide", names)
    assert len(united) == 4
    assert all(0 < bits < 2**63 for bits in united.values())
    assert codes.names("raw.wide", united.items()) == names
    part, bit = codes.column("raw.wide", "c100")
    assert codes.names("raw.wide", [(part, bit)]) == ["c100"]


def test_the_row_as_a_whole_is_no_column_of_another_table():
    codes = Codes()
    assert codes.column("raw.a", "x") == codes.column("raw.b", "y")
    assert codes.names("raw.a", [(0, 3)]) == ["", "x"]
    assert codes.names("raw.b", [(0, 3)]) == ["", "y"]
    assert codes.table("raw.a") != codes.table("raw.b")
