"""What the module says: every sentence can be translated, and no key is taken that Segment Editor has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from source_reading import MODULE

SOURCES = (
    MODULE / "MSAMSegment.py",
    *sorted((MODULE / "MSAMSegmentWidgets").glob("*.py")),
    MODULE / "MSAMSegmentLib" / "installation.py",
    MODULE / "MSAMSegmentLib" / "interpreters.py",
)
# Calls whose texts are for translation, for a log, or for Qt.
FITTING = ("_", "translate", "connect", "warning", "info", "log")
WORDS = re.compile(r"[^\W\d_]{2,} [^\W\d_]")
# Names, and what is typed into a terminal.
NAMES = ("MSAMSegment team", '" -m pip install ')
# What Segment Editor installs, by its source; Escape apart, which the panel has while points are placed only.
SEGMENT_EDITOR = {*"0123456789ZYQWI/*,.<>", "Space", "Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"} | {
    f"Shift+{digit}" for digit in "0123456789"
}


def untranslated(tree: ast.Module) -> Iterator[str]:
    """Sentences in the source that no call of `_` surrounds; the self-test's own are for developers."""
    tree.body = [each for each in tree.body if not getattr(each, "name", "").endswith("Test")]
    fitting: set[int] = set()
    for node in ast.walk(tree):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if name in FITTING or isinstance(node, ast.Assert):
            fitting |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            fitting.add(id(node.body[0].value))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in fitting:
            continue
        if WORDS.search(node.value) and node.value not in NAMES:
            yield f"line {node.lineno}: {node.value!r}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_sentence_of_the_panel_can_be_translated(path) -> None:
    assert not list(untranslated(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_sentence_is_put_together_before_it_is_translated(path) -> None:
    """`_(f"…")` and `_(a + b)` look up a text that no catalogue has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
            assert [type(each) for each in node.args] == [ast.Constant], f"line {node.lineno}"


def test_the_keys_are_none_of_segment_editors() -> None:
    source = ast.parse((MODULE / "MSAMSegmentWidgets" / "shortcuts.py").read_text(encoding="utf-8"))
    assigned = {
        name.id: value.value
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        for name, value in zip(node.targets[0].elts, node.value.elts, strict=True)
    }
    assert len(set(assigned.values())) == 5
    assert not set(assigned.values()) & SEGMENT_EDITOR
