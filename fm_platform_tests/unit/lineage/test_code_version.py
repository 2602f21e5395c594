"""Code versions: a remark or a reformat is no change, an edit changes exactly what reaches it.

Each case is a small package of its own that stands beside a copy of the module under test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fm_platform

PACKAGE = Path(fm_platform.__file__).parent
NEEDED = (
    "__init__.py",
    "lineage/__init__.py",
    "lineage/code.py",
    "lineage/libraries.py",
    "sql/__init__.py",
    "sql/cache.py",
    "warehouse/__init__.py",
    "warehouse/ledger.py",
)
MODULES = {
    "errors.py": "class Problem(Exception):\n    pass\n",
    "tiny/__init__.py": "",
    "tiny/top.py": '''\
"""A module."""

import json

from fm_platform import errors
from fm_platform.tiny import low as basement
from fm_platform.tiny.aside import never_called

LIMIT = 3


class Shape:
    size = LIMIT


def build(step):
    """Build it."""
    # a remark
    return basement.lift(step) + helper(step)


def helper(step):
    return Shape.size + json.loads(step)


def other():
    return never_called()


def late():
    from fm_platform.tiny import lazy

    return lazy.value
''',
    "tiny/low.py": "from fm_platform.tiny.deep import DEPTH\n\n\ndef lift(step):\n    return DEPTH\n",
    "tiny/deep.py": "DEPTH = 1\n",
    "tiny/aside.py": "def never_called():\n    return 1\n",
    "tiny/lazy.py": "value = 1\n",
    "tiny/data.yaml": "a: 1\n",
    "tiny/texts/words.yaml": "a: 1\n",
    "tiny/inner/__init__.py": "",
    "tiny/inner/data.yaml": "a: 1\n",
    "style/__init__.py": "",
    "style/page.css": "p {}\n",
}
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from fm_platform.lineage.code import code_version
from fm_platform.tiny import top
names = ("build", "other", "late")
found = {n: code_version(getattr(top, n)) for n in names}
print(json.dumps({n: [version, [name for name in version.files if "(" not in name]] for n, version in found.items()}))
"""

Edit = Callable[[str], str]
Ask = Callable[..., dict[str, list]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Versions and reached modules of the tiny functions, after editing files; unedited ones are remembered."""
    count = 0

    def run(memory: str = str(tmp_path / "memory"), **edits: Edit) -> dict[str, list]:
        nonlocal count
        count += 1
        root = tmp_path / f"copy{count}"
        contents = MODULES | {name: (PACKAGE / name).read_text(encoding="utf-8") for name in NEEDED}
        for name, text in contents.items():
            path = root / "fm_platform" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            edit = edits.get(name.replace("/", "_").replace(".", "_"))
            path.write_text(edit(text) if edit else text, encoding="utf-8")
        command = [sys.executable, "-c", ASK, str(root)]
        finished = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "FM_CACHE": memory},
        )
        return json.loads(finished.stdout)

    return run


def versions(answer: dict[str, list]) -> dict[str, str]:
    return {name: version for name, (version, _) in answer.items()}


def changed(ask: Ask, **edits: Edit) -> set[str]:
    before, after = versions(ask()), versions(ask(**edits))
    return {name for name in before if before[name] != after[name]}


def test_only_names_that_the_function_uses_are_followed(ask):
    package = {"fm_platform/tiny/__init__.py"}
    reached = {name: set(modules) - package for name, (_, modules) in ask().items()}
    assert reached["build"] == {"fm_platform/tiny/deep.py", "fm_platform/tiny/low.py"}
    assert reached["other"] == {"fm_platform/tiny/aside.py"}
    assert reached["late"] == {"fm_platform/tiny/lazy.py"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("# a remark", "# another remark,\n    # of two lines"),
        lambda text: text.replace("Build it.", "Build it well."),
        lambda text: text.replace('"""A module."""', '"""A module, described."""'),
        lambda text: text.replace("basement.lift(step) + helper(step)", "(\n  basement.lift( step ) +\n helper(step))"),
        lambda text: text.replace("def helper(step):\n", 'def helper(step):\n    """What it does."""\n'),
        lambda text: text.replace('    """Build it."""\n', ""),
    ],
    ids=["comment", "docstring", "module docstring", "layout", "docstring added", "docstring removed"],
)  # fmt: skip
def test_remarks_and_layout_change_nothing(ask, edit):
    assert (
        changed(ask, tiny_top_py=edit, tiny_low_py=lambda text: '"""Says what it is."""\n\n# remark\n' + text)
        == set()
    )


@pytest.mark.parametrize(
    ("file", "edit", "expected"),
    [
        ("tiny_top_py", lambda text: text.replace("return basement", "return 1 + basement"), {"build"}),
        ("tiny_top_py", lambda text: text.replace("json.loads(step)", "json.loads(step) * 2"), {"build"}),
        ("tiny_top_py", lambda text: text.replace("LIMIT = 3", "LIMIT = 4"), {"build"}),
        ("tiny_top_py", lambda text: text + "\n\ndef unused():\n    return 2\n", set()),
        ("tiny_low_py", lambda text: text.replace("return DEPTH", "return DEPTH + 1"), {"build"}),
        ("tiny_deep_py", lambda text: text.replace("1", "2"), {"build"}),
        ("tiny_aside_py", lambda text: text.replace("1", "2"), {"other"}),
        ("tiny_lazy_py", lambda text: text.replace("1", "2"), {"late"}),
        ("tiny_data_yaml", lambda text: text.replace("1", "2"), {"build", "other", "late"}),
        ("tiny_texts_words_yaml", lambda text: text.replace("1", "2"), {"build", "other", "late"}),
        ("tiny_inner_data_yaml", lambda text: text.replace("1", "2"), set()),
        ("errors_py", lambda text: text + "\n\nclass Other(Problem):\n    pass\n", set()),
        ("style_page_css", lambda text: text + "b {}\n", set()),
    ],
    ids=["body", "helper", "constant", "unused", "reached", "reached through another", "not reached", "import inside",
         "resource beside", "resource below", "resource of a package further in", "unused import",
         "resource of another room"],
)  # fmt: skip
def test_an_edit_changes_what_reaches_it_and_nothing_else(ask, file, edit, expected):
    assert changed(ask, **{file: edit}) == expected


def test_what_is_remembered_of_a_module_is_what_its_text_says(ask, tmp_path):
    assert ask() == ask() == ask(memory="")
    for kept in (tmp_path / "memory").glob("*/*"):
        kept.write_text("no entry")
    assert ask() == ask(memory="")


def test_a_top_level_module_does_not_bring_in_the_resources_of_every_room(ask):
    def uses_errors(text: str) -> str:
        return text.replace("return never_called()", "return errors.Problem(never_called())")

    before = versions(ask(tiny_top_py=uses_errors))
    after = versions(ask(tiny_top_py=uses_errors, style_page_css=lambda text: text + "b {}\n"))
    assert before == after


def test_the_engine_of_differential_expression_does_not_depend_on_how_reports_look():
    from fm_platform.catalog.expression.fits import build_fit
    from fm_platform.lineage.code import code_version

    reached = code_version(build_fit).files
    assert "fm_platform/expression/fit/engine.py" in reached
    assert not [name for name in reached if name.startswith(("fm_platform/reporting", "fm_platform/defs"))]
    assert all((PACKAGE.parent / name.split(" (")[0]).exists() for name in reached)
