"""The planner on literal histories: fresh, stale or blocked, and the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fm_platform.lineage.graph import Node
from fm_platform.lineage.history import History, Materialized, Verdict, as_state, fold, from_state
from fm_platform.lineage.plan import FileDigests, Plan, blocked_by, blocked_halves, make_plan, parts_of
from fm_platform.warehouse.ledger import GENESIS, LedgerRecord, link

STUDY: dict[tuple[str, ...], str] = {(): "none", ("clinical",): "study-1"}
SHA_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


def graph(delivery: Path) -> dict[str, Node]:
    nodes = (
        Node(table="raw.a", source_files=(delivery,), study_keys=("clinical",), code_version="c", half="clinical"),
        Node(table="quarantine.a", inputs=("raw.a",), code_version="c", half="clinical"),
        Node(table="staging.a", inputs=("raw.a", "quarantine.a"), code_version="c", half="clinical"),
        Node(table="stats.a", inputs=("staging.a",), code_version="c", half="clinical"),
        Node(table="raw.g", code_version="c", half="expression"),
        Node(table="files.report", inputs=("stats.a", "raw.a", "raw.g"), code_version="c",
             tolerates_blocked=True, shows_origin=True),
    )  # fmt: skip
    return {node.table: node for node in nodes}


@dataclass
class World:
    """A graph, a delivery and a ledger's latest facts, with the steps that change them."""

    nodes: dict[str, Node]
    delivery: Path
    study: dict[tuple[str, ...], str] = field(default_factory=lambda: dict(STUDY))
    history: History = field(default_factory=History)

    def plan(self, selected: set[str] | None = None, *, force: bool = False) -> Plan:
        return make_plan(self.nodes, self.history, self.study, FileDigests(), selected=selected, force=force)

    def states(self, **options: Any) -> dict[str, tuple[str, str]]:
        return {entry.table: (entry.state, entry.reason) for entry in self.plan(**options).entries}

    def materialize(self, table: str, digest: str, *, origin: str = "", failed: str = "") -> None:
        """Record that a table was made from what is there now."""
        halves = blocked_halves(self.nodes, self.history)
        parts = parts_of(self.nodes[table], self.history, self.study, FileDigests(), halves)
        body = {
            "table": table, "fingerprint": parts.fingerprint, "parts": parts.as_json(), "value_digest": digest,
            "full_digest": digest, "source_rows_digest": origin, "rows": 1,
        }  # fmt: skip
        made = {**self.history.materialized, table: Materialized(table, 1, "then", "run", body)}
        verdicts = {key: v for key, v in self.history.verdicts.items() if key[0] != table}
        if failed:
            verdicts[table, failed] = Verdict(table, failed, False, True, "Monday", {"blocking": True})
        self.history = replace(self.history, materialized=made, verdicts=verdicts)

    def refresh(self, digest: str = "v1") -> None:
        for table in self.plan().stale:
            self.materialize(table, f"{digest} of {table}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which everything was refreshed once."""
    delivery = tmp_path / "a.csv"
    delivery.write_text("one")
    made = World(graph(delivery), delivery)
    made.refresh()
    return made


def test_a_new_home_has_all_to_do_in_order(tmp_path):
    fresh = World(graph(tmp_path / "a.csv"), tmp_path / "a.csv")
    assert fresh.plan().stale == ["raw.a", "raw.g", "quarantine.a", "staging.a", "stats.a", "files.report"]
    assert {reason for _, reason in fresh.states().values()} == {"never materialized"}


def test_after_a_refresh_nothing_is_stale(world):
    assert set(world.states().values()) == {("fresh", "nothing it depends on changed")}


def test_a_changed_delivery_is_named_and_what_follows_runs(world):
    world.delivery.write_text("two")
    states = world.states()
    assert states["raw.a"] == ("stale", "source file changed: a.csv")
    assert states["quarantine.a"] == ("stale", "upstream raw.a will run")
    assert states["staging.a"] == ("stale", "upstream raw.a will run (and 1 more)")
    assert states["raw.g"][0] == "fresh"


def test_a_touched_but_equal_delivery_changes_nothing(world):
    world.delivery.write_text("two")
    world.delivery.write_text("one")
    assert world.plan().stale == []


def test_a_missing_delivery_is_a_change(world):
    world.delivery.unlink()
    assert world.states()["raw.a"][0] == "stale"


def test_a_changed_study_section_is_named(world):
    world.study["clinical",] = "study-2"
    assert world.states()["raw.a"] == ("stale", "study.yaml changed (clinical)")
    assert world.states()["raw.g"][0] == "fresh"


def test_changed_code_is_named(world):
    world.nodes["staging.a"] = replace(world.nodes["staging.a"], code_version="c2")
    states = world.states()
    assert states["staging.a"] == ("stale", "code or library version changed")
    assert states["stats.a"] == ("stale", "upstream staging.a will run")
    assert states["quarantine.a"][0] == "fresh"


def test_a_recomputed_input_of_the_same_content_stops_the_wave(world):
    world.delivery.write_text("two")
    world.materialize("raw.a", "v1 of raw.a")
    states = world.states()
    assert {table for table, (state, _) in states.items() if state == "stale"} == set()


def test_what_tells_of_records_is_made_again_with_every_table_it_tells_of(tmp_path):
    (tmp_path / "a.csv").write_text("one")
    nodes = {
        "raw.a": Node(table="raw.a", source_files=(tmp_path / "a.csv",)),
        "files.site": Node(table="files.site", inputs=("raw.a",), shows_records=("raw.a",)),
    }
    world = World(nodes, tmp_path / "a.csv")
    world.materialize("raw.a", "v1")
    world.materialize("files.site", "pages")
    assert world.plan().stale == []
    again = replace(world.history.materialized["raw.a"], seq=7)
    world.history = replace(world.history, materialized={**world.history.materialized, "raw.a": again})
    assert world.states()["files.site"] == ("stale", "a table that it tells of was made again")


def test_a_recomputed_input_of_other_content_is_named(world):
    world.delivery.write_text("two")
    world.materialize("raw.a", "v2 of raw.a")
    states = world.states()
    assert states["quarantine.a"] == ("stale", "input raw.a changed")


def test_a_moved_row_matters_only_to_what_shows_origins(world):
    world.materialize("raw.a", "v1 of raw.a", origin="moved")
    assert {t: s for t, s in world.states().items() if s[0] == "stale"} == {
        "files.report": ("stale", "origin of raw.a changed")
    }


def test_force_makes_fresh_assets_stale_and_says_so(world):
    assert world.states(force=True)["raw.g"] == ("stale", "forced")
    assert world.plan(force=True).stale == list(world.states())


def test_a_selection_limits_the_plan_and_takes_other_tables_as_they_are(world):
    world.delivery.write_text("two")
    assert world.states(selected={"staging.a"}) == {"staging.a": ("fresh", "nothing it depends on changed")}
    assert world.states(selected={"raw.a", "staging.a"})["staging.a"] == ("stale", "upstream raw.a will run")


# -- blocked -----------------------------------------------------------------------------------------------------

BECAUSE = "check limit of quarantine.a failed at Monday"


@pytest.fixture
def blocked(world: World) -> World:
    """A second delivery whose gate failed."""
    world.delivery.write_text("two")
    world.materialize("raw.a", "v2 of raw.a")
    world.materialize("quarantine.a", "v2 of quarantine.a", failed="limit")
    return world


def test_everything_downstream_of_a_failed_blocking_check_is_blocked(blocked):
    states = blocked.states()
    assert states["staging.a"] == ("blocked", BECAUSE)
    assert states["stats.a"] == ("blocked", BECAUSE)
    assert states["quarantine.a"][0] == "fresh"
    assert states["raw.g"][0] == "fresh"
    assert states["files.report"] == ("stale", "input raw.a changed")
    assert {entry.blocked_by.check for entry in blocked.plan().blocked} == {"limit"}


def test_force_and_selection_do_not_open_what_is_blocked(blocked):
    assert blocked.states(selected={"stats.a"}, force=True) == {"stats.a": ("blocked", BECAUSE)}


def test_a_mended_delivery_plans_the_failing_asset_and_what_follows(blocked):
    blocked.delivery.write_text("three")
    states = blocked.states()
    assert states["quarantine.a"] == ("stale", "upstream raw.a will run")
    assert states["staging.a"][0] == "stale"
    assert states["stats.a"][0] == "stale"


def test_a_new_verdict_opens_what_follows(blocked):
    blocked.materialize("quarantine.a", "v2 of quarantine.a")
    assert blocked.states()["staging.a"] == ("stale", "input raw.a changed")


def test_a_failed_check_that_does_not_block_blocks_nothing(world):
    verdict = Verdict("quarantine.a", "advice", False, False, "Monday", {"blocking": False})
    world.history = replace(world.history, verdicts={("quarantine.a", "advice"): verdict})
    assert world.plan().blocked == []


def test_only_the_half_with_the_failed_check_is_blocked(blocked):
    assert set(blocked_halves(blocked.nodes, blocked.history)) == {"clinical"}
    assert set(blocked_by(blocked.nodes, blocked.history)) == {"staging.a", "stats.a"}


def test_the_report_is_made_again_when_a_half_opens(blocked):
    blocked.materialize("files.report", "v2 of files.report")
    assert blocked.states()["files.report"][0] == "fresh"
    blocked.materialize("quarantine.a", "v2 of quarantine.a")
    for table in ("staging.a", "stats.a"):
        blocked.materialize(table, f"v1 of {table}")
    assert blocked.states()["files.report"] == ("stale", "a half became blocked or open again")


# -- history and its copy for readers ------------------------------------------------------------------------------


def ledger_of(*entries: tuple[str, Mapping[str, Any]]) -> list[LedgerRecord]:
    records: list[LedgerRecord] = []
    previous = (0, GENESIS)
    for kind, body in entries:
        records.append(link(previous, kind, "run", body))
        previous = (records[-1].seq, records[-1].hash)
    return records


def made(table: str, digest: str) -> tuple[str, dict[str, Any]]:
    parts = {"inputs": {}, "study": "s", "code": "c", "sources": [], "extra": {}}
    return "materialization", {
        "table": table, "value_digest": digest, "full_digest": digest, "fingerprint": "f", "parts": parts, "rows": 1,
    }  # fmt: skip


def check(table: str, name: str, passed: bool) -> tuple[str, dict[str, Any]]:
    return "check", {"table": table, "check": name, "passed": passed, "blocking": True}


LEDGER = ledger_of(
    ("study", {"id": "one", "sha256": "1"}),
    made("raw.a", "old"),
    check("raw.a", "x", False),
    check("raw.a", "y", True),
    made("raw.b", "b"),
    check("raw.b", "x", False),
    (
        "publication",
        {**made("publish.warehouse", "p1")[1], "number": 1, "snapshot": "s", "sha256": "h", "bytes": 1},
    ),
    made("raw.a", "new"),
    check("raw.a", "y", True),
)


def test_the_newest_record_of_each_kind_counts():
    history = fold(LEDGER)
    assert history.materialized["raw.a"].value_digest == "new"
    assert history.materialized["raw.a"].seq == 8
    assert set(history.verdicts) == {("raw.a", "y"), ("raw.b", "x")}
    assert [verdict.check for verdict in history.failed_blocking("raw.b")] == ["x"]
    assert history.failed_blocking("raw.a") == []
    assert history.publication["number"] == 1
    assert history.materialized["publish.warehouse"].value_digest == "p1"
    assert history.study["id"] == "one"
    assert history.head == (9, LEDGER[-1].hash)


@pytest.mark.parametrize("at", range(10))
def test_folding_in_two_goes_is_folding_at_once(at):
    assert fold(LEDGER[at:], fold(LEDGER[:at])) == fold(LEDGER)


def test_readers_plan_from_state_json_as_the_holder_plans_from_the_ledger(blocked):
    import json

    kept = json.loads(json.dumps(as_state(blocked.history)))
    readers = replace(blocked, history=from_state(kept))
    assert readers.plan() == blocked.plan()
    blocked.delivery.write_text("three")
    assert readers.states() == blocked.states()


def test_an_empty_state_is_an_empty_history():
    assert from_state({}) == History()


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_s_digest_is_that_of_its_bytes_and_a_missing_one_has_none(tmp_path):
    path = tmp_path / "f"
    assert FileDigests().of(path) is None
    path.write_text("one")
    assert FileDigests().of(path) == SHA_OF_ONE


def test_a_remembered_digest_is_used_until_size_or_time_change(tmp_path):
    path = tmp_path / "f"
    path.write_text("one")
    files = FileDigests()
    files.of(path)
    remembered = files.remembered()
    assert FileDigests(remembered).of(path) == SHA_OF_ONE
    path.write_text("three")
    assert FileDigests(remembered).of(path) != SHA_OF_ONE


def test_a_file_that_is_not_asked_for_is_remembered_no_more(tmp_path):
    for name in ("kept", "gone"):
        (tmp_path / name).write_text("one")
    first = FileDigests()
    assert {first.of(tmp_path / name) for name in ("kept", "gone")} == {SHA_OF_ONE}
    then = FileDigests(first.remembered())
    then.of(tmp_path / "kept")
    assert set(then.remembered()) == {str(tmp_path / "kept")}
