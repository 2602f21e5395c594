"""The chain of records: what it accepts, and what it says about every kind of break."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.warehouse.ledger import GENESIS, LedgerRecord, canonical, first_break, link

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def chain(count: int = 5) -> list[LedgerRecord]:
    records: list[LedgerRecord] = []
    previous = (0, GENESIS)
    for number in range(1, count + 1):
        record = link(previous, "source", "run-1", {"number": number, "name": "Müller"})
        records.append(record)
        previous = (record.seq, record.hash)
    return records


def head_of(records: list[LedgerRecord]) -> tuple[int, str]:
    return (records[-1].seq, records[-1].hash)


def documented_hash(record: LedgerRecord) -> str:
    fields = ["at", "body", "kind", "prev_hash", "run_id", "seq"]
    parts = [f"{json.dumps(name)}:{json.dumps(getattr(record, name), ensure_ascii=False)}" for name in fields]
    return hashlib.sha256(("{" + ",".join(parts) + "}").encode()).hexdigest()


def rehash(records: list[LedgerRecord], start: int) -> list[LedgerRecord]:
    """What a forger does who rewrites the chain from a record on."""
    forged = list(records)
    for at in range(start, len(forged)):
        previous = forged[at - 1].hash if at else GENESIS
        forged[at] = replace(forged[at], prev_hash=previous)
        forged[at] = replace(forged[at], hash=documented_hash(forged[at]))
    return forged


def test_an_untouched_chain_holds():
    records = chain()
    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert records[0].prev_hash == "0" * 64
    assert first_break(records, head_of(records)) is None


def test_an_empty_chain_holds():
    assert first_break([], (0, GENESIS)) is None


def test_the_hash_is_the_documented_one():
    for record in chain():
        assert record.hash == documented_hash(record)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "check"),
        ("at", "2020-01-01T00:00:00.000000+00:00"),
        ("run_id", "run-2"),
        ("body", '{"number":9}'),
    ],
)
@pytest.mark.parametrize("at", range(5))
def test_an_altered_field_is_found_at_its_record(field, value, at):
    records = chain()
    records[at] = replace(records[at], **{field: value})
    broken = first_break(records, head_of(records))
    assert broken is not None
    assert broken.startswith(f"ledger record {at + 1} ")
    assert broken.endswith("was altered after it was written")


@pytest.mark.parametrize("at", range(4))
def test_a_removed_record_is_missed_by_its_number(at):
    records = chain()
    head = head_of(records)
    del records[at]
    assert first_break(records, head) == f"ledger record {at + 1} is missing (found {at + 2} in its place)"


def test_a_cut_tail_contradicts_the_head():
    records = chain()
    assert (
        first_break(records[:-1], head_of(records)) == "audit.head does not name the last ledger record (4)"
    )
    assert first_break([], head_of(records)) == "audit.head does not name the last ledger record (0)"


def test_a_lost_head_is_found():
    assert first_break(chain(), None) == "audit.head does not name the last ledger record (5)"


def test_exchanged_records_are_found():
    records = chain()
    records[1], records[2] = records[2], records[1]
    assert first_break(records, head_of(records)) == "ledger record 2 is missing (found 3 in its place)"


def test_exchanged_contents_are_found():
    records = chain()
    second, third = records[1], records[2]
    records[1], records[2] = replace(third, seq=2), replace(second, seq=3)
    assert (
        first_break(records, head_of(records)) == "ledger record 2 (source) does not follow the one before it"
    )


def test_a_record_put_in_between_is_found():
    records = chain()
    between = link((2, records[1].hash), "source", "run-1", {"number": 99})
    records.insert(2, between)
    broken = first_break(records, head_of(records))
    assert broken == "ledger record 4 is missing (found 3 in its place)"


def test_a_forged_record_breaks_its_successor_unless_all_are_forged():
    records = chain()
    records[1] = replace(records[1], body='{"number":9}')
    records[1] = replace(records[1], hash=documented_hash(records[1]))
    assert (
        first_break(records, head_of(records)) == "ledger record 3 (source) does not follow the one before it"
    )
    forged = rehash(records, 2)
    assert first_break(forged, head_of(chain())) == "audit.head does not name the last ledger record (5)"


@pytest.mark.parametrize(
    "body", ['{"b": 1}', '{"b":1,"a":2}', '{"a":1,"a":2}', '{"a":1.50}', '{"a":"\\u00fc"}']
)
def test_a_body_that_is_not_canonical_is_found_even_with_a_right_hash(body):
    records = chain()
    records[2] = replace(records[2], body=body)
    forged = rehash(records, 2)
    assert first_break(forged, head_of(forged)) == "ledger record 3 (source) is not in canonical form"


def test_a_body_that_is_not_json_is_found():
    records = chain()
    records[2] = replace(records[2], body="no json")
    forged = rehash(records, 2)
    assert first_break(forged, head_of(forged)) == "ledger record 3 (source) has a body that is not JSON"


@given(JSON)
def test_canonical_json_is_the_same_after_a_round_trip_and_for_any_order_of_keys(value):
    text = canonical(value)
    assert canonical(json.loads(text)) == text
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": value})
