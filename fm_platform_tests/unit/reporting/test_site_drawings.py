"""Drawings of the steward's site: boxes that do not touch, edges that lead right, names that stay different."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.lineage.exchange.inventory import Inventory, table_facts
from fm_platform.lineage.history import Materialized
from fm_platform.reporting.site.drawing import svg
from fm_platform.reporting.site.layout import Box, Edge, Line, arrange, reduced
from fm_platform.reporting.site.names import Links, slug
from fm_platform.reporting.site.pages import SiteInput, render_site
from fm_platform.reporting.site.stacking import stack
from fm_platform.reporting.site.trace import column_picture, downstream, table_picture, upstream


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """A graph: every node with those before it."""
    size = draw(st.integers(1, 14))
    names = [f"t{n}" for n in range(size)]
    return {
        name: sorted(draw(st.sets(st.sampled_from(names[:n]), max_size=4))) if n else []
        for n, name in enumerate(names)
    }


def reachable(graph: dict[str, list[str]]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for name, before in graph.items():
        pending = list(before)
        while pending:
            parent = pending.pop()
            if (parent, name) not in found:
                found.add((parent, name))
                pending += graph[parent]
    return found


@given(acyclic())
def test_every_edge_leads_right_and_no_two_boxes_touch(graph):
    boxes = [Box(n, n, "x", lines=tuple(Line(f"c{i}") for i in range(len(b)))) for n, b in graph.items()]
    picture = arrange(boxes, [Edge(parent, name) for name, before in graph.items() for parent in before])
    for name, before in graph.items():
        assert all(picture.corners[p][0] + picture.box_width < picture.corners[name][0] for p in before)
    spans: dict[int, list[tuple[int, int]]] = {}
    for name, (x, y) in picture.corners.items():
        assert 0 <= x <= picture.width - picture.box_width
        assert 0 <= y <= picture.height - picture.boxes[name].height
        spans.setdefault(x, []).append((y, y + picture.boxes[name].height))
    for column in spans.values():
        ordered = sorted(column)
        assert all(end < start for (_, end), (start, _) in pairwise(ordered))


@given(acyclic(), st.integers(1, 4))
def test_a_stack_leads_down_is_no_wider_than_asked_and_hides_no_edge_behind_a_box(graph, most):
    boxes = [Box(name, name, "x", lines=(Line("a"),)) for name in graph]
    picture = stack(
        boxes, [Edge(parent, name) for name, before in graph.items() for parent in before], most, 100
    )
    height = boxes[0].height
    rows: dict[int, list[int]] = {}
    for x, y in picture.corners.values():
        assert 0 <= x <= picture.width - 100
        assert 0 <= y <= picture.height - height
        rows.setdefault(y, []).append(x)
    for row in rows.values():
        assert len(row) <= most
        assert all(after - before > 100 for before, after in pairwise(sorted(row)))
    for name, before in graph.items():
        for parent in before:
            top, bottom = picture.corners[parent][1], picture.corners[name][1]
            assert top + height < bottom
            passed = sorted(y for y in rows if top < y < bottom)
            way = picture.ways[parent, name]
            assert [(enters, leaves) for _, enters, leaves in way] == [(y, y + height) for y in passed]
            assert not [x for at, y, _ in way for x in rows[y] if x <= at <= x + 100]
    ElementTree.fromstring(svg(picture))


def test_a_score_in_two_columns_is_drawn_and_listed_as_one(inventory):
    ends = ("base_exact", "base_scale")
    lineage = {
        "report.p": {"p": [["marts.c", end, "DIRECT", "AGGREGATION"] for end in ends]},
        "marts.c": {end: [["raw.v", "score", "DIRECT", "TRANSFORMATION"]] for end in ends},
    }
    tables = dict(inventory.tables)
    for table, columns in lineage.items():
        body = {
            "columns": [[name, "BIGINT"] for name in columns], "column_lineage": columns, "fingerprint": "f",
            "value_digest": "d", "full_digest": "d", "parts": {"inputs": {}},
        }  # fmt: skip
        tables[table] = table_facts(Materialized(table, 9, "2026-01-01T00:00:00+00:00", "r", body), ())
    study = Inventory("s", "S", True, (1, "h"), tables)
    path = upstream(study, "report.p", "p")
    picture = column_picture(study, "report.p", "p", path, Links("", frozenset(tables)))
    assert [line.text for line in picture.boxes["marts.c"].lines] == ["base_exact / base_scale"]
    assert len([edge for edge in picture.edges if edge.target == "report.p"]) == 1
    page = render_site(SiteInput(study))["site/tables/report.p.html"].decode()
    listed = re.findall(r"<li>(.*?)</li>", page.split('class="ways"')[1].split("</ul>")[0])
    assert len(listed) == 1
    assert "#column-base_exact" in listed[0]
    assert "#column-base_scale" in listed[0]
    assert "exact fraction" in listed[0]


@given(acyclic())
def test_a_reduced_graph_tells_the_same_paths_with_the_fewest_edges(graph):
    fewer = reduced(graph)
    assert reachable(fewer) == reachable(graph)
    for name, before in fewer.items():
        for parent in before:
            without = {n: [p for p in b if (n, p) != (name, parent)] for n, b in fewer.items()}
            assert reachable(without) != reachable(graph)


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_names_have_different_files_and_anchors(one, other):
    assert (slug(one) == slug(other)) == (one == other)
    assert slug(one).isascii()
    assert not set(slug(one)) & set(' "<>&?#%/\\')


LINEAGE = {
    "raw.v": {},
    "staging.v": {"score": [["raw.v", "score", "DIRECT", "TRANSFORMATION"]]},
    "report.r": {
        "mean": [["staging.v", "score", "DIRECT", "AGGREGATION"], ["raw.v", "visit", "INDIRECT", "FILTER"]],
        "twice": [["report.r0", "gone", "DIRECT", "IDENTITY"]],
    },
}


@pytest.fixture
def inventory() -> Inventory:
    tables = {}
    for seq, (table, lineage) in enumerate(LINEAGE.items()):
        body = {
            "columns": [[name, "DOUBLE"] for name in lineage or ("score", "visit")],
            "column_lineage": lineage,
            "parts": {"inputs": {e[0]: "d" for inputs in lineage.values() for e in inputs}},
            "fingerprint": "f", "value_digest": "d", "full_digest": "d",
            "delivered": [] if lineage else [{"source": "v", "path": "v & w.csv", "bytes": 1, "sha256": "0"}],
        }  # fmt: skip
        tables[table] = table_facts(Materialized(table, seq, "2026-01-01T00:00:00+00:00", "r", body), ())
    return Inventory("s", "S", True, (1, "h"), tables)


def test_a_path_is_followed_to_the_end_and_back(inventory):
    assert set(upstream(inventory, "report.r", "mean")) == {
        ("report.r", "mean"), ("staging.v", "score"), ("raw.v", "score"),
    }  # fmt: skip
    assert downstream(inventory.readers(), "raw.v", "score") == {("staging.v", "score"), ("report.r", "mean")}
    assert downstream(inventory.readers(), "raw.v", "visit") == set()


def test_a_columns_drawing_shows_files_tables_and_what_decides_over_rows(inventory):
    path = upstream(inventory, "report.r", "mean")
    picture = column_picture(inventory, "report.r", "mean", path, Links("../", frozenset(LINEAGE)))
    assert set(picture.boxes) == {"v & w.csv", "raw.v", "staging.v", "report.r"}
    assert [(e.source, e.target) for e in picture.edges if not e.direct] == [("raw.v", "report.r")]
    drawn = ElementTree.fromstring(svg(picture))
    links = {element.get("href") for element in drawn.iter("a")}
    assert "../tables/staging.v.html#column-score" in links
    assert "../sources.html#file-v-20--26--20-w.csv" in links


def test_a_table_that_is_gone_is_drawn_without_a_link(inventory):
    picture = table_picture(inventory.tables["report.r"], Links("", frozenset(LINEAGE)))
    assert picture.boxes["report.r0"].href == ""


def test_a_table_of_very_many_columns_is_drawn_so_that_it_can_be_seen_at_one_time(inventory):
    inputs = [[f"stats.t{n}", f"c{c}", "DIRECT", "IDENTITY"] for n in range(10) for c in range(20)]
    body = {
        "columns": [["all", "INT"]], "fingerprint": "f", "value_digest": "d", "full_digest": "d",
        "column_lineage": {"all": inputs}, "parts": {"inputs": {f"stats.t{n}": "d" for n in range(10)}},
    }  # fmt: skip
    wide = table_facts(Materialized("marts.w", 9, "2026-01-01T00:00:00+00:00", "r", body), ())
    picture = table_picture(wide, Links("", frozenset()))
    assert picture.height < 2000
    for n in range(10):
        lines = picture.boxes[f"stats.t{n}"].lines
        assert lines[-1].text == f"and {20 - len(lines) + 1} more columns"
        reached = {edge.source_line for edge in picture.edges if edge.source == f"stats.t{n}"}
        assert reached == set(range(len(lines)))


def test_a_standalone_drawing_is_an_image_of_its_own(inventory):
    drawn = ElementTree.fromstring(
        svg(table_picture(inventory.tables["report.r"], Links("", frozenset())), standalone=True)
    )
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawn.find("{http://www.w3.org/2000/svg}style") is not None
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}a"))


def test_many_columns_share_a_line_that_says_how_many(inventory):
    body = {
        "columns": [["all", "INT"]], "fingerprint": "f", "value_digest": "d", "full_digest": "d",
        "column_lineage": {"all": [["raw.v", f"c{n}", "DIRECT", "AGGREGATION"] for n in range(30)]},
        "parts": {"inputs": {"raw.v": "d"}},
    }  # fmt: skip
    wide = table_facts(Materialized("marts.w", 9, "2026-01-01T00:00:00+00:00", "r", body), ())
    study = Inventory("s", "S", True, (1, "h"), {**inventory.tables, "marts.w": wide})
    picture = column_picture(
        study, "marts.w", "all", upstream(study, "marts.w", "all"), Links("", frozenset())
    )
    lines = [line.text for line in picture.boxes["raw.v"].lines]
    assert len(lines) == 8
    assert lines[-1] == "and 23 more columns"
    assert len([edge for edge in picture.edges if edge.source == "raw.v"]) == 8
