"""YAML as text with lines: nothing is guessed, and every complaint points at its line."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from fm_platform.errors import InputError
from fm_platform.yaml_lines import YamlDocument, parse_model, read_yaml


class Item(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    size: int = 0


class Root(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    title: str
    items: tuple[Item, ...] = ()
    by_name: dict[str, Item] = {}
    one: Item | None = None


@pytest.fixture
def read(tmp_path: Path):
    """Reads a text as ``f.yaml``."""

    def run(text: str | bytes) -> YamlDocument:
        path = tmp_path / "f.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_yaml(path, display="f.yaml")

    return run


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("true", "true"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("0.30", "0.30"),
        ("12:30:45", "12:30:45"),
        ("2021-03-02", "2021-03-02"),
        (".inf", ".inf"),
        ("'null'", "null"),
        ('"~"', "~"),
        ('""', ""),
        ("=", "="),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_are_the_text_that_was_written(read, written, expected):
    assert read(f"a: {written}\n").data == {"a": expected}
    assert read(f"a: [{written or 'null'}]\n").data == {"a": [expected]}


def test_keys_are_text_too(read):
    assert read("labels: {no: Not yet, 010: Ten}\n").data == {"labels": {"no": "Not yet", "010": "Ten"}}


def test_every_key_and_list_entry_has_its_line(read):
    document = read("# remark\n\na: 1\nb:\n  - x: 1\n    y: 2\n  - {x: 3,\n     y: 4}\n")
    assert document.line_of("a") == 3
    assert document.line_of("b") == 4
    assert document.line_of("b", 0) == 5
    assert document.line_of("b", 0, "y") == 6
    assert document.line_of("b", 1, "x") == 7
    assert document.line_of("b", 1, "y") == 8


def test_what_is_not_there_has_the_line_of_what_it_would_be_in(read):
    document = read("a: 1\nb:\n  c: {d: 1}\n")
    assert document.line_of("b", "c", "missing", 7) == 3
    assert document.line_of("nothing") == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\na: 2\n", 2, "'a' appears twice"),
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5, "'c' appears twice"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: [1, 2\n", 3, "not valid YAML"),
        ("a:\n\t- 1\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: *nowhere\n", 1, "not valid YAML"),
    ],
)
def test_what_is_not_yaml_is_refused_at_its_line(read, text, line, words):
    with pytest.raises(InputError, match=words) as refused:
        read(text)
    assert (refused.value.file, refused.value.line) == ("f.yaml", line)
    assert refused.value.exit_code == 2
    assert refused.value.mend


def test_an_anchor_that_contains_itself_is_refused(read):
    with pytest.raises(InputError, match=r"f\.yaml: an anchor contains itself"):
        read("a: &x [*x]\n")


def test_a_byte_order_mark_is_no_content(read):
    assert read("\ufeffa: 1\n").data == {"a": "1"}


def test_an_empty_file_holds_nothing(read):
    assert read("# only a remark\n").data is None


@pytest.mark.parametrize("content", [b"a: \xff\xfe\n", b"\x00\x01\x02"])
def test_bytes_that_are_no_text_are_refused(read, content):
    with pytest.raises(InputError, match=r"f\.yaml: (not a UTF-8 text file|not valid YAML)"):
        read(content)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="not a UTF-8 text file"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "message", "mend"),
    [
        ("title: x\nitemz: []\n", 2, "unknown key 'itemz'", "did you mean 'items'?"),
        ("title: x\nzzz: 1\n", 2, "unknown key 'zzz'", "known keys here: by_name, items, one, title"),
        ("title: x\nitems:\n  - name: a\n    sice: 1\n", 4, "unknown key 'items.0.sice'", "did you mean 'size'?"),
        ("title: x\nby_name:\n  k:\n    nme: a\n", 4, "unknown key 'by_name.k.nme'", "did you mean 'name'?"),
        ("title: x\none: {name: a,\n  sizes: 1}\n", 3, "unknown key 'one.sizes'", "did you mean 'size'?"),
        ("items: []\n", 1, "key 'title' is missing", "add `title:` there"),
        ("title: x\nitems:\n  - size: 1\n", 3, "key 'items.0.name' is missing", "add `name:` there"),
        ("title: x\none:\n  name: a\n  size: big\n", 4, "one.size: .*found 'big'", "correct this value"),
        ("title: x\nitems: 3\n", 2, "items: ", "correct this value"),
        ("title: ~\n", 1, "title: ", "correct this value"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_refused_at_its_line(read, text, line, message, mend):
    with pytest.raises(InputError, match=message) as refused:
        parse_model(read(text), Root, display="f.yaml")
    assert refused.value.line == line
    assert refused.value.mend == mend


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_a_file_that_is_no_mapping_is_refused(read, text):
    with pytest.raises(InputError, match=r"f\.yaml:1: expected a mapping"):
        parse_model(read(text), Root, display="f.yaml")
