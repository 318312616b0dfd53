"""What the code promises about its shape: which layer may import what, short files, nothing defined twice."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "MSAMSegment"
LONGEST = 400
# What no file of a folder may import, but for those files that are the door to it.
FORBIDDEN = {
    "msam": ({"slicer", "vtk", "qt", "ctk", "MSAMSegmentLib", "MSAMSegmentWidgets"}, set()),
    "MSAMSegmentLib": (
        {"qt", "torch", "httpx", "MSAMSegmentWidgets", "MSAMSegmentWeb"},
        {"qt_transport.py", "asyncio_*.py"},
    ),
    "MSAMSegmentWidgets": ({"torch", "httpx", "MSAMSegmentWeb"}, set()),
    "MSAMSegmentWeb": ({"qt", "ctk", "torch", "MSAMSegmentWidgets"}, set()),
}
FILES = sorted(path for folder in (PACKAGES, ROOT / "Testing") for path in folder.rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """The packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_knows_only_the_ones_below_it(layer: str) -> None:
    names, doors = FORBIDDEN[layer]
    for path in sorted((PACKAGES / layer).rglob("*.py")):
        if any(path.match(door) for door in doors):
            continue
        assert not imported(ast.parse(path.read_text(encoding="utf-8"))) & names, path.relative_to(ROOT)


def test_ctk_is_left_to_the_panel() -> None:
    for path in sorted((PACKAGES / "MSAMSegmentLib").rglob("*.py")):
        assert "ctk" not in imported(ast.parse(path.read_text(encoding="utf-8"))), path.name


def test_files_are_short() -> None:
    long = {str(path.relative_to(ROOT)): count for path in FILES if (count := lines(path)) > LONGEST}
    assert not long


def test_nothing_is_defined_twice() -> None:
    """Of two methods of the same name the second one wins without a word; linters do not always see it."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                methods = [each for each in node.body if isinstance(each, ast.FunctionDef) and not each.decorator_list]
                names = [each.name for each in methods]
                assert len(names) == len(set(names)), f"{path.name}: {node.name}"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
